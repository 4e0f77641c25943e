//! Rows moved out of a DEFAULT partition: cases 20, 26, 27, 34 and 42, and few rows in one transaction.

use dbguard_tests::Db;
use std::sync::atomic::{AtomicBool, Ordering};

/// A set of days whose clock stands still, with a default partition.
fn set(db: &mut Db, table: &str) {
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(&format!(
        "CREATE TABLE {table} (id bigint, at timestamptz, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT;
         SELECT dbguard.partition_enable('{table}', '1 day', 1)"
    ));
}

const STATUS: &str = "SELECT state, partitions, missing FROM dbguard.partition_status()";

/// Where rows are.
fn places(db: &mut Db, table: &str) -> Vec<String> {
    db.lines(&format!("SELECT tableoid::regclass, count(*) FROM {table} GROUP BY tableoid ORDER BY tableoid::regclass::text"))
}

#[test]
fn case_42_rows_of_a_day_to_come_in_the_default() {
    let mut db = Db::new();
    set(&mut db, "t");
    set(&mut db, "other");
    db.exec("INSERT INTO t VALUES (1, '2026-11-23 06:00+00', 'a'), (2, '2026-11-23 07:00+00', 'b')");
    db.exec("UPDATE dbguard.partition_set SET ahead = 4");
    let done = AtomicBool::new(false);
    let mut reader = db.connect();
    std::thread::scope(|scope| {
        let reads = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) || reads < 2 {
                assert_eq!(
                    reader.lines("SELECT count(*), count(DISTINCT id), (SELECT count(*) FROM t WHERE at >= '2026-11-23' AND at < '2026-11-24') FROM t"),
                    ["2 | 2 | 2"]
                );
                reads += 1;
            }
        });
        db.exec("CALL dbguard.partition_maintain()");
        done.store(true, Ordering::Relaxed);
        reads.join().unwrap();
    });
    assert_eq!(
        db.lines("SELECT table_name, state, missing FROM dbguard.partition_status() ORDER BY 1"),
        ["other | ok | 0", "t | ok | 0"]
    );
    assert_eq!(places(&mut db, "t"), ["t_p20261123 | 2"]);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_run WHERE state = 'failed'"), "0");
}

#[test]
fn too_many_rows_are_left_to_the_procedure_and_told() {
    let mut db = Db::new();
    set(&mut db, "t");
    db.exec("INSERT INTO t SELECT n, '2026-11-23', 'x' FROM generate_series(1, 11) n");
    db.exec("UPDATE dbguard.partition_set SET ahead = 4");
    db.exec("SET dbguard.partition_drain_rows = 10");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT partition_name, sqlstate, hint FROM dbguard.partition_run WHERE state = 'failed' AND action = 'make'"),
        ["t_p20261123 | 23514 | Move the rows of this range out of the default partition: CALL dbguard.partition_drain('public.t');"]
    );
    assert_eq!(db.lines(STATUS), ["due | 4 | 1"]);
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(db.lines(STATUS), ["ok | 5 | 0"]);
    assert_eq!(places(&mut db, "t"), ["t_p20261123 | 11"]);
    // never is never
    db.exec("INSERT INTO t VALUES (1, '2026-11-25', 'x'); UPDATE dbguard.partition_set SET ahead = 5");
    db.exec("SET dbguard.partition_drain_rows = 0");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines(STATUS), ["due | 5 | 1"]);
}

#[test]
fn cases_20_26_27_rows_that_belong_nowhere_stay_and_stop_nothing() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(
        "CREATE TABLE t (id int, at timestamp) PARTITION BY RANGE (at);
         CREATE TABLE t_rest PARTITION OF t DEFAULT;
         INSERT INTO t VALUES (1, 'infinity'), (2, '-infinity'), (3, '0044-03-15 BC'), (4, NULL), (5, '2097-01-01'),
           (6, '1999-01-01'), (7, '2026-11-15 01:00'), (8, '2026-11-20 02:00');
         SELECT dbguard.partition_enable('t', '1 day', 4)",
    );
    // the row of today was in the way and has been moved
    assert_eq!(places(&mut db, "t"), ["t_p20261120 | 1", "t_rest | 7"]);
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT partition, lower, upper, rows FROM dbguard.partition_drain_plan('t')"),
        ["t_p20261115 | 2026-11-15 00:00:00 | 2026-11-16 00:00:00 | 1", "t_rest | <null> | <null> | 6"]
    );
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(places(&mut db, "t"), ["t_p20261115 | 1", "t_p20261120 | 1", "t_rest | 6"]);
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines(STATUS), ["ok | 10 | 0"]);
    assert_eq!(
        db.lines("SELECT problem FROM dbguard.partition_health() WHERE problem LIKE '%rows' ORDER BY 1"),
        ["default_rows", "stray_rows"]
    );
    // and again, with nothing to do
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(places(&mut db, "t"), ["t_p20261115 | 1", "t_p20261120 | 1", "t_rest | 6"]);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
}

/// What the owner wrote into a table: a trigger, a default, a generated column, a check and a domain.
const APP: &str = "
    CREATE TABLE app.seen (what text, who text, really text);
    CREATE FUNCTION app.note(what text) RETURNS boolean LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO app.seen VALUES (what, current_user, session_user); RETURN true; END $$;
    CREATE FUNCTION app.pure(n bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$
      BEGIN PERFORM app.note('generated'); RETURN n * 2; END $$;
    CREATE DOMAIN app.word AS text CHECK (app.note('domain'));
    CREATE FUNCTION app.on_insert() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM app.note(TG_OP); RETURN coalesce(NEW, OLD); END $$;
    CREATE TABLE app.t (id bigint GENERATED ALWAYS AS IDENTITY, gone int, at timestamptz NOT NULL, \"the Word\" app.word,
      twice bigint GENERATED ALWAYS AS (app.pure(length(\"the Word\"))) STORED, late boolean DEFAULT app.note('default'),
      CHECK (app.note('check')), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    ALTER TABLE app.t DROP gone;
    CREATE TABLE app.t_rest PARTITION OF app.t DEFAULT;
    CREATE TRIGGER seen BEFORE INSERT OR UPDATE OR DELETE ON app.t FOR EACH ROW EXECUTE FUNCTION app.on_insert();
    CREATE TRIGGER seen_always AFTER INSERT OR UPDATE OR DELETE ON app.t FOR EACH ROW EXECUTE FUNCTION app.on_insert();
    ALTER TABLE app.t ENABLE ALWAYS TRIGGER seen_always;
    ALTER TABLE app.t_rest ENABLE ALWAYS TRIGGER seen_always;
    INSERT INTO app.t (at, \"the Word\") SELECT '2026-11-18 01:00+00'::timestamptz + n * interval '1 hour', 'w' || n FROM generate_series(1, 60) n;
    SELECT dbguard.partition_enable('app.t', '1 day', 1)";

fn app(rows: u32) {
    let mut db = Db::new();
    db.connect_as("drain_app");
    db.exec("CREATE SCHEMA app AUTHORIZATION drain_app");
    db.exec("SET dbguard.partition_clock = '2026-11-10 12:00:00+00'");
    db.exec(&format!("SET ROLE drain_app; {APP}; RESET ROLE"));
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    let before = db.lines("SELECT id, at, \"the Word\", twice, late FROM app.t ORDER BY id");
    db.exec(&format!("DELETE FROM app.seen; SET dbguard.partition_drain_rows = {rows}"));
    db.exec("CALL dbguard.partition_drain('app.t')");
    assert_eq!(db.lines("SELECT id, at, \"the Word\", twice, late FROM app.t ORDER BY id"), before);
    assert_eq!(db.value("SELECT count(*) FROM ONLY app.t_rest"), "0");
    // no trigger saw anything, and nothing ran as anybody but the owner
    let seen = db.lines("SELECT DISTINCT what, who FROM app.seen ORDER BY 1");
    assert_eq!(seen, ["check | drain_app", "generated | drain_app"]);
    assert_eq!(
        db.lines("SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'app'::regnamespace"),
        ["drain_app"]
    );
    let triggers = "SELECT count(*), count(*) FILTER (WHERE tgenabled = 'A') FROM pg_trigger t JOIN pg_inherits ON inhrelid = tgrelid
                    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.oid = tgconstraint)";
    let partitions: u32 =
        db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'app.t'::regclass").parse().unwrap();
    assert_eq!(db.lines(triggers), [format!("{} | {partitions}", partitions * 2)]);
    db.exec("INSERT INTO app.t (at, \"the Word\") VALUES ('2026-11-18 05:30+00', 'new')");
    assert_eq!(db.value("SELECT max(id) FROM app.t"), "61");
}

#[test]
fn case_34_a_superusers_run_fires_no_trigger_and_runs_nothing_as_itself_few_rows() {
    app(10_000);
}

#[test]
fn case_34_a_superusers_run_fires_no_trigger_and_runs_nothing_as_itself_copied() {
    app(0);
}

#[test]
fn foreign_keys_to_and_from_the_rows() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(
        "CREATE TABLE kind (kind int PRIMARY KEY);
         INSERT INTO kind VALUES (1), (2);
         CREATE TABLE t (id int, at date, kind int REFERENCES kind ON DELETE CASCADE, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE t_rest PARTITION OF t DEFAULT;
         CREATE TABLE note (id int, at date, FOREIGN KEY (id, at) REFERENCES t ON DELETE CASCADE);
         INSERT INTO t SELECT n, '2026-11-15'::date + n % 3, 1 + n % 2 FROM generate_series(1, 30) n;
         INSERT INTO note SELECT id, at FROM t;
         SELECT dbguard.partition_enable('t', '1 day', 1);
         SET dbguard.partition_drain_rows = 5",
    );
    // too many at once, and a copy cannot be put in place
    let refused = db.error("CALL dbguard.partition_drain('t')");
    assert_eq!(refused.code, "0A000");
    assert_eq!(
        refused.message,
        "rows of \"t_rest\" are referred to by foreign key \"note_id_at_fkey\" of table \"note\""
    );
    assert_eq!(
        refused.hint,
        "SET dbguard.partition_drain_rows = 10; then each range is moved in one transaction."
    );
    assert_eq!(places(&mut db, "t"), ["t_rest | 30"]);
    db.exec("SET dbguard.partition_drain_rows = 10");
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(places(&mut db, "t"), ["t_p20261115 | 10", "t_p20261116 | 10", "t_p20261117 | 10"]);
    assert_eq!(db.value("SELECT count(*) FROM note"), "30");
    assert_eq!(db.error("INSERT INTO t VALUES (99, '2026-11-15', 3)").code, "23503");
    db.exec("DELETE FROM kind WHERE kind = 1");
    assert_eq!(db.lines("SELECT count(*) FROM t UNION ALL SELECT count(*) FROM note"), ["15", "15"]);
    // without the one that refers to it the rows are copied
    db.exec("DROP TABLE note; INSERT INTO t SELECT n, '2026-11-12', 2 FROM generate_series(1, 30) n; SET dbguard.partition_drain_rows = 1");
    db.exec("CALL dbguard.partition_drain('t', drop_old => true)");
    assert_eq!(db.value("SELECT count(*) FROM t_p20261112"), "30");
    db.exec("DELETE FROM kind");
    assert_eq!(db.value("SELECT count(*) FROM t"), "0");
}

#[test]
fn audited_rows_are_moved_without_a_word() {
    for rows in [10_000, 0] {
        let mut db = Db::new();
        set(&mut db, "t");
        db.exec("SELECT dbguard.audit_enable('t')");
        db.exec("ALTER TABLE t ENABLE ALWAYS TRIGGER _dbguard_audit; ALTER TABLE t_rest ENABLE ALWAYS TRIGGER _dbguard_audit");
        db.exec("INSERT INTO t SELECT n, '2026-11-15', 'x' FROM generate_series(1, 20) n; UPDATE t SET v = 'y' WHERE id = 7");
        let log = "SELECT count(*) FROM dbguard.audit_log";
        let before = db.value(log);
        db.exec(&format!("SET dbguard.partition_drain_rows = {rows}"));
        db.exec("CALL dbguard.partition_drain('t')");
        assert_eq!(places(&mut db, "t"), ["t_p20261115 | 20"]);
        assert_eq!(db.value(log), before, "{rows}");
        db.exec("UPDATE t SET v = 'z' WHERE id = 7");
        let history = "SELECT count(*) FROM dbguard.audit_history('t', '{\"id\": 7, \"at\": \"2026-11-15 00:00:00+00\"}')";
        assert_eq!(db.value(history), "3");
        assert_eq!(db.lines("SELECT DISTINCT state FROM dbguard.audit_status()"), ["always"]);
    }
}

#[test]
fn who_may_and_what_cannot() {
    let mut db = Db::new();
    set(&mut db, "t");
    db.exec("CREATE TABLE plain (id int); CREATE TABLE bare (at date) PARTITION BY RANGE (at)");
    let mut other = db.connect_as("drain_other");
    for call in [
        "CALL dbguard.partition_drain('t')",
        "CALL dbguard.partition_regrain('t', 't_rest')",
        "SELECT * FROM dbguard.partition_drain_plan('t')",
        "SELECT * FROM dbguard.partition_regrain_plan('t', 't_rest')",
        "SELECT dbguard.partition_drain_cancel('t')",
    ] {
        let refused = other.error(call);
        assert_eq!((&*refused.code, &*refused.message), ("42501", "must be owner of table t"), "{call}");
    }
    for (call, argument) in [
        ("CALL dbguard.partition_drain(NULL)", "parent"),
        ("CALL dbguard.partition_drain('t', NULL)", "most"),
        ("CALL dbguard.partition_drain('t', drop_old => NULL)", "drop_old"),
        ("CALL dbguard.partition_regrain(NULL, 't_rest')", "parent"),
        ("CALL dbguard.partition_regrain('t', NULL)", "partition"),
        ("SELECT * FROM dbguard.partition_drain_plan(NULL)", "parent"),
        ("SELECT * FROM dbguard.partition_regrain_plan('t', NULL)", "partition"),
        ("SELECT dbguard.partition_drain_cancel(NULL)", "parent"),
    ] {
        let refused = db.error(call);
        assert_eq!(refused.code, "22004", "{call}");
        assert_eq!(refused.message, format!("argument \"{argument}\" must not be null"));
    }
    for (call, code) in [
        ("CALL dbguard.partition_drain('t', 0)", "22023"),
        ("CALL dbguard.partition_drain('bare')", "55000"),
        ("CALL dbguard.partition_drain('plain')", "55000"),
        ("CALL dbguard.partition_regrain('t', 't_rest')", "42809"),
        ("CALL dbguard.partition_regrain('t', 'plain')", "42809"),
        ("BEGIN; CALL dbguard.partition_drain('t')", "25001"),
    ] {
        assert_eq!(db.error(call).code, code, "{call}");
        let _ = db.try_exec("ROLLBACK");
    }
    // one whose rows the owner of the table may not read
    let mut owner = db.connect_as("drain_owner");
    db.exec("ALTER TABLE t OWNER TO drain_owner; GRANT CREATE ON SCHEMA public TO drain_owner; INSERT INTO t VALUES (1, '2026-11-22', 'x'); UPDATE dbguard.partition_set SET ahead = 2");
    let refused = owner.error("CALL dbguard.partition_drain('t')");
    assert_eq!(
        (&*refused.code, &*refused.message),
        ("55000", "\"t_rest\" belongs to another role than \"t\"")
    );
    assert_eq!(refused.hint, "ALTER TABLE public.t_rest OWNER TO drain_owner;");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines("SELECT partition_name, sqlstate FROM dbguard.partition_run WHERE state = 'failed' AND action = 'make'"), ["t_p20261122 | 23514"]);
    db.exec(&refused.hint);
    db.exec(
        "ALTER TABLE t_p20261120 OWNER TO drain_owner; SET default_transaction_isolation = 'repeatable read'",
    );
    let refused = db.error("CALL dbguard.partition_drain('t')");
    assert_eq!(
        (&*refused.code, &*refused.hint),
        ("0A000", "SET default_transaction_isolation = 'read committed';")
    );
    db.exec("RESET default_transaction_isolation; CREATE PUBLICATION everything FOR ALL TABLES");
    assert_eq!(db.error("CALL dbguard.partition_drain('t')").code, "0A000");
    assert_eq!(db.value("SELECT dbguard.partition_drain_cancel('t')"), "f");
}

/// Nothing of the owner's runs where the triggers of others do not fire.
#[test]
fn the_owners_code_runs_in_an_ordinary_session() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE f (id int, at date, CHECK (current_setting('session_replication_role') = 'origin')) PARTITION BY RANGE (at);
         CREATE TABLE f_rest PARTITION OF f DEFAULT;
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$fired$$; END';
         INSERT INTO f VALUES (1, (now() AT TIME ZONE 'UTC')::date);
         CREATE TRIGGER plain AFTER DELETE ON f_rest FOR EACH ROW EXECUTE FUNCTION no();
         CREATE TRIGGER always BEFORE DELETE ON f_rest EXECUTE FUNCTION no();
         CREATE TRIGGER off BEFORE DELETE ON f_rest EXECUTE FUNCTION no();
         ALTER TABLE f_rest ENABLE ALWAYS TRIGGER always, DISABLE TRIGGER off;
         SELECT dbguard.partition_enable('f', '1 day', 1)",
    );
    assert_eq!(db.value("SELECT count(*) FROM ONLY f_rest"), "0");
    assert_eq!(db.value("SELECT count(*) FROM f"), "1");
    assert_eq!(
        db.lines("SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'f_rest'::regclass AND NOT tgisinternal ORDER BY 1"),
        ["always | A", "off | D", "plain | O"]
    );
    db.exec("CREATE RULE kept AS ON DELETE TO f_rest DO INSTEAD NOTHING; INSERT INTO f_rest VALUES (2, (now() AT TIME ZONE 'UTC')::date + 2)");
    db.exec("SELECT dbguard.partition_enable('f', '1 day', 2)");
    assert_eq!(db.value("SELECT count(*) FROM ONLY f_rest"), "1");
}
