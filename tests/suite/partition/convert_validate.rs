//! Foreign keys of others after the cut-over, and ends in the phases that read tables.

use dbguard_tests::{Db, SqlError};
use std::thread::JoinHandle;

/// What a call ended with, and the session it was of, which is still there.
type Ended = (SqlError, Db<'static>);

const CONVERT: &str = "CALL dbguard.partition_convert('t', 'at', '1 day')";
const BACK: &str = "CALL dbguard.partition_unconvert('t')";
const CANCEL: &str = "SELECT dbguard.partition_convert_cancel('t')";
const TABLES: &str = "
    CREATE TABLE t (id int, at timestamptz, PRIMARY KEY (id, at)); INSERT INTO t VALUES (1, '2026-01-01');
    CREATE TABLE r (id int, at timestamptz, CONSTRAINT good FOREIGN KEY (id, at) REFERENCES t,
                    CONSTRAINT bad FOREIGN KEY (id, at) REFERENCES t)";
/// A row that no foreign key would have let in.
const WRONG: &str = "SET session_replication_role = replica; INSERT INTO r VALUES (2, '2026-01-01'); RESET session_replication_role";
const KEYS: &str = "SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'r'::regclass AND contype = 'f' AND conparentid = 0 ORDER BY 1";
const LEFT: &str = "SELECT (SELECT count(*) FROM dbguard.partition_job), (SELECT count(*) FROM dbguard.partition_conversion WHERE NOT finished)";

/// Each VALIDATE of phase `phase`, of constraints like `which`, waits at its end for an advisory lock that the session returned has.
fn held_in<'a>(db: &mut Db<'a>, phase: &str, which: &str) -> Db<'a> {
    db.exec(&format!(
        "CREATE FUNCTION held() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
           IF EXISTS (SELECT FROM dbguard.partition_job WHERE phase = '{phase}' AND pid = pg_catalog.pg_backend_pid())
              AND EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE convalidated AND {which}) THEN
             PERFORM pg_catalog.pg_advisory_xact_lock(1); END IF; END $$;
         CREATE EVENT TRIGGER held ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION held()"
    ));
    let mut holder = db.connect();
    holder.exec("SELECT pg_advisory_lock(1)");
    holder
}

/// Cancels or terminates `run` while it waits for the advisory lock, and not what it does about that.
fn end(db: &mut Db, how: &str, pid: &str, run: JoinHandle<Ended>) -> Ended {
    let waits =
        format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted AND locktype = 'advisory'");
    while !run.is_finished() {
        if db.value(&waits) == "1" {
            // a lock timeout at the same moment swallows it
            db.exec(&format!("SELECT {how}({pid})"));
            while !run.is_finished() && db.value(&waits) == "1" {}
        }
    }
    run.join().unwrap()
}

#[test]
fn a_foreign_key_that_does_not_hold_is_left_not_valid() {
    let mut db = Db::new();
    db.exec(TABLES);
    db.exec("ALTER TABLE r DROP CONSTRAINT good");
    db.exec(WRONG);
    db.exec("ALTER TABLE r ADD CONSTRAINT unchecked FOREIGN KEY (id, at) REFERENCES t NOT VALID");
    let (mut user, heard) = db.connect_listening();
    for call in [CONVERT, BACK] {
        user.exec(call);
        let warnings: Vec<String> =
            heard.lines().into_iter().filter(|line| line.starts_with("WARNING")).collect();
        assert_eq!(warnings.len(), 1, "{call} {warnings:?}");
        let warning = &warnings[0];
        for part in [
            "foreign key \"bad\" of table \"r\" does not hold, and is left NOT VALID",
            "is not present in table \"t\"",
            "ALTER TABLE public.r VALIDATE CONSTRAINT bad",
        ] {
            assert!(warning.contains(part), "{part} in {warning}");
        }
        assert_eq!(db.lines(KEYS), ["bad | f", "unchecked | f"], "{call}");
        assert_eq!(db.lines(LEFT), ["0 | 0"], "{call}");
        // what is wrong goes on being refused
        assert_eq!(db.error("INSERT INTO r VALUES (3, '2026-01-01')").code, "23503");
        // made good, as it was told
        db.exec("ALTER TABLE r DISABLE TRIGGER ALL; UPDATE r SET id = 1; ALTER TABLE r ENABLE TRIGGER ALL");
        db.exec("ALTER TABLE public.r VALIDATE CONSTRAINT bad");
        db.exec("ALTER TABLE r DISABLE TRIGGER ALL; UPDATE r SET id = 2; ALTER TABLE r ENABLE TRIGGER ALL");
    }
}

/// Before the cut-over: the table is as it was.
#[test]
fn ended_while_the_check_is_validated() {
    let mut db = Db::new();
    db.exec(TABLES);
    let mut holder = held_in(&mut db, "validate", "conname = 'dbguard_convert'");
    for how in ["pg_cancel_backend", "pg_terminate_backend"] {
        let mut run = db.connect();
        let pid = run.value("SELECT pg_backend_pid()");
        let run = std::thread::spawn(move || (run.error(CONVERT), run));
        while db.value("SELECT count(*) FROM dbguard.partition_job WHERE phase = 'validate'") == "0" {
            assert!(!run.is_finished(), "{:?}", run.join().unwrap().0);
        }
        // while it runs, it is its session's
        let e = db.error(CANCEL);
        assert_eq!(
            (e.code.as_str(), e.message.as_str()),
            ("55000", "dbguard.partition_convert of \"t\" is under way")
        );
        assert!(e.hint.contains(&format!("SELECT pg_cancel_backend({pid})")), "{e:?}");
        let _ended = end(&mut db, how, &pid, run);
        while db
            .value(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'"))
            != "0"
        {}
        if how == "pg_terminate_backend" {
            while db.value(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) != "0" {}
            // the check is still there until that is told to go
            assert_eq!(
                db.value(
                    "SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'"
                ),
                "1"
            );
            holder.exec("SELECT pg_advisory_unlock(1)");
            assert_eq!(db.value(CANCEL), "t");
        }
        assert_eq!(
            db.value("SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'"),
            "0"
        );
        assert_eq!(db.lines(LEFT), ["0 | 0"]);
    }
    holder.exec("SELECT pg_advisory_unlock(1)");
    db.exec(CONVERT);
}

/// After it: the next call goes on, or partition_convert_cancel leaves it at that.
#[test]
fn ended_while_foreign_keys_are_validated() {
    for next in [CONVERT, CANCEL] {
        let mut db = Db::new();
        db.exec(TABLES);
        let mut holder = held_in(&mut db, "finish", "conname IN ('good', 'bad')");
        let mut run = db.connect();
        let pid = run.value("SELECT pg_backend_pid()");
        let run = std::thread::spawn(move || (run.error(CONVERT), run));
        let (e, _session) = end(&mut db, "pg_cancel_backend", &pid, run);
        assert_eq!(e.code, "57014");
        assert_eq!(db.value("SELECT relkind FROM pg_class WHERE relname = 't'"), "p");
        assert_eq!(db.lines(KEYS), ["bad | f", "good | f"]);
        let e = db.error(BACK);
        assert_eq!((e.code.as_str(), e.hint.contains("partition_convert_cancel")), ("55000", true), "{e:?}");
        holder.exec("SELECT pg_advisory_unlock(1)");
        let (mut user, heard) = db.connect_listening();
        user.rows(next);
        let heard = heard.lines();
        assert_eq!(db.lines(LEFT), ["0 | 0"], "{next}");
        if next == CONVERT {
            assert_eq!(db.lines(KEYS), ["bad | t", "good | t"]);
        } else {
            assert_eq!(db.lines(KEYS), ["bad | f", "good | f"]);
            for key in ["good", "bad"] {
                let told = format!("ALTER TABLE public.r VALIDATE CONSTRAINT {key}");
                assert!(
                    heard.iter().any(|line| line.starts_with("WARNING") && line.contains(&told)),
                    "{heard:?}"
                );
            }
            assert_eq!(db.error(CONVERT).code, "42809");
            assert_eq!(db.value(CANCEL), "f");
        }
        db.exec("CALL dbguard.partition_maintain()");
        assert_eq!(db.lines("SELECT state, missing FROM dbguard.partition_status()"), ["ok | 0"]);
        db.exec(BACK);
        assert_eq!(db.value("SELECT relkind FROM pg_class WHERE relname = 't'"), "r");
    }
}

/// The same on the way back.
#[test]
fn ended_while_foreign_keys_are_validated_on_the_way_back() {
    for next in [BACK, CANCEL] {
        let mut db = Db::new();
        db.exec(TABLES);
        db.exec(CONVERT);
        let mut holder = held_in(&mut db, "finish", "conname IN ('good', 'bad')");
        let mut run = db.connect();
        let pid = run.value("SELECT pg_backend_pid()");
        let run = std::thread::spawn(move || (run.error(BACK), run));
        let (e, _session) = end(&mut db, "pg_cancel_backend", &pid, run);
        assert_eq!(e.code, "57014");
        let e = db.error(CONVERT);
        assert_eq!((e.code.as_str(), e.hint.contains("partition_convert_cancel")), ("55000", true), "{e:?}");
        holder.exec("SELECT pg_advisory_unlock(1)");
        db.rows(next);
        let valid = if next == BACK { "t" } else { "f" };
        assert_eq!(db.lines(KEYS), [format!("bad | {valid}"), format!("good | {valid}")]);
        assert_eq!(db.lines(LEFT), ["0 | 0"], "{next}");
        db.exec(CONVERT);
    }
}

/// On the way back, while a key is built anew: partition_convert_cancel takes that back as well.
#[test]
fn killed_while_a_key_is_built_on_the_way_back() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, at timestamptz); INSERT INTO t SELECT g, now() FROM generate_series(1, 10) g");
    db.exec("CALL dbguard.partition_convert('t', 'at', '1 day', extend_keys => true)");
    let mut holder = db.connect();
    holder.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    let mut run = db.connect();
    let pid = run.value("SELECT pg_backend_pid()");
    let run = std::thread::spawn(move || run.error(BACK));
    let waits =
        format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'virtualxid'");
    while db.value(&waits) == "0" {
        assert!(!run.is_finished(), "{:?}", run.join());
    }
    db.exec(&format!("SELECT pg_terminate_backend({pid})"));
    run.join().unwrap();
    holder.exec("ROLLBACK");
    while db.value(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) != "0" {}
    let built = "SELECT count(*) FROM pg_class WHERE relname = 't_pkey_dbguard_convert'";
    assert_eq!(db.value(built), "1");
    assert_eq!(db.value(CANCEL), "t");
    assert_eq!(db.value(built), "0");
    assert_eq!(db.lines(LEFT), ["0 | 0"]);
    db.exec(BACK);
    assert_eq!(db.value("SELECT relkind FROM pg_class WHERE relname = 't'"), "r");
}
