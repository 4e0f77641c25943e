//! Runs: two at once, where they may not be, behind locks, with bad sets among good ones.

use dbguard_tests::Db;

fn behind(db: &mut Db, tables: &[&str]) {
    for table in tables {
        db.exec(&format!(
            "CREATE TABLE {table} (at date) PARTITION BY RANGE (at);
             SELECT dbguard.partition_enable('{table}', '1 day', 1)"
        ));
    }
    db.exec("UPDATE dbguard.partition_set SET ahead = 4");
}

fn last_run(db: &mut Db) -> Vec<String> {
    db.lines(
        "SELECT DISTINCT action, state, table_name, sqlstate FROM dbguard.partition_run
         WHERE run = (SELECT max(run) FROM dbguard.partition_run) ORDER BY table_name, state",
    )
}

#[test]
fn inside_a_transaction_it_refuses_and_leaves_nothing() {
    let mut db = Db::new();
    behind(&mut db, &["t"]);
    db.exec("BEGIN");
    let e = db.error("CALL dbguard.partition_maintain()");
    assert_eq!(
        (e.code.as_str(), e.hint.contains("CALL dbguard.partition_maintain()")),
        ("25001", true),
        "{e:?}"
    );
    db.exec("ROLLBACK");
    assert_eq!(db.error("SELECT 1; CALL dbguard.partition_maintain()").code, "25001");
    db.exec(
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL dbguard.partition_maintain(); END'",
    );
    assert_eq!(db.error("SELECT f()").code, "25001");
    assert_eq!(db.value("SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND datname = current_database()"), "0");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "3");
    db.exec("DO 'BEGIN CALL dbguard.partition_maintain(); END'");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "0");
}

/// One partition in each, or a few that are quickly made; but beside a DEFAULT partition rows may have to be moved, for
/// which others wait.
#[test]
fn a_run_commits_as_it_goes() {
    const TRANSACTIONS: &str = "
        SELECT count(DISTINCT xmin::text), count(*) FROM dbguard.partition_run
        WHERE action = 'make' AND run = (SELECT max(run) FROM dbguard.partition_run)";
    let mut db = Db::new();
    behind(&mut db, &["t"]);
    db.exec("UPDATE dbguard.partition_set SET ahead = 200");
    db.exec("CALL dbguard.partition_maintain()");
    let row = db.lines(TRANSACTIONS);
    let (transactions, partitions) = row[0].split_once(" | ").unwrap();
    assert!(transactions.parse::<i32>().unwrap() > 1 && partitions == "199", "{row:?}");
    db.exec("CREATE TABLE t_rest PARTITION OF t DEFAULT; UPDATE dbguard.partition_set SET ahead = 205");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines(TRANSACTIONS), ["5 | 5"]);
    assert_eq!(last_run(&mut db), ["make | done | t | <null>", "run | done | <null> | <null>"]);
}

#[test]
fn two_at_once() {
    let mut db = Db::new();
    let names: Vec<_> = (0..10).map(|n| format!("t{n}")).collect();
    behind(&mut db, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut sessions: Vec<_> = (0..3).map(|_| db.connect()).collect();
    std::thread::scope(|scope| {
        for session in &mut sessions {
            scope.spawn(|| session.exec("CALL dbguard.partition_maintain()"));
        }
    });
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT DISTINCT state, partitions, missing FROM dbguard.partition_status()"),
        ["ok | 5 | 0"]
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_run WHERE state = 'failed'"), "0");
    assert_eq!(db.value("SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND datname = current_database()"), "0");
}

#[test]
fn a_set_that_is_being_worked_on_is_skipped() {
    let mut db = Db::new();
    behind(&mut db, &["t", "u"]);
    let mut other = db.connect();
    other.exec("BEGIN; SELECT dbguard.partition_enable('t', '1 day', 2)");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        last_run(&mut db),
        ["make | skipped | t | <null>", "make | done | u | <null>", "run | done | <null> | <null>"]
    );
    other.exec("COMMIT");
}

#[test]
fn readers_and_writers_do_not_stop_it() {
    let mut db = Db::new();
    behind(&mut db, &["t"]);
    let mut other = db.connect();
    other.exec("BEGIN; INSERT INTO t VALUES (now()); SELECT * FROM t");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "0");
    other.exec("COMMIT");
}

#[test]
fn behind_a_lock_it_gives_up_that_set_and_does_the_rest() {
    let mut db = Db::new();
    behind(&mut db, &["held", "z_free"]);
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE");
    db.exec("SET dbguard.partition_lock_budget = '1s'");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        last_run(&mut db),
        ["make | failed | held | 55P03", "make | done | z_free | <null>", "run | failed | <null> | <null>"]
    );
    other.exec("COMMIT");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines("SELECT DISTINCT missing FROM dbguard.partition_status()"), ["0"]);
}

#[test]
fn bad_sets_among_good_ones() {
    let mut db = Db::new();
    behind(&mut db, &["a_dropped", "b_renamed", "c_plain_now", "d_bad_zone", "e_bad_width", "f_good"]);
    db.exec(
        "DROP TABLE a_dropped;
         ALTER TABLE b_renamed RENAME TO b_new;
         DROP TABLE c_plain_now; CREATE TABLE c_plain_now (at date);
         UPDATE dbguard.partition_set SET zone = 'Nowhere' WHERE table_name = 'd_bad_zone';
         UPDATE dbguard.partition_set SET every = '1 month 1 day' WHERE table_name = 'e_bad_width'",
    );
    let status = "SELECT table_name, state FROM dbguard.partition_status() ORDER BY 1";
    assert_eq!(
        db.lines(status),
        [
            "a_dropped | gone",
            "b_new | due",
            "c_plain_now | gone",
            "d_bad_zone | broken",
            "e_bad_width | broken",
            "f_good | due"
        ]
    );
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        last_run(&mut db),
        [
            "forget | done | a_dropped | <null>",
            "make | done | b_new | <null>",
            "forget | done | c_plain_now | <null>",
            "make | failed | d_bad_zone | 22023",
            "make | failed | e_bad_width | 22023",
            "make | done | f_good | <null>",
            "run | failed | <null> | <null>",
        ]
    );
    assert_eq!(
        db.lines(status),
        ["b_new | ok", "d_bad_zone | broken", "e_bad_width | broken", "f_good | ok"]
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set WHERE table_name = 'b_new'"), "1");
}

#[test]
fn tables_that_swap_names_keep_their_sets() {
    let mut db = Db::new();
    behind(&mut db, &["a", "b"]);
    db.exec("UPDATE dbguard.partition_set SET ahead = 6 WHERE table_name = 'a'");
    db.exec("ALTER TABLE a RENAME TO x; ALTER TABLE b RENAME TO a; ALTER TABLE x RENAME TO b");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT table_name, ahead, partitions FROM dbguard.partition_status() ORDER BY 1"),
        ["a | 4 | 5", "b | 6 | 7"]
    );
    assert_eq!(
        db.lines("SELECT table_name, ahead FROM dbguard.partition_set ORDER BY 1"),
        ["a | 4", "b | 6"]
    );
}

#[test]
fn a_cancelled_run_keeps_what_it_made() {
    let mut db = Db::new();
    behind(&mut db, &["a_free", "b_held"]);
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE b_held IN ACCESS EXCLUSIVE MODE");
    db.exec("SET statement_timeout = '2s'");
    assert_eq!(db.error("CALL dbguard.partition_maintain()").code, "57014");
    db.exec("RESET statement_timeout");
    assert_eq!(
        db.lines("SELECT table_name, missing FROM dbguard.partition_status() ORDER BY 1"),
        ["a_free | 0", "b_held | 3"]
    );
    assert_eq!(db.value("SELECT current_user"), "postgres");
    assert_eq!(db.value("SHOW search_path"), "\"$user\", public");
}

#[test]
fn read_only_does_nothing_and_says_so() {
    let mut db = Db::new();
    behind(&mut db, &["t"]);
    db.exec("SET default_transaction_read_only = on");
    db.exec("CALL dbguard.partition_maintain()");
    db.exec("SELECT * FROM dbguard.partition_plan(); SELECT * FROM dbguard.partition_status()");
    db.exec("SET default_transaction_read_only = off");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "3");
}

#[test]
fn nothing_to_do_touches_no_table() {
    let mut db = Db::new();
    behind(&mut db, &["t"]);
    db.exec("CALL dbguard.partition_maintain()");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(last_run(&mut db), ["run | done | <null> | <null>"]);
}

#[test]
fn a_name_that_was_given_away() {
    let mut db = Db::new();
    behind(&mut db, &["t", "gone"]);
    db.exec("ALTER TABLE t RENAME TO t_old; DROP TABLE gone");
    db.exec("CREATE TABLE t (at date) PARTITION BY RANGE (at); ALTER TABLE t_old RENAME TO gone");
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 2)");
    assert_eq!(
        db.lines("SELECT table_name, state, ahead FROM dbguard.partition_status() ORDER BY 1"),
        ["gone | due | 4", "t | ok | 2"]
    );
}

/// A run does not read a set anew for each partition, but does where another session changed it.
#[test]
fn what_another_session_makes_in_the_middle_of_a_run_counts() {
    let mut db = Db::new();
    behind(&mut db, &["t"]);
    let mut other = db.connect();
    other.exec("BEGIN; LOCK t IN SHARE MODE");
    let mut runner = db.connect();
    let run = std::thread::spawn(move || runner.exec("CALL dbguard.partition_maintain()"));
    while db.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^CALL' AND wait_event IN ('relation', 'PgSleep', 'Extension')",
    ) == "0" {}
    // the run has found days +2 to +4 missing: one of them is made by hand, one that covers two cells
    other.exec(
        "DO $$ BEGIN EXECUTE format('CREATE TABLE by_hand PARTITION OF t FOR VALUES FROM (%L) TO (%L)',
           (now() AT TIME ZONE 'UTC')::date + 3, (now() AT TIME ZONE 'UTC')::date + 5); END $$; COMMIT",
    );
    run.join().unwrap();
    assert_eq!(
        db.lines("SELECT state, partition_name IS NULL FROM dbguard.partition_run WHERE run = (SELECT max(run) FROM dbguard.partition_run) ORDER BY at"),
        ["done | f", "done | t"]
    );
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "4");
}

/// ATTACH leaves the other partitions alone, and so must what follows it.
#[test]
fn a_locked_partition_does_not_keep_the_next_from_being_made() {
    for audited in [false, true] {
        let mut db = Db::new();
        behind(&mut db, &["t"]);
        if audited {
            db.exec("SELECT dbguard.audit_enable('t')");
        }
        let partition =
            db.value("SELECT min(inhrelid)::regclass FROM pg_inherits WHERE inhparent = 't'::regclass");
        let mut other = db.connect();
        other.exec(&format!("BEGIN; LOCK {partition}"));
        db.exec("SET dbguard.partition_lock_budget = '1s'");
        db.exec("CALL dbguard.partition_maintain()");
        assert_eq!(last_run(&mut db), ["make | done | t | <null>", "run | done | <null> | <null>"]);
    }
}
