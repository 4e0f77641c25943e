//! Partitions whose time is over. The clock is the real one: partitions are made so many days before now.

use dbguard_tests::Db;

/// A set of days, with partitions from `back` days ago on, each with a row.
pub fn days(db: &mut Db, name: &str, back: i32) {
    db.exec(&format!(
        "CREATE TABLE {name} (id bigint, ts timestamptz NOT NULL, v text, PRIMARY KEY (id, ts)) PARTITION BY RANGE (ts)"
    ));
    for day in 1..=back {
        db.exec(&format!(
            "DO $$ DECLARE day date := (now() AT TIME ZONE 'UTC')::date - {day}; BEGIN
               EXECUTE format('CREATE TABLE {name}_%s PARTITION OF {name} FOR VALUES FROM (%L) TO (%L)', {day}, day || ' 00:00+00', day + 1 || ' 00:00+00');
               EXECUTE format('INSERT INTO {name} VALUES (%s, %L)', {day}, day || ' 12:00+00');
             END $$"
        ));
    }
    db.exec(&format!("SELECT dbguard.partition_enable('{name}', '1 day', ahead => 2)"));
}

pub const RUN: &str = "CALL dbguard.partition_maintain()";

/// The partitions of the past that are still there, by how many days ago.
pub fn left(db: &mut Db, name: &str) -> String {
    db.value(&format!(
        "SELECT coalesce(string_agg(substr(inhrelid::regclass::text, {}), ',' ORDER BY length(inhrelid::regclass::text), inhrelid::regclass::text), '')
         FROM pg_inherits WHERE inhparent = '{name}'::regclass AND inhrelid::regclass::text ~ '_[0-9]+$' AND inhrelid::regclass::text !~ '_p'",
        name.len() + 2
    ))
}

pub fn log(db: &mut Db) -> Vec<String> {
    db.lines(
        "SELECT action, state, partition_name, sqlstate FROM dbguard.partition_run
         WHERE action NOT IN ('make', 'run') AND run = (SELECT max(run) FROM dbguard.partition_run) ORDER BY at, partition_name",
    )
}

#[test]
fn detached_dropped_or_moved() {
    let mut db = Db::new();
    db.exec("CREATE SCHEMA arch");
    for (name, how, after) in
        [("d", "'detach'", "t"), ("x", "'drop'", "<null>"), ("m", "'move', schema => 'arch'", "<null>")]
    {
        days(&mut db, name, 5);
        let retain = format!("SELECT dbguard.partition_retain('{name}', '3 days', retire => {how})");
        db.exec(&retain);
        assert_eq!(left(&mut db, name), "1,2,3,4,5");
        db.exec(RUN);
        // what ended exactly three days ago or before
        assert_eq!(left(&mut db, name), "1,2,3", "{name}");
        assert_eq!(
            db.value(&format!("SELECT (to_regclass('{name}_5') IS NOT NULL)::text")),
            if after == "t" { "true" } else { "false" }
        );
        db.exec(RUN);
        assert_eq!(left(&mut db, name), "1,2,3", "{name}");
    }
    assert_eq!(db.lines("SELECT id FROM arch.m_5 UNION ALL SELECT id FROM d_4"), ["5", "4"]);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhdetachpending"), "0");
}

#[test]
fn the_plan_is_what_is_done() {
    let mut db = Db::new();
    days(&mut db, "t", 4);
    let call = |dry: bool| {
        format!("SELECT partition, lower, upper, action FROM dbguard.partition_retain('t', '2 days', retire => 'drop', dry_run => {dry})")
    };
    let planned = db.lines(&call(true));
    assert_eq!(planned.len(), 2, "{planned:?}");
    assert_eq!(db.value("SELECT retain FROM dbguard.partition_set"), "<null>");
    assert_eq!(db.lines(&call(false)), planned);
    let all = "SELECT action, partition, lower, upper, sql FROM dbguard.partition_plan()";
    let of_all = db.lines(all);
    assert_eq!(of_all.len(), 2);
    assert!(of_all[0].starts_with("drop | t_4 | "), "{of_all:?}");
    db.exec("BEGIN READ ONLY");
    assert_eq!(db.lines(all), of_all);
    db.exec("COMMIT");
    db.exec(RUN);
    assert_eq!(log(&mut db), ["drop | done | t_4 | <null>", "drop | done | t_3 | <null>"]);
    assert_eq!(
        db.value("SELECT message FROM dbguard.partition_run WHERE action = 'run' ORDER BY run DESC LIMIT 1"),
        "partitions made: 0, retired: 2, troubles: 0, sets skipped: 0"
    );
}

/// D36: upper bounds are exclusive, so what ends exactly at the cut-off holds nothing young enough.
#[test]
fn to_the_microsecond() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id bigint, ts timestamptz, PRIMARY KEY (id, ts)) PARTITION BY RANGE (ts)");
    db.exec("SET dbguard.partition_clock = '2026-11-12 23:59:59.999999+00'");
    db.exec("SELECT dbguard.partition_enable('t', '1 day', ahead => 1, behind => 11)");
    db.exec("SELECT dbguard.partition_retain('t', '10 days', retire => 'drop')");
    let plan = "SELECT lower, upper FROM dbguard.partition_plan('t') WHERE action = 'drop'";
    let first = "2026-11-01 00:00:00+00 | 2026-11-02 00:00:00+00";
    assert_eq!(db.lines(plan), [first]);
    db.exec("SET dbguard.partition_clock = '2026-11-13 00:00:00+00'");
    assert_eq!(db.lines(plan), [first, "2026-11-02 00:00:00+00 | 2026-11-03 00:00:00+00"]);
    db.exec(RUN);
    assert_eq!(
        db.value("SELECT min(pg_get_expr(relpartbound, oid)) FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE 't_p%'"),
        "FOR VALUES FROM ('2026-11-03 00:00:00+00') TO ('2026-11-04 00:00:00+00')"
    );
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "12");
    // by the calendar of the set's zone: a day of 25 hours goes as one day
    db.exec("CREATE TABLE b (ts timestamptz) PARTITION BY RANGE (ts)");
    db.exec("SET dbguard.partition_clock = '2026-10-27 12:00:00+00'");
    db.exec(
        "SELECT dbguard.partition_enable('b', '1 day', ahead => 1, behind => 3, zone => 'Europe/Berlin')",
    );
    db.exec("SELECT dbguard.partition_retain('b', '1 day')");
    assert_eq!(
        db.lines("SELECT lower, upper FROM dbguard.partition_plan('b') WHERE action = 'detach'"),
        [
            "2026-10-23 22:00:00+00 | 2026-10-24 22:00:00+00",
            "2026-10-24 22:00:00+00 | 2026-10-25 23:00:00+00"
        ]
    );
}

/// D38: what holds now, and what is to come, never goes.
#[test]
fn however_short_what_is_needed_stays() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    db.exec("SELECT dbguard.partition_retain('t', '0', retire => 'drop')");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "");
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "3");
    days(&mut db, "u", 4);
    db.exec("SELECT dbguard.partition_retain('u', '0', retire => 'drop', at_least => 2)");
    db.exec(RUN);
    assert_eq!(left(&mut db, "u"), "1,2");
    // partitions of the past, whether they are over or not
    days(&mut db, "v", 5);
    db.exec("SELECT dbguard.partition_retain('v', '2 days', retire => 'drop', at_least => 3)");
    db.exec(RUN);
    assert_eq!(left(&mut db, "v"), "1,2,3");
    db.exec("SELECT dbguard.partition_retain('v', '2 days', retire => 'drop', at_least => 1)");
    db.exec(RUN);
    assert_eq!(left(&mut db, "v"), "1,2");
}

#[test]
fn by_size() {
    let mut db = Db::new();
    days(&mut db, "t", 4);
    db.exec("INSERT INTO t SELECT n, ts, repeat('x', 1000) FROM t, generate_series(100, 1100) n; CHECKPOINT");
    let one = db.value("SELECT pg_total_relation_size('t_1')").parse::<i64>().unwrap();
    db.exec(&format!("SELECT dbguard.partition_retain('t', max_bytes => {}, retire => 'drop')", one * 5 / 2));
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2");
}

/// D39: rows of one old partition are referenced, the older ones' are not.
#[test]
fn what_is_referenced_stays_and_is_told() {
    let mut db = Db::new();
    days(&mut db, "t", 5);
    db.exec("CREATE TABLE r (id bigint, ts timestamptz, CONSTRAINT points_at FOREIGN KEY (id, ts) REFERENCES t); INSERT INTO r SELECT id, ts FROM t WHERE id = 4");
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2,4");
    assert_eq!(
        db.lines("SELECT sqlstate, hint FROM dbguard.partition_run WHERE state = 'failed' AND action = 'detach'"),
        ["23503 | Rows of table public.r refer to it by foreign key \"points_at\": it stays until they are gone."]
    );
    db.exec("DELETE FROM r");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
}

/// D40: nothing is lost when there is no place for it, and other sets go on.
#[test]
fn a_name_that_is_taken_and_an_archive_that_fails() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA arch; CREATE TABLE arch.t_4 (); CREATE TABLE kept (part text, lower text, upper text, rows bigint);
         CREATE FUNCTION keep(part regclass, lower text, upper text) RETURNS boolean LANGUAGE plpgsql AS $$
           DECLARE n bigint;
           BEGIN
             EXECUTE format('SELECT count(*) FROM %s', part) INTO n;
             INSERT INTO public.kept VALUES (part::text, lower, upper, n);
             IF part::text ~ '_4' THEN RETURN false; END IF;
             IF part::text ~ '_3' THEN RAISE 'no room'; END IF;
             RETURN true;
           END $$",
    );
    days(&mut db, "t", 4);
    days(&mut db, "u", 5);
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'move', schema => 'arch')");
    db.exec("SELECT dbguard.partition_retain('u', '2 days', retire => 'drop', archive => 'keep(regclass, text, text)')");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2,4");
    assert_eq!(db.lines("SELECT id FROM arch.t_3"), ["3"]);
    assert_eq!(left(&mut db, "u"), "1,2,3,4");
    assert_eq!(db.lines("SELECT part, rows FROM kept"), ["public.u_5 | 1"]);
    assert_eq!(
        log(&mut db),
        [
            "move | failed | t_4 | 42P07",
            "detach | done | t_3 | <null>",
            "move | done | t_3 | <null>",
            "archive | done | u_5 | <null>",
            "detach | done | u_5 | <null>",
            "drop | done | u_5 | <null>",
            "archive | failed | u_4 | 55000",
            "archive | failed | u_3 | P0001"
        ]
    );
    let call = db.value("SELECT state || ': ' || message FROM dbguard.partition_run WHERE action = 'run' ORDER BY run DESC LIMIT 1");
    assert_eq!(call, "failed: partitions made: 0, retired: 2, troubles: 3, sets skipped: 0");
}

#[test]
fn archives_run_with_the_rights_of_the_tables_owner() {
    let mut db = Db::new();
    let mut owner = db.connect_as("retire_owner");
    db.exec("CREATE SCHEMA app AUTHORIZATION retire_owner; CREATE TABLE called (who text); GRANT ALL ON called TO PUBLIC");
    owner.exec(
        "CREATE FUNCTION app.keep(part regclass, lower text, upper text) RETURNS boolean LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO public.called VALUES (current_user); RETURN true; END $$;
         CREATE TABLE app.t (ts timestamptz) PARTITION BY RANGE (ts);
         CREATE TABLE app.old PARTITION OF app.t FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
         SELECT dbguard.partition_enable('app.t', '1 year'); DROP TABLE IF EXISTS app.nothing;
         SELECT dbguard.partition_retain('app.t', '3 years', retire => 'drop', archive => 'app.keep(regclass, text, text)')",
    );
    db.exec(RUN);
    assert_eq!(db.lines("SELECT DISTINCT who FROM called"), ["retire_owner"]);
    assert_eq!(db.value("SELECT to_regclass('app.old')"), "<null>");
}

#[test]
fn what_waits_is_dropped_when_its_time_comes() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop', grace => '1 week')");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2");
    assert_eq!(db.lines("SELECT id FROM t_3"), ["3"]);
    assert_eq!(
        db.lines("SELECT partition_name, retire, due > now() + '6 days' FROM dbguard.partition_retired"),
        ["t_3 | drop | t"]
    );
    db.exec(RUN);
    assert_eq!(db.lines("SELECT id FROM t_3"), ["3"]);
    db.exec("UPDATE dbguard.partition_retired SET due = now()");
    db.exec(RUN);
    assert_eq!(db.value("SELECT to_regclass('t_3')"), "<null>");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
}

#[test]
fn what_waits_is_kept_when_retention_is_called_off() {
    for off in [
        "SELECT dbguard.partition_retain('t')",
        "SELECT dbguard.partition_disable('t'); SELECT dbguard.partition_enable('t', '1 day', ahead => 2); SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')",
    ] {
        let mut db = Db::new();
        days(&mut db, "t", 3);
        db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop', grace => '1 week')");
        db.exec(RUN);
        db.exec("UPDATE dbguard.partition_retired SET due = now()");
        db.exec(off);
        db.exec(RUN);
        assert_eq!(db.lines("SELECT id FROM t_3"), ["3"], "{off}");
    }
}

/// Beside a default partition the server refuses DETACH CONCURRENTLY; so does Citus.
#[test]
fn a_default_partition_and_a_distributed_table() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    let plan = "SELECT sql FROM dbguard.partition_retain('t', '2 days', retire => 'detach', dry_run => true)";
    assert_eq!(db.value(plan), "ALTER TABLE public.t DETACH PARTITION public.t_3 CONCURRENTLY;");
    db.exec("CREATE TABLE t_rest PARTITION OF t DEFAULT");
    assert_eq!(db.value(plan), "ALTER TABLE public.t DETACH PARTITION public.t_3;");
    db.exec("SELECT dbguard.partition_retain('t', '2 days')");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2");
    days(&mut db, "u", 3);
    db.exec(
        "SET allow_system_table_mods = on; CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass)",
    );
    let plan = plan.replace("'t'", "'u'");
    assert!(db.value(&plan).ends_with("CONCURRENTLY;"));
    db.exec("INSERT INTO pg_catalog.pg_dist_partition VALUES ('u')");
    assert!(!db.value(&plan).ends_with("CONCURRENTLY;"));
    db.exec("SELECT dbguard.partition_retain('u', '2 days')");
    db.exec(RUN);
    assert_eq!(left(&mut db, "u"), "1,2");
}

/// B22: after a long pause nothing is made only to go again.
#[test]
fn nothing_is_made_to_go_at_once() {
    let mut db = Db::new();
    days(&mut db, "t", 30);
    db.exec(
        "SELECT dbguard.partition_retain('t', '10 days', retire => 'drop'); DROP TABLE t_29, t_28, t_5, t_4",
    );
    db.exec(RUN);
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.partition_run WHERE action = 'make' AND run = (SELECT max(run) FROM dbguard.partition_run)"),
        "2"
    );
    assert_eq!(left(&mut db, "t"), "1,2,3,6,7,8,9,10");
}

#[test]
fn bad_input() {
    let mut db = Db::new();
    let mut other = db.connect_as("retire_other");
    days(&mut db, "t", 1);
    db.exec(
        "CREATE TABLE plain (); CREATE TABLE not_enabled (ts date) PARTITION BY RANGE (ts);
         CREATE FUNCTION wrong(regclass) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    );
    for (call, code, message) in [
        ("'t', '1 day', retire => 'burn'", "22023", "unrecognized value for argument \"retire\": \"burn\""),
        ("'t', '1 day', retire => 'move'", "22023", "retire => 'move' needs a schema"),
        ("'t', '1 day', retire => 'move', schema => 'nowhere'", "3F000", "schema \"nowhere\" does not exist"),
        (
            "'t', '1 day', schema => 'public'",
            "22023",
            "argument \"schema\" has a meaning for retire => 'move' only",
        ),
        ("'t', '-1 day'", "22023", "argument \"retain\" must not be negative"),
        ("'t', '3000000 years'", "22023", "argument \"retain\" must not be longer than 1000 years"),
        (
            "'t', '1 day', 'drop', grace => '170000000 years'",
            "22023",
            "argument \"grace\" must not be longer than 1000 years",
        ),
        ("'t', '1 day', at_least => -1", "22023", "argument \"at_least\" must not be negative"),
        ("'t', max_bytes => 0", "22023", "argument \"max_bytes\" must be greater than zero"),
        (
            "'t', '1 day', grace => '1 day'",
            "22023",
            "argument \"grace\" has no meaning for retire => 'detach'",
        ),
        (
            "'t', '1 day', archive => 'wrong(regclass)'",
            "42P13",
            "function \"wrong\" cannot archive partitions",
        ),
        ("'not_enabled', '1 day'", "55000", "partitioning of \"not_enabled\" is not enabled"),
        ("NULL", "22004", "argument \"parent\" must not be null"),
    ] {
        let error = db.error(&format!("SELECT dbguard.partition_retain({call})"));
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{call}");
    }
    assert_eq!(other.error("SELECT dbguard.partition_retain('t', '1 day')").code, "42501");
    assert_eq!(db.value("SELECT retain FROM dbguard.partition_set"), "<null>");
}
