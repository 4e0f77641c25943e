//! Cases 45, 46, 48 and 51: others at work, and faults. What is not here of 48, 49 and 52 is in
//! `maintain`, `cases_c` and `config`; 50 is in `split`.

use dbguard_tests::Db;
use std::time::{Duration, Instant};

fn set(db: &mut Db, table: &str, ahead: u32) {
    db.exec(&format!(
        "CREATE TABLE {table} (id bigint, at date NOT NULL, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('{table}', '1 day', 1);
         UPDATE dbguard.partition_set SET ahead = {ahead}"
    ));
}

#[test]
fn case_45_eight_clients_insert_while_ten_partitions_are_made() {
    let mut db = Db::new();
    set(&mut db, "t", 11);
    let mut clients: Vec<_> = (0..8).map(|_| db.connect()).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = clients
            .iter_mut()
            .enumerate()
            .map(|(number, client)| {
                let done = &done;
                scope.spawn(move || {
                    let (mut rows, mut worst) = (0_u64, Duration::ZERO);
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let began = Instant::now();
                        client.exec(&format!(
                            "INSERT INTO t VALUES ({}, now(), 'x')",
                            rows * 8 + number as u64
                        ));
                        worst = worst.max(began.elapsed());
                        rows += 1;
                    }
                    (rows, worst)
                })
            })
            .collect();
        let ended = db.try_exec("CALL dbguard.partition_maintain()");
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
        assert_eq!(ended, Ok(()));
        let rows: u64 = results.iter().map(|(rows, _)| rows).sum();
        assert_eq!(db.value("SELECT count(*) FROM t"), rows.to_string());
        // 200 ms of a lock, and what a busy machine adds
        let worst = results.iter().map(|(_, worst)| *worst).max().unwrap();
        assert!(worst < Duration::from_secs(2), "{worst:?}");
    });
    assert_eq!(
        db.lines("SELECT state, partitions, missing FROM dbguard.partition_status()"),
        ["ok | 12 | 0"]
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_run WHERE state <> 'done'"), "0");
}

#[test]
fn case_46_a_reader_holds_the_whole_set() {
    let mut db = Db::new();
    set(&mut db, "held", 4);
    db.exec("CREATE TABLE held_rest PARTITION OF held DEFAULT");
    set(&mut db, "z_free", 4);
    let mut reader = db.connect_as("case46_reader");
    db.exec("GRANT SELECT ON held TO case46_reader");
    reader.exec("SET application_name = 'a long report'; BEGIN; SELECT * FROM held");
    let mut runner = db.connect();
    let mut other = db.connect();
    runner.exec("SET dbguard.partition_lock_budget = '1s'");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| runner.exec("CALL dbguard.partition_maintain()"));
        // rows for the default and reads of all need what maintenance waits for
        let mut worst = Duration::ZERO;
        while !run.is_finished() {
            let began = Instant::now();
            other
                .exec("INSERT INTO held VALUES (1, '2001-01-01') ON CONFLICT DO NOTHING; SELECT * FROM held");
            worst = worst.max(began.elapsed());
        }
        assert!(worst < Duration::from_secs(1), "{worst:?}");
    });
    assert_eq!(
        db.lines(
            "SELECT DISTINCT table_name, state, sqlstate FROM dbguard.partition_run
             WHERE run = (SELECT max(run) FROM dbguard.partition_run) AND action = 'make' ORDER BY 1"
        ),
        ["held | failed | 55P03", "z_free | done | <null>"]
    );
    let row = db
        .rows("SELECT tries, blockers FROM dbguard.partition_run WHERE state = 'failed' AND action = 'make'")
        .remove(0);
    assert!(row[0].parse::<i32>().unwrap() >= 4, "{row:?}");
    for word in [
        "user case46_reader",
        "application a long report",
        "idle in transaction",
        "holds AccessShareLock on public.held_rest",
    ] {
        assert!(row[1].contains(word), "{word}: {row:?}");
    }
    assert_eq!(
        db.lines("SELECT DISTINCT tries, blockers FROM dbguard.partition_run WHERE table_name = 'z_free' AND state = 'done'"),
        ["1 | <null>"]
    );
    reader.exec("COMMIT");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines("SELECT DISTINCT missing FROM dbguard.partition_status()"), ["0"]);
}

#[test]
fn who_lets_go_in_time_is_waited_for_and_named() {
    let mut db = Db::new();
    set(&mut db, "t", 2);
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE t IN SHARE MODE");
    let mut runner = db.connect();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| runner.exec("CALL dbguard.partition_maintain()"));
        std::thread::sleep(Duration::from_millis(700));
        other.exec("COMMIT");
        run.join().unwrap();
    });
    let row = db.rows("SELECT state, tries, blockers FROM dbguard.partition_run WHERE action = 'make' ORDER BY at DESC LIMIT 1").remove(0);
    assert_eq!(row[0], "done");
    assert!(row[1].parse::<i32>().unwrap() > 1 && row[2].contains("ShareLock on public.t"), "{row:?}");
}

#[test]
fn a_prepared_transaction_in_the_way_is_named() {
    let mut db = Db::new();
    set(&mut db, "t", 2);
    let gid = format!("left-over-{}", db.name);
    db.exec(&format!("BEGIN; LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE; PREPARE TRANSACTION '{gid}'"));
    db.exec("SET dbguard.partition_lock_budget = 0");
    db.exec("CALL dbguard.partition_maintain()");
    let blockers = db.value("SELECT blockers FROM dbguard.partition_run WHERE sqlstate = '55P03'");
    db.exec(&format!("ROLLBACK PREPARED '{gid}'"));
    assert!(blockers.contains(&format!("prepared transaction '{gid}' of postgres")), "{blockers}");
}

#[test]
fn case_48_a_run_killed_half_way_is_finished_by_the_next() {
    let mut db = Db::new();
    set(&mut db, "a_free", 4);
    set(&mut db, "b_held", 4);
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE b_held IN ACCESS EXCLUSIVE MODE");
    let mut runner = db.connect();
    let pid = runner.value("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| runner.try_exec("CALL dbguard.partition_maintain()"));
        let until = Instant::now() + Duration::from_secs(20);
        while db.value(
            "SELECT count(*) FROM dbguard.partition_run WHERE table_name = 'a_free' AND state = 'done'",
        ) != "5"
        {
            assert!(Instant::now() < until, "the free set was not done");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(100));
        db.exec(&format!("SELECT pg_terminate_backend({pid}, 5000)"));
        // the client may see no more than that the connection is gone
        let code = run.join().unwrap().unwrap_err().code;
        assert!(["57P01", ""].contains(&code.as_str()), "{code}");
    });
    assert_eq!(db.value(&format!("SELECT count(*) FROM pg_locks WHERE pid = {pid}")), "0");
    assert_eq!(
        db.lines("SELECT table_name, missing FROM dbguard.partition_status() ORDER BY 1"),
        ["a_free | 0", "b_held | 3"]
    );
    other.exec("COMMIT");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines("SELECT DISTINCT missing FROM dbguard.partition_status()"), ["0"]);
}

#[test]
fn case_51_a_read_only_database_is_left_alone() {
    let mut db = Db::new();
    set(&mut db, "t", 3);
    let name = db.name.clone();
    db.exec(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let mut runner = db.connect();
    runner.exec("CALL dbguard.partition_maintain()");
    db.exec("SET default_transaction_read_only = off");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "2");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_run WHERE action = 'run'"), "0");
}

/// The server itself would wait a second before it stops a vacuum that is in the way, which is longer
/// than any of our steps.
#[test]
fn an_autovacuum_in_the_way_is_stopped_and_named() {
    let cluster = dbguard_tests::Cluster::start(&[
        "autovacuum = on",
        "autovacuum_naptime = 1s",
        "autovacuum_vacuum_cost_delay = 20ms",
        "autovacuum_vacuum_cost_limit = 1",
    ]);
    let mut db = dbguard_tests::Db::new_in(&cluster);
    set(&mut db, "t", 3);
    db.exec(
        "CREATE TABLE t_rest PARTITION OF t DEFAULT WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
         INSERT INTO t SELECT n, '2001-01-01', repeat('x', 500) FROM generate_series(1, 20000) n",
    );
    db.exec("DELETE FROM t WHERE id % 2 = 0");
    let until = Instant::now() + Duration::from_secs(60);
    while db.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'autovacuum: VACUUM%t_rest%'")
        == "0"
    {
        assert!(Instant::now() < until, "no autovacuum came");
        std::thread::sleep(Duration::from_millis(50));
    }
    db.exec("CALL dbguard.partition_maintain()");
    let row = db
        .rows("SELECT state, tries, blockers FROM dbguard.partition_run WHERE action = 'make' AND tries > 1 ORDER BY at LIMIT 1")
        .remove(0);
    assert_eq!(row[0], "done", "{row:?}");
    assert!(row[2].contains("autovacuum, holds ShareUpdateExclusiveLock on public.t_rest"), "{row:?}");
    assert!(cluster.log().contains("canceling autovacuum task"));
}

#[test]
fn an_autovacuum_against_wraparound_is_left_alone_and_named() {
    let cluster = dbguard_tests::Cluster::start(&[
        "autovacuum_naptime = 1s",
        "autovacuum_freeze_max_age = 100000",
        "synchronous_commit = off",
    ]);
    let mut db = dbguard_tests::Db::new_in(&cluster);
    set(&mut db, "t", 3);
    db.exec(
        "CREATE TABLE t_rest PARTITION OF t DEFAULT
           WITH (autovacuum_vacuum_cost_delay = 20, autovacuum_vacuum_cost_limit = 1);
         INSERT INTO t SELECT n, '2001-01-01', repeat('x', 500) FROM generate_series(1, 20000) n",
    );
    db.exec("DO 'BEGIN FOR n IN 1..100100 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END'");
    db.exec("ALTER SYSTEM SET autovacuum = on");
    db.exec("SELECT pg_reload_conf()");
    let until = Instant::now() + Duration::from_secs(60);
    while db.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'autovacuum: VACUUM%t_rest (to prevent wraparound)'") == "0" {
        assert!(Instant::now() < until, "no autovacuum came");
        std::thread::sleep(Duration::from_millis(50));
    }
    db.exec("SET dbguard.partition_lock_budget = '1s'");
    db.exec("CALL dbguard.partition_maintain()");
    let blockers = db.value("SELECT blockers FROM dbguard.partition_run WHERE sqlstate = '55P03'");
    assert!(blockers.contains("autovacuum to prevent wraparound"), "{blockers}");
    assert!(!cluster.log().contains("canceling autovacuum task"));
}
