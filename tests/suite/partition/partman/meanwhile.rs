//! What keeps an import from beginning or ends it half-way, and what others notice of it.

use super::{database, partitions, set, settle, CONFIG};
use dbguard_tests::Db;
use std::time::{Duration, Instant};

/// Waits until the session of `pid` waits for a lock.
fn waits(db: &mut Db, pid: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    while db.value(&format!("SELECT wait_event_type FROM pg_stat_activity WHERE pid = {pid}")) != "Lock" {
        assert!(Instant::now() < until, "nobody waits");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_table_that_is_held_keeps_no_other_and_a_cancelled_import_leaves_nothing() {
    let Some(mut db) = database() else { return };
    set(&mut db, "held", "timestamptz", "1 day", "none");
    set(&mut db, "free", "timestamptz", "1 day", "none");
    let before = db.lines(CONFIG);
    let mut holder = db.connect();
    holder.exec("BEGIN; LOCK TABLE held");
    // who is terminated may find the connection closed before he reads why
    for (end, codes) in [("pg_cancel_backend", &["57014"][..]), ("pg_terminate_backend", &["57P01", ""])] {
        let mut importer = db.connect();
        let pid = importer.value("SELECT pg_backend_pid()");
        std::thread::scope(|scope| {
            let import =
                scope.spawn(|| importer.try_exec("SELECT dbguard.partition_import_partman()").unwrap_err());
            waits(&mut db, &pid);
            db.exec(&format!("SELECT {end}({pid})"));
            let code = import.join().unwrap().code;
            assert!(codes.contains(&code.as_str()), "{code}");
        });
        assert_eq!(db.lines(CONFIG), before);
        assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set"), "0");
    }
    assert_eq!(db.error("SELECT dbguard.partition_import_partman('held')").code, "55P03");
    assert_eq!(
        db.lines("SELECT table_name, state FROM dbguard.partition_import_partman()"),
        ["free | imported", "held | blocked"]
    );
    holder.exec("ROLLBACK");
    assert_eq!(
        db.lines("SELECT table_name, state FROM dbguard.partition_import_partman()"),
        ["free | skipped", "held | imported"]
    );
}

#[test]
fn not_while_pg_partman_is_at_work_nor_the_other_way_round() {
    let Some(mut db) = database() else { return };
    set(&mut db, "t", "timestamptz", "1 day", "none");
    settle(&mut db);
    let mut theirs = db.connect();
    theirs.exec("BEGIN; SELECT partman.run_maintenance()");
    let e = db.error("SELECT dbguard.partition_import_partman('t')");
    assert_eq!((e.code.as_str(), e.hint.is_empty()), ("55P03", false), "{e:?}");
    db.exec("SELECT dbguard.partition_import_partman('t', dry_run => true)");
    theirs.exec("ROLLBACK; SET lock_timeout = '1s'; SET client_min_messages = error");
    let four = partitions(&mut theirs, "t");
    db.exec(
        "UPDATE partman.part_config SET premake = 6; BEGIN; SELECT dbguard.partition_import_partman('t')",
    );
    // it sees the old configuration, and would make the two that are missing
    theirs.exec("SELECT partman.run_maintenance('public.t')");
    assert_eq!(partitions(&mut theirs, "t"), four);
    db.exec("COMMIT");
    assert_eq!(db.lines("SELECT ahead, missing FROM dbguard.partition_status()"), ["6 | 0"]);
}

#[test]
fn writers_and_readers_notice_nothing() {
    let Some(mut db) = database() else { return };
    set(&mut db, "t", "timestamptz", "1 hour", "none");
    db.exec(
        "ALTER TABLE t DETACH PARTITION t_default; DROP TABLE t_default; INSERT INTO t VALUES (0, now());
         UPDATE partman.part_config SET premake = 60",
    );
    let mut writer = db.connect();
    let mut reader = db.connect();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (done, order) = (&done, std::sync::atomic::Ordering::SeqCst);
        let (started, wait) = std::sync::mpsc::channel();
        let writing = scope.spawn(move || {
            let mut rows = 0;
            while !done.load(order) || rows < 20 {
                writer.exec("SET lock_timeout = '500ms'; INSERT INTO t VALUES (1, now())");
                rows += 1;
                if rows == 5 {
                    started.send(()).unwrap();
                }
            }
            rows
        });
        let reading = scope.spawn(move || {
            let mut least = 1;
            while !done.load(order) {
                let seen: i64 = reader.value("SELECT count(*) FROM t").parse().unwrap();
                assert!(seen >= least, "{seen} after {least}");
                least = seen;
            }
        });
        wait.recv().unwrap();
        let message = db.value("SELECT message FROM dbguard.partition_import_partman('t')");
        assert!(message.contains("Made because they were missing: 56."), "{message}");
        done.store(true, order);
        let rows = writing.join().unwrap();
        reading.join().unwrap();
        assert_eq!(db.value("SELECT count(*) FROM t WHERE id = 1"), rows.to_string());
    });
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "0");
}
