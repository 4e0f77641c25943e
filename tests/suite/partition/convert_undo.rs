//! The way back, and what an ended conversion leaves.

use super::convert_described::{described, everything};
use dbguard_tests::Db;
use std::time::{Duration, Instant};

const CONVERT: &str = "CALL dbguard.partition_convert('app.\"Orders\"', 'at', '1 day')";
const BACK: &str = "CALL dbguard.partition_unconvert('app.\"Orders\"')";

#[test]
fn the_table_comes_back_as_it_was() {
    let mut db = Db::new();
    everything(&mut db, 2000);
    let before = described(&mut db, "app.\"Orders\"", false);
    let file = "SELECT relfilenode FROM pg_class WHERE oid = 'app.\"Orders\"'::regclass";
    let was = db.value(file);
    let next =
        "INSERT INTO app.\"Orders\" (at, customer, amount, note) VALUES (now(), 1, 7, 'new') RETURNING id";
    let first: i64 = db.rows(next)[0][0].parse().unwrap();
    db.exec(CONVERT);
    assert_eq!(db.rows(next)[0][0], (first + 3).to_string());
    db.exec(BACK);
    assert_eq!(described(&mut db, "app.\"Orders\"", false), before);
    assert_eq!(db.value(file), was);
    assert_eq!(db.rows(next)[0][0], (first + 6).to_string());
    assert_eq!(db.value("SELECT count(*) FROM app.\"Orders\""), "2003");
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits"), "0");
    for table in ["partition_set", "partition_conversion", "partition_job"] {
        assert_eq!(db.value(&format!("SELECT count(*) FROM dbguard.{table}")), "0", "{table}");
    }
    assert_eq!(db.error(BACK).code, "55000");
    // and there again
    db.exec(CONVERT);
    db.exec(BACK);
    assert_eq!(described(&mut db, "app.\"Orders\"", false), before);
}

#[test]
fn what_was_granted_and_refused_since_counts() {
    let mut db = Db::new();
    everything(&mut db, 100);
    db.exec(CONVERT);
    db.exec(
        "REVOKE ALL ON app.\"Orders\" FROM conv_reader; GRANT DELETE ON app.\"Orders\" TO conv_viewer;
         DROP POLICY mine ON app.\"Orders\"; ALTER TABLE app.\"Orders\" FORCE ROW LEVEL SECURITY;
         DROP TRIGGER quiet ON app.\"Orders\"; CREATE INDEX since ON app.\"Orders\" (amount)",
    );
    let since = described(&mut db, "app.\"Orders\"", true);
    db.exec(BACK);
    assert_eq!(described(&mut db, "app.\"Orders\"", true), since);
}

#[test]
fn rows_beyond_are_not_dropped() {
    let mut db = Db::new();
    everything(&mut db, 100);
    db.exec(CONVERT);
    db.exec("INSERT INTO app.\"Orders\" (at, customer) VALUES (now() + interval '3 days', 1), (now() + interval '4 days', 1)");
    let there = described(&mut db, "app.\"Orders\"", false);
    let e = db.error(BACK);
    assert_eq!((e.code.as_str(), e.message.as_str()), ("55000", "cannot convert \"Orders\" back"));
    assert!(e.detail.starts_with("Rows at or beyond ") && e.detail.ends_with(": 2."), "{e:?}");
    assert_eq!(described(&mut db, "app.\"Orders\"", false), there);
}

const KEYS: &str = "
    CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, at timestamptz, code text,
      CONSTRAINT t_key PRIMARY KEY (id) INCLUDE (code) WITH (fillfactor = 77), CONSTRAINT code UNIQUE NULLS NOT DISTINCT (code) DEFERRABLE);
    COMMENT ON CONSTRAINT t_key ON t IS 'the key';
    CREATE UNIQUE INDEX local ON t (code, id);
    INSERT INTO t (at, code) SELECT now() - g * interval '1 minute', 'c' || g FROM generate_series(1, 500) g";
const EXTEND: &str =
    "CALL dbguard.partition_convert('t', 'at', '1 day', extend_keys => true, unique_on => '{\"code,id\"}')";

#[test]
fn keys_are_extended_and_shortened_again() {
    let mut db = Db::new();
    db.exec(KEYS);
    db.exec("CLUSTER t USING t_key");
    let before = described(&mut db, "t", false);
    const CLUSTERED: &str = "SELECT indrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index
        WHERE indisclustered AND indrelid IN (SELECT relid FROM pg_partition_tree('t') UNION SELECT 't'::regclass)";
    let by = db.lines(CLUSTERED);
    assert_eq!(
        db.lines("SELECT count(*) FILTER (WHERE kind = 'blocked') FROM dbguard.partition_convert_plan('t', 'at', '1 day')
                  UNION ALL SELECT count(*) FROM dbguard.partition_convert_plan('t', 'at', '1 day', extend_keys => true, unique_on => '{\"code,id\"}') WHERE kind = 'index'"),
        ["3", "2"]
    );
    assert_eq!(db.error("DO $$ BEGIN CALL dbguard.partition_convert('t', 'at', '1 day', extend_keys => true, unique_on => '{\"code,id\"}'); END $$").code, "25001");
    db.exec(EXTEND);
    assert_eq!(
        db.lines("SELECT conname, pg_get_constraintdef(oid), obj_description(oid) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype <> 'n' ORDER BY 1"),
        ["code | UNIQUE NULLS NOT DISTINCT (code, at) DEFERRABLE | <null>", "t_key | PRIMARY KEY (id, at) INCLUDE (code) | the key"]
    );
    // each partition has its own
    assert_eq!(db.value("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE 'CREATE UNIQUE INDEX % USING btree (code, id)'"), "4");
    let then = db.lines(CLUSTERED);
    assert!(then.len() == 1 && then[0].contains("(id, at) INCLUDE (code)"), "{then:?}");
    db.exec("INSERT INTO t (at, code) VALUES (now(), 'new')");
    db.exec("CALL dbguard.partition_unconvert('t')");
    assert_eq!(described(&mut db, "t", false), before);
    assert_eq!(db.lines(CLUSTERED), by);
}

/// A key is known whatever it is called since; one that was made anew is the user's.
#[test]
fn keys_that_were_changed_since() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, at timestamptz, a int, b int, CONSTRAINT t_key PRIMARY KEY (id) INCLUDE (at, a),
           CONSTRAINT a_key UNIQUE (a), CONSTRAINT b_key UNIQUE (b));
         INSERT INTO t SELECT g, now(), g, g FROM generate_series(1, 10) g",
    );
    db.exec("CALL dbguard.partition_convert('t', 'at', '1 day', extend_keys => true)");
    db.exec(
        "ALTER TABLE t RENAME CONSTRAINT t_key TO renamed; ALTER TABLE t DROP CONSTRAINT a_key;
         ALTER TABLE t DROP CONSTRAINT b_key, ADD CONSTRAINT b_key UNIQUE (at, b)",
    );
    db.exec("CALL dbguard.partition_unconvert('t')");
    assert_eq!(
        db.lines("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype <> 'n' ORDER BY 1"),
        ["b_key | UNIQUE (at, b)", "renamed | PRIMARY KEY (id) INCLUDE (at, a)"]
    );
}

/// The old key does not hold any more: what was begun on the way back is taken back.
#[test]
fn a_key_that_cannot_be_shortened() {
    let mut db = Db::new();
    db.exec(KEYS);
    db.exec(EXTEND);
    db.exec(
        "INSERT INTO t (id, at, code) OVERRIDING SYSTEM VALUE VALUES (1, now() - interval '3 days', 'twice')",
    );
    let there = described(&mut db, "t", false);
    assert_eq!(db.error("CALL dbguard.partition_unconvert('t')").code, "23505");
    assert_eq!(described(&mut db, "t", false), there);
    assert_eq!(db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
    db.exec("DELETE FROM t WHERE code = 'twice'");
    db.exec("CALL dbguard.partition_unconvert('t')");
}

/// Somebody reads or writes and does not end his transaction: it waits, in short steps, and then takes all back.
#[test]
fn somebody_holds_the_table() {
    let mut db = Db::new();
    everything(&mut db, 200);
    let before = described(&mut db, "app.\"Orders\"", false);
    db.exec("SET dbguard.partition_lock_budget = 300");
    for (held, of) in [
        ("SELECT 1 FROM app.\"Orders\"", "the table"),
        ("SELECT 1 FROM app.customer", "what it refers to"),
        ("SELECT 1 FROM app.line", "what refers to it"),
        ("SELECT 1 FROM app.\"Big\"", "a view"),
    ] {
        let mut holder = db.connect();
        holder.exec(&format!("BEGIN; {held}"));
        let e = db.error(CONVERT);
        assert_eq!(e.code, "55P03", "{of} {e:?}");
        holder.exec("COMMIT");
        // the check may be left while somebody reads the table
        db.try_exec("SELECT dbguard.partition_convert_cancel('app.\"Orders\"')").unwrap();
        assert_eq!(described(&mut db, "app.\"Orders\"", false), before, "{of}");
        assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
    }
    db.exec("RESET dbguard.partition_lock_budget");
    db.exec(CONVERT);
}

/// Ended while it waits for the check or for the cut-over, and while it builds a key.
#[test]
fn ended_in_each_phase() {
    let mut db = Db::new();
    everything(&mut db, 200);
    db.exec(
        "ALTER TABLE app.line DROP CONSTRAINT of_order; DROP VIEW app.grouped; DROP INDEX app.alike CASCADE;
         ALTER TABLE app.\"Orders\" DROP CONSTRAINT \"Orders key\", ADD CONSTRAINT \"Orders key\" PRIMARY KEY (id)",
    );
    let before = described(&mut db, "app.\"Orders\"", false);
    let convert = "CALL dbguard.partition_convert('app.\"Orders\"', 'at', '1 day', extend_keys => true)";
    for end in ["pg_cancel_backend", "pg_terminate_backend"] {
        for phase in ["check", "index", "cut over"] {
            let mut session = db.connect();
            let pid = session.value("SELECT pg_backend_pid()");
            // a writer keeps the check out, an old snapshot keeps the index from becoming valid, and who reads
            // what the table refers to keeps the cut-over out
            let mut holder = db.connect();
            holder.exec(match phase {
                "check" => "BEGIN; INSERT INTO app.\"Orders\" (at, customer) VALUES (now(), 1)",
                "index" => "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1",
                _ => "BEGIN; SELECT 1 FROM app.customer",
            });
            let run = std::thread::spawn(move || session.error(convert));
            let waits = format!(
                "SELECT count(*) FROM dbguard.partition_progress p JOIN pg_stat_activity a USING (pid)
                 WHERE p.pid = {pid} AND p.phase = '{phase}' AND p.state = 'running'
                   AND (p.phase <> 'index' OR a.wait_event = 'virtualxid')"
            );
            while db.value(&waits) == "0" {
                assert!(!run.is_finished(), "{phase}: {:?}", run.join());
            }
            // a lock timeout at the same moment swallows it, as it does everywhere
            while !run.is_finished() {
                db.exec(&format!("SELECT {end}({pid})"));
                let asked = Instant::now();
                while !run.is_finished() && asked.elapsed() < Duration::from_secs(5) {
                    std::thread::yield_now();
                }
            }
            let error = run.join().unwrap();
            holder.exec("ROLLBACK");
            if end == "pg_cancel_backend" {
                assert_eq!(error.code, "57014", "{phase} {error:?}");
            } else {
                let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
                while db.value(&gone) != "0" {}
                assert_eq!(
                    db.lines("SELECT kind, state FROM dbguard.partition_progress"),
                    ["convert | abandoned"]
                );
                db.exec("SELECT dbguard.partition_convert_cancel('app.\"Orders\"')");
            }
            assert_eq!(described(&mut db, "app.\"Orders\"", false), before, "{end} {phase}");
            assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0", "{end} {phase}");
        }
    }
    db.exec(convert);
    db.exec(BACK);
    assert_eq!(described(&mut db, "app.\"Orders\"", false), before);
}

/// Killed after the cut-over: the next call does the rest.
#[test]
fn ended_after_the_cut_over() {
    let mut db = Db::new();
    everything(&mut db, 200);
    let before = described(&mut db, "app.\"Orders\"", true);
    db.exec("CREATE FUNCTION app.slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
               IF pg_catalog.current_query() LIKE 'CALL%' AND EXISTS (SELECT FROM pg_catalog.pg_event_trigger_ddl_commands() c WHERE c.object_identity LIKE 'app.line%')
                  AND EXISTS (SELECT FROM dbguard.partition_conversion) THEN RAISE EXCEPTION 'ended here'; END IF; END $$;
             CREATE EVENT TRIGGER slow ON ddl_command_end EXECUTE FUNCTION app.slow()");
    assert_eq!(db.error(CONVERT).message, "ended here");
    db.exec("DROP EVENT TRIGGER slow");
    assert_eq!(
        db.lines("SELECT finished, cardinality(to_validate) FROM dbguard.partition_conversion"),
        ["f | 1"]
    );
    assert_eq!(db.error(BACK).code, "55000");
    db.exec(CONVERT);
    assert_eq!(described(&mut db, "app.\"Orders\"", true), before);
    assert_eq!(db.lines("SELECT state, missing FROM dbguard.partition_status()"), ["ok | 0"]);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
}

/// Rows without a key are in no range, and are not dropped with their partition.
#[test]
fn rows_in_any_other_partition_keep_it() {
    let mut db = Db::new();
    db.exec("CREATE TABLE b (id int, at timestamptz); INSERT INTO b SELECT n, now() FROM generate_series(1, 10) n");
    db.exec("CALL dbguard.partition_convert('b', 'at', '1 day')");
    db.exec("CREATE TABLE b_rest PARTITION OF b DEFAULT; INSERT INTO b VALUES (11, NULL), (12, NULL)");
    let e = db.error("CALL dbguard.partition_unconvert('b')");
    assert_eq!((e.code.as_str(), e.detail.ends_with(": 2.")), ("55000", true), "{e:?}");
    assert_eq!(db.value("SELECT count(*) FROM b"), "12");
    // one that is half detached is no other
    db.exec("DELETE FROM b WHERE at IS NULL; DROP TABLE b_rest");
    let half = db.value("SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'b'::regclass AND inhrelid::regclass::text <> 'b_p_old' LIMIT 1");
    let mut reader = db.connect();
    reader.exec("BEGIN; SELECT count(*) FROM b");
    let mut detacher = db.connect();
    detacher.exec("SET statement_timeout = '300ms'");
    assert_eq!(detacher.error(&format!("ALTER TABLE b DETACH PARTITION {half} CONCURRENTLY")).code, "57014");
    reader.exec("COMMIT");
    let e = db.error("CALL dbguard.partition_unconvert('b')");
    assert_eq!((e.code.as_str(), e.hint.contains("FINALIZE")), ("55000", true), "{e:?}");
    db.exec(&format!("ALTER TABLE b DETACH PARTITION {half} FINALIZE"));
    db.exec("CALL dbguard.partition_unconvert('b')");
    assert_eq!(db.value("SELECT count(*) FROM b"), "10");
}
