//! What is left of a move of rows by a server that crashed, in a dump, and on a standby.

use super::drain_copy::{full, wait_for, CATALOG};
use dbguard_tests::{Cluster, Db};
use std::time::{Duration, Instant};

const SETTINGS: &str =
    "SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0;
    SET dbguard.partition_lock_budget = '60s'";
const ROWS: &str = "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t";
const PHASE: &str = "SELECT coalesce(max(phase), '') FROM dbguard.partition_progress";

/// Calls it until `there` is 1, with `held` by another session, then kills the server with signal 9.
fn crash(cluster: &Cluster, held: &str, late: &str, there: &str) {
    let mut db = Db::existing_in(cluster, "postgres");
    let mut runner = Db::existing_in(cluster, "postgres");
    runner.exec(SETTINGS);
    let pid: i32 = runner.value("SELECT pg_backend_pid()").parse().unwrap();
    let mut holder = Db::existing_in(cluster, "postgres");
    holder.exec(held);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| runner.try_exec("CALL dbguard.partition_drain('t')"));
        if !late.is_empty() {
            wait_for(&mut db, PHASE, "swapping");
            let mut second = Db::existing_in(cluster, "postgres");
            second.exec(late);
            holder.exec("COMMIT");
            wait_for(&mut db, &there.replace("$1", &pid.to_string()), "1");
        } else {
            wait_for(&mut db, &there.replace("$1", &pid.to_string()), "1");
        }
        // SAFETY: a backend of the test's own server.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        run.join().unwrap().unwrap_err();
    });
    let until = Instant::now() + Duration::from_secs(60);
    while db.try_exec("SELECT 1").is_ok() {
        assert!(Instant::now() < until);
    }
    while cluster.try_connect("postgres", "postgres").is_err() {
        assert!(Instant::now() < until, "{}", cluster.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_crash_of_the_server() {
    let cluster = Cluster::start(&[]);
    let mut db = Db::existing_in(&cluster, "postgres");
    db.exec("CREATE EXTENSION dbguard");
    full(&mut db, "t", 20_000);
    let (before, rows) = (db.lines(CATALOG), db.value(ROWS));
    drop(db);
    let waits = "SELECT count(DISTINCT pid) FROM pg_locks WHERE pid = $1 AND NOT granted AND relation = 't_p20261112'::regclass";
    for (held, late, there) in [
        (
            "BEGIN; LOCK TABLE t_rest IN SHARE UPDATE EXCLUSIVE MODE",
            "",
            "SELECT count(*) FROM dbguard.partition_progress WHERE phase = 'copying'",
        ),
        (
            "BEGIN; SELECT FROM dbguard.partition_set FOR UPDATE",
            "SELECT 1",
            "SELECT count(*) FROM dbguard.partition_progress WHERE phase = 'swapping'",
        ),
        // when the old partition is out and the new ones are not in
        (
            "BEGIN; SELECT FROM dbguard.partition_set FOR UPDATE",
            "BEGIN; LOCK TABLE t_p20261112 IN ACCESS SHARE MODE",
            waits,
        ),
    ] {
        crash(&cluster, held, late, there);
        let mut db = Db::existing_in(&cluster, "postgres");
        assert_eq!(db.value(ROWS), rows);
        assert_eq!(db.value("SELECT state FROM dbguard.partition_progress"), "abandoned");
        assert_eq!(db.value("SELECT dbguard.partition_drain_cancel('t')"), "t");
        assert_eq!(db.lines(CATALOG), before, "{there}");
    }
    // the next call finishes, whatever was noted before the crash
    crash(
        &cluster,
        "BEGIN; SELECT FROM dbguard.partition_set FOR UPDATE",
        "UPDATE t SET v = 'noted' WHERE id = 5",
        PHASE_IS_SWAPPING,
    );
    let mut db = Db::existing_in(&cluster, "postgres");
    let rows = db.value(ROWS);
    db.exec(SETTINGS);
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(db.value(ROWS), rows);
    assert_eq!(
        db.lines("SELECT count(*), (SELECT count(*) FROM dbguard.partition_move) FROM t_rest"),
        ["2 | 0"]
    );
}

const PHASE_IS_SWAPPING: &str = "SELECT count(*) FROM dbguard.partition_progress WHERE phase = 'swapping'";

#[test]
fn a_dump_taken_meanwhile() {
    for call in ["CALL dbguard.partition_drain('t')", "SELECT dbguard.partition_drain_cancel('t')"] {
        let mut db = Db::new();
        full(&mut db, "t", 1000);
        let before = db.lines(CATALOG);
        let rows = db.value(ROWS);
        let mut runner = db.connect();
        runner.exec(SETTINGS);
        let mut holder = db.connect();
        holder.exec("BEGIN; SELECT FROM dbguard.partition_set FOR UPDATE");
        let cluster = Cluster::shared();
        let file = cluster.dir().join(format!("{}.meanwhile", db.name));
        let file = file.to_str().unwrap();
        std::thread::scope(|scope| {
            let run = scope.spawn(|| runner.try_exec("CALL dbguard.partition_drain('t')"));
            wait_for(&mut db, PHASE, "swapping");
            let dump = cluster.run("pg_dump", &["-F", "c", "-f", file, &db.name]);
            assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
            holder.exec("COMMIT");
            run.join().unwrap().unwrap();
        });
        let mut copy = Db::empty_in(cluster);
        let restore = cluster.run("pg_restore", &["--exit-on-error", "-d", &copy.name.clone(), file]);
        assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
        assert_eq!(copy.value(ROWS), rows);
        assert_eq!(copy.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'dbguard_capture'"), "1");
        copy.exec("UPDATE t SET v = 'there' WHERE id = 5; CREATE TABLE t_dbguard_mine (id int); CREATE TABLE u_dbguard_noted (id int)");
        copy.exec(SETTINGS);
        assert_eq!(copy.value("SELECT dbguard.partition_drain_cancel('u_dbguard_noted')"), "f");
        copy.lines(call);
        let rows = copy.value(ROWS);
        copy.exec("DROP TABLE t_dbguard_mine, u_dbguard_noted");
        if call.starts_with("SELECT") {
            assert_eq!(copy.lines(CATALOG), before);
            assert_eq!(copy.value(call), "f");
            copy.exec("CALL dbguard.partition_drain('t')");
        }
        assert_eq!(copy.value(ROWS), rows);
        assert_eq!(copy.value("SELECT count(*) FROM t_rest"), "2");
        assert_eq!(copy.lines("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname ~ 'dbguard' AND relnamespace = 'public'::regnamespace"), Vec::<String>::new());
        assert_eq!(
            copy.value("SELECT count(*) FROM t_p20261112"),
            db.value("SELECT count(*) FROM t_p20261112")
        );
    }
}

#[test]
fn on_a_standby() {
    let primary = Cluster::start(&[]);
    let mut db = Db::new_in(&primary);
    full(&mut db, "t", 1000);
    let standby = Cluster::standby_of(&primary);
    let mut there = Db::existing_in(&standby, &db.name);
    there.exec(SETTINGS);
    let plan = "SELECT * FROM dbguard.partition_drain_plan('t')";
    db.exec(SETTINGS);
    assert_eq!(there.lines(plan), db.lines(plan));
    assert_eq!(there.lines(plan).len(), 11);
    let (drain, regrain) =
        ("CALL dbguard.partition_drain('t')", "CALL dbguard.partition_regrain('t', 't_rest')");
    for (call, name) in [(drain, "partition_drain"), (regrain, "partition_regrain")] {
        let refused = there.error(call);
        assert_eq!(
            (&*refused.code, &*refused.message),
            ("25006", &*format!("cannot execute {name} during recovery"))
        );
    }
    assert_eq!(there.error("SELECT dbguard.partition_drain_cancel('t')").code, "25006");
}
