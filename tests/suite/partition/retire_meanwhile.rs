//! Retiring while others are at work, and runs that are killed, cancelled or called from elsewhere.

use super::retire::{days, left, log, RUN};
use dbguard_tests::Db;

/// Waits until a run rests between two tries.
pub fn until_patient(db: &mut Db) {
    const RESTS: &str = "
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND query ~ '^(CALL|dbguard )' AND wait_event = 'PgSleep'";
    for _ in 0..6000 {
        if db.value(RESTS) != "0" {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("no run waits for others");
}

/// Waits until the server itself waits for others in a run, and gives its pid. For whoever is there when it begins a
/// run waits before it detaches, so `reader` is let go and another takes its place.
fn waiting<'a>(db: &mut Db<'a>, reader: &mut Db<'a>, table: &str) -> String {
    until_patient(db);
    let mut next = db.connect();
    next.exec(&format!("BEGIN; SELECT count(*) FROM {table}"));
    reader.exec("COMMIT");
    std::mem::swap(reader, &mut next);
    for _ in 0..200 {
        let pid = db.value(
            "SELECT min(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query ~ '^CALL' AND wait_event_type = 'Lock' AND wait_event = 'virtualxid'",
        );
        if pid != "<null>" {
            return pid;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no session waits");
}

/// F47: retention while a long query runs on the set.
#[test]
fn a_long_query_is_waited_for_and_nobody_else_waits() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    let mut reader = db.connect();
    reader.exec("BEGIN; SELECT count(*) FROM t");
    let mut runner = db.connect();
    runner.exec("SET lock_timeout = '100ms'");
    let run = std::thread::spawn(move || {
        runner.exec(RUN);
        runner.value("SHOW lock_timeout")
    });
    waiting(&mut db, &mut reader, "t");
    // others read, write and are not kept waiting
    let mut other = db.connect();
    other.exec("SET lock_timeout = '50ms'; INSERT INTO t VALUES (100, now())");
    assert_eq!(other.value("SELECT count(*) FROM t WHERE ts > now() - interval '1 minute'"), "1");
    // a second run leaves the set alone, and says so
    other.exec("SET lock_timeout = 0");
    other.exec(RUN);
    assert_eq!(
        db.value("SELECT message FROM dbguard.partition_run WHERE action = 'retire' AND state = 'skipped'"),
        "another session is retiring partitions of this set"
    );
    reader.exec("COMMIT");
    assert_eq!(run.join().unwrap(), "100ms");
    assert_eq!(left(&mut db, "t"), "1,2");
    assert_eq!(db.value("SELECT to_regclass('t_3')"), "<null>");
}

/// F47: a run that is killed half-way; the next one ends what it began before anything else.
#[test]
fn what_a_killed_run_began_is_ended_by_the_next() {
    for (retire, gone) in [("drop", true), ("detach", false)] {
        let mut db = Db::new();
        days(&mut db, "t", 4);
        db.exec(&format!("SELECT dbguard.partition_retain('t', '2 days', retire => '{retire}')"));
        let mut reader = db.connect();
        reader.exec("BEGIN; SELECT count(*) FROM t");
        let mut runner = db.connect();
        let run = std::thread::spawn(move || runner.try_exec(RUN).unwrap_err());
        let pid = waiting(&mut db, &mut reader, "t");
        db.exec(&format!("SELECT pg_terminate_backend({pid}, 5000)"));
        run.join().unwrap();
        reader.exec("COMMIT");
        assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhdetachpending"), "1");
        db.exec(RUN);
        assert_eq!(left(&mut db, "t"), "1,2");
        assert_eq!(log(&mut db)[0], "finalize | done | t_4 | <null>");
        assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhdetachpending"), "0");
        assert_eq!(db.value("SELECT to_regclass('t_4') IS NULL"), if gone { "t" } else { "f" });
        assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
    }
}

/// A run that is cancelled half-way leaves its session as it was.
#[test]
fn a_cancelled_session_is_itself_again() {
    let mut db = Db::new();
    let mut owner = db.connect_as("retire_lord");
    let mut runner = db.connect_as("retire_hand");
    db.exec(
        "CREATE SCHEMA app AUTHORIZATION retire_lord;
         GRANT EXECUTE ON PROCEDURE dbguard.partition_maintain() TO retire_hand",
    );
    owner.exec("SET search_path = app");
    days(&mut owner, "t", 3);
    owner.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    let mut reader = db.connect();
    reader.exec("BEGIN; SELECT count(*) FROM app.t");
    runner.exec("SET lock_timeout = '77ms'");
    let run = std::thread::spawn(move || {
        let error = runner.error(RUN);
        (runner, error)
    });
    let pid = waiting(&mut db, &mut reader, "app.t");
    db.exec(&format!("SELECT pg_cancel_backend({pid})"));
    let (mut runner, error) = run.join().unwrap();
    assert_eq!(error.code, "57014");
    assert_eq!(runner.lines("SELECT current_user, session_user"), ["retire_hand | retire_hand"]);
    assert_eq!(runner.value("SHOW lock_timeout"), "77ms");
    assert_eq!(runner.error("SELECT * FROM app.t").code, "42501");
    assert_eq!(db.value("SELECT count(*) FROM pg_locks WHERE relation = 'app.t'::regclass AND pid <> pg_backend_pid() AND mode <> 'AccessShareLock'"), "0");
    reader.exec("COMMIT");
    runner.exec(RUN);
    assert_eq!(left(&mut owner, "t"), "1,2");
    assert_eq!(owner.value("SELECT to_regclass('app.t_3')"), "<null>");
}

/// What the server does while it detaches runs as the table's owner, whoever calls, and the caller is
/// himself again after it, also when it fails.
#[test]
fn a_caller_without_rights_on_the_tables() {
    let mut db = Db::new();
    let mut owner = db.connect_as("retire_boss");
    let mut runner = db.connect_as("retire_runner");
    db.exec(
        "CREATE SCHEMA app AUTHORIZATION retire_boss;
         GRANT EXECUTE ON PROCEDURE dbguard.partition_maintain() TO retire_runner",
    );
    owner.exec("SET search_path = app");
    days(&mut owner, "t", 4);
    owner.exec(
        "CREATE TABLE r (id bigint, ts timestamptz, FOREIGN KEY (id, ts) REFERENCES t); INSERT INTO r SELECT id, ts FROM t WHERE id = 4;
         SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')",
    );
    runner.exec(RUN);
    assert_eq!(owner.value("SELECT string_agg(inhrelid::regclass::text, ',' ORDER BY inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 't'::regclass AND inhrelid::regclass::text !~ 'p'"), "t_1,t_2,t_4");
    assert_eq!(runner.value("SELECT current_user || ' ' || session_user"), "retire_runner retire_runner");
    assert_eq!(runner.error("DROP TABLE app.t").code, "42501");
    assert_eq!(
        db.lines("SELECT action, state, partition_name FROM dbguard.partition_run WHERE action IN ('detach', 'drop') ORDER BY at"),
        ["detach | failed | t_4", "detach | done | t_3", "drop | done | t_3"]
    );
}

/// Called by a DO block it cannot detach as a statement of its own, and does it in short steps.
#[test]
fn called_by_a_block_and_by_a_procedure() {
    let mut db = Db::new();
    days(&mut db, "t", 4);
    db.exec("SELECT dbguard.partition_retain('t', '3 days', retire => 'drop')");
    db.exec("DO $$ BEGIN CALL dbguard.partition_maintain(); END $$");
    assert_eq!(left(&mut db, "t"), "1,2,3");
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop'); CREATE PROCEDURE night() LANGUAGE plpgsql AS $$ BEGIN CALL dbguard.partition_maintain(); COMMIT; END $$");
    db.exec("CALL night()");
    assert_eq!(left(&mut db, "t"), "1,2");
    // by the extended protocol, prepared
    db.exec("SELECT dbguard.partition_retain('t', '1 day', retire => 'drop')");
    let call = db.client().prepare(RUN).unwrap();
    db.client().execute(&call, &[]).unwrap();
    assert_eq!(left(&mut db, "t"), "1");
    db.client().execute(&call, &[]).unwrap();
}

/// A run does not read a set anew for each partition, but does where another session changed it.
#[test]
fn what_another_session_changes_in_the_middle_of_a_run_counts() {
    let mut db = Db::new();
    days(&mut db, "t", 6);
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    let mut reader = db.connect();
    reader.exec("BEGIN; SELECT count(*) FROM t");
    let mut runner = db.connect();
    let run = std::thread::spawn(move || runner.exec(RUN));
    waiting(&mut db, &mut reader, "t");
    // four were to go, the oldest is on its way; by the new number one more goes
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop', at_least => 4)");
    reader.exec("COMMIT");
    run.join().unwrap();
    assert_eq!(left(&mut db, "t"), "1,2,3,4");
    // the first was in use, the other was not
    assert_eq!(
        log(&mut db),
        ["detach | done | t_6 | <null>", "drop | done | t_6 | <null>", "drop | done | t_5 | <null>"]
    );
}

/// What cannot be dropped is told as what it is, stays where it is, and keeps no other.
#[test]
fn a_partition_that_a_view_needs_keeps_no_other() {
    let mut db = Db::new();
    days(&mut db, "t", 5);
    db.exec("CREATE VIEW v AS SELECT * FROM t_5; SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2,5");
    let mut told = log(&mut db);
    told.sort();
    assert_eq!(
        told,
        ["drop | done | t_3 | <null>", "drop | done | t_4 | <null>", "drop | failed | t_5 | 2BP01"]
    );
    assert_eq!(db.value("SELECT count(*) FROM t WHERE id = 5"), "1");
    db.exec("DROP VIEW v");
    db.exec(RUN);
    assert_eq!(db.value("SELECT to_regclass('t_5')"), "<null>");
}

/// Who detaches a partition himself, while a run is about to, wants to keep it.
#[test]
fn what_somebody_else_detaches_is_never_dropped() {
    let mut db = Db::new();
    days(&mut db, "t", 4);
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    let mut other = db.connect();
    other.exec("BEGIN; ALTER TABLE t DETACH PARTITION t_4");
    let mut runner = db.connect();
    let run = std::thread::spawn(move || runner.exec(RUN));
    until_patient(&mut db);
    other.exec("COMMIT");
    run.join().unwrap();
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2");
    assert_eq!(db.value("SELECT count(*) FROM t_4"), "1");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
}

/// Retention that is called off while a partition is on its way: it is detached, and stays.
#[test]
fn called_off_in_the_middle() {
    let mut db = Db::new();
    days(&mut db, "t", 4);
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    let mut reader = db.connect();
    reader.exec("BEGIN; SELECT count(*) FROM t");
    let mut runner = db.connect();
    let run = std::thread::spawn(move || runner.exec(RUN));
    waiting(&mut db, &mut reader, "t");
    db.exec("SELECT dbguard.partition_retain('t')");
    reader.exec("COMMIT");
    run.join().unwrap();
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2,3");
    assert_eq!(db.value("SELECT count(*) FROM t_4"), "1");
}
