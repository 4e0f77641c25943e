//! partition_health: each trouble provoked, and silence when there is none.

use super::oracle::clock;
use dbguard_tests::{Cluster, Db};

/// A set of days with these arguments more, analyzed, and a run that found all in order.
fn well(db: &mut Db, arguments: &str) {
    db.exec(&format!(
        "CREATE TABLE t (id bigint, ts timestamptz NOT NULL, PRIMARY KEY (id, ts)) PARTITION BY RANGE (ts);
         SELECT dbguard.partition_enable('t', '1 day'{arguments}); ANALYZE t"
    ));
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(health(db), Vec::<String>::new());
}

fn health(db: &mut Db) -> Vec<String> {
    db.lines("SELECT severity, table_name, problem FROM dbguard.partition_health()")
}

/// The fixes of a problem.
fn fixes(db: &mut Db, problem: &str) -> Vec<String> {
    db.lines(&format!("SELECT fix FROM dbguard.partition_health() WHERE problem = '{problem}'"))
}

/// The partition so many days from now.
fn part(db: &mut Db, days: i32) -> String {
    db.value(&format!("SELECT to_char((now() AT TIME ZONE 'UTC')::date + {days}, '\"t_p\"YYYYMMDD')"))
}

#[test]
fn nothing_where_there_are_no_sets_and_nothing_when_all_is_well() {
    let mut db = Db::new();
    assert_eq!(health(&mut db), Vec::<String>::new());
    well(&mut db, "");
}

#[test]
fn a_set_without_runs_and_never_analyzed() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (ts date) PARTITION BY RANGE (ts); SELECT dbguard.partition_enable('t', '1 day')",
    );
    assert_eq!(health(&mut db), ["warning | <null> | no_run", "info | t | never_analyzed"]);
    assert!(fixes(&mut db, "no_run")[0].contains("cron.schedule"));
    let fix = fixes(&mut db, "never_analyzed").remove(0);
    db.exec(&fix);
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(health(&mut db), Vec::<String>::new());
    db.exec("UPDATE dbguard.partition_run SET at = at - interval '49 hours'");
    assert_eq!(health(&mut db), ["warning | <null> | no_run"]);
}

#[test]
fn the_horizon_and_holes() {
    let mut db = Db::new();
    well(&mut db, "");
    let ahead = db.value("SELECT now() + interval '3 days'");
    clock(&mut db, &ahead);
    assert_eq!(health(&mut db), ["warning | t | horizon_short"]);
    let ahead = db.value("SELECT now() + interval '6 days'");
    clock(&mut db, &ahead);
    assert_eq!(health(&mut db), ["error | t | horizon_short"]);
    clock(&mut db, "");
    let gone = part(&mut db, 3);
    db.exec(&format!("DROP TABLE {gone}"));
    assert_eq!(health(&mut db), ["warning | t | hole"]);
    let fix = fixes(&mut db, "hole").remove(0);
    db.exec(&fix);
    assert_eq!(health(&mut db), Vec::<String>::new());
    // a set that is meant to have one ahead is not short of a second
    db.exec("UPDATE dbguard.partition_set SET ahead = 1");
    let ahead = db.value("SELECT now() + interval '3 days'");
    clock(&mut db, &ahead);
    assert_eq!(health(&mut db), Vec::<String>::new());
}

#[test]
fn rows_in_the_default_partition() {
    let mut db = Db::new();
    well(&mut db, "");
    db.exec("CREATE TABLE rest PARTITION OF t DEFAULT");
    assert_eq!(health(&mut db), Vec::<String>::new());
    db.exec("INSERT INTO t VALUES (1, '2020-01-01')");
    assert_eq!(health(&mut db), ["warning | t | default_rows"]);
    db.exec("INSERT INTO t VALUES (1, '2097-01-01')");
    assert_eq!(health(&mut db), ["warning | t | default_rows", "warning | t | stray_rows"]);
    let rows = fixes(&mut db, "stray_rows").remove(0);
    assert_eq!(db.lines(&rows).len(), 1);
    let mut other = db.connect_as("health_nobody");
    assert_eq!(health(&mut other), ["info | t | default_skipped"]);
    db.exec("GRANT SELECT ON rest TO health_nobody");
    assert_eq!(health(&mut other).len(), 2);
    db.exec("ALTER TABLE rest ENABLE ROW LEVEL SECURITY");
    assert_eq!(health(&mut other), ["info | t | default_skipped"]);
    let mut holder = db.connect();
    holder.exec("BEGIN; LOCK TABLE rest IN ACCESS EXCLUSIVE MODE");
    assert_eq!(health(&mut db), ["info | t | default_skipped"]);
}

#[test]
fn a_detach_that_was_interrupted() {
    let mut db = Db::new();
    well(&mut db, "");
    let mut reader = db.connect();
    reader.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM t");
    let last = part(&mut db, 4);
    db.exec("SET statement_timeout = '500ms'");
    assert_eq!(db.error(&format!("ALTER TABLE t DETACH PARTITION {last} CONCURRENTLY")).code, "57014");
    db.exec("RESET statement_timeout");
    assert_eq!(health(&mut db), ["error | t | detach_pending"]);
    reader.exec("ROLLBACK");
    let fix = fixes(&mut db, "detach_pending").remove(0);
    db.exec(&fix);
    assert_eq!(health(&mut db), Vec::<String>::new());
}

#[test]
fn what_retention_left_and_what_waits() {
    let mut db = Db::new();
    db.exec("CREATE FUNCTION no(p regclass, l text, u text) RETURNS boolean LANGUAGE sql AS 'SELECT false'");
    well(&mut db, ", behind => 5");
    db.exec("SELECT dbguard.partition_retain('t', '4 days', 'drop', grace => '1 hour', archive => 'no(regclass,text,text)')");
    // over, and no run took place since
    db.exec("UPDATE dbguard.partition_run SET at = at - interval '47 hours'");
    assert_eq!(health(&mut db), Vec::<String>::new());
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(health(&mut db), ["error | t | run_failed", "warning | t | not_retired"]);
    assert!(fixes(&mut db, "run_failed")[0].contains("until the function returns true"));
    db.exec("CREATE OR REPLACE FUNCTION no(p regclass, l text, u text) RETURNS boolean LANGUAGE sql AS 'SELECT true'");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(health(&mut db), ["info | t | retired_waiting"]);
    db.exec("UPDATE dbguard.partition_retired SET due = now() - interval '1 day'");
    assert_eq!(health(&mut db), ["warning | t | retired_waiting"]);
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(health(&mut db), Vec::<String>::new());
}

#[test]
fn what_a_run_could_not_make() {
    let mut db = Db::new();
    well(&mut db, "");
    db.exec("SET dbguard.partition_drain_rows = 0");
    db.exec("CREATE TABLE rest PARTITION OF t DEFAULT; INSERT INTO t SELECT 1, now() + interval '6 days'; UPDATE dbguard.partition_set SET ahead = 7");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        health(&mut db),
        ["error | t | run_failed", "warning | t | default_rows", "warning | t | hole"]
    );
    db.exec("TRUNCATE rest");
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 7)");
    assert_eq!(health(&mut db), Vec::<String>::new());
}

#[test]
fn sets_that_are_gone_or_broken_stop_no_other() {
    let mut db = Db::new();
    well(&mut db, "");
    db.exec(
        "CREATE TABLE gone (ts date) PARTITION BY RANGE (ts); CREATE TABLE bad (ts date) PARTITION BY RANGE (ts);
         SELECT dbguard.partition_enable('gone', '1 day'); SELECT dbguard.partition_enable('bad', '1 day'); ANALYZE bad;
         DROP TABLE gone; UPDATE dbguard.partition_set SET zone = 'Nowhere' WHERE table_name = 'bad'",
    );
    let gone = part(&mut db, 3);
    db.exec(&format!("DROP TABLE {gone}"));
    let told = ["error | bad | set_broken", "warning | gone | parent_gone", "warning | t | hole"];
    assert_eq!(health(&mut db), told);
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(health(&mut db), ["error | bad | set_broken"]);
}

#[test]
fn owners_and_indexes() {
    let mut db = Db::new();
    well(&mut db, "");
    let first = part(&mut db, 0);
    let _other = db.connect_as("health_other");
    db.exec(&format!("ALTER TABLE {first} OWNER TO health_other"));
    assert_eq!(health(&mut db), ["warning | t | owner_differs"]);
    let fix = fixes(&mut db, "owner_differs").remove(0);
    db.exec(&fix);
    db.exec("CREATE UNIQUE INDEX u ON ONLY t (ts, id)");
    assert_eq!(health(&mut db), vec!["warning | t | index_missing"; 5]);
    db.exec("DROP INDEX u; CREATE INDEX u ON t (ts)");
    assert_eq!(health(&mut db), Vec::<String>::new());
    // an index that failed to be built, attached
    db.exec("INSERT INTO t SELECT 1, now() UNION ALL SELECT 2, now(); DROP INDEX u; CREATE INDEX u ON ONLY t ((1 / (id - 1)))");
    assert_eq!(
        db.error(&format!("CREATE INDEX CONCURRENTLY broken ON {first} ((1 / (id - 1)))")).code,
        "22012"
    );
    db.exec("ALTER INDEX u ATTACH PARTITION broken");
    assert!(health(&mut db).contains(&"warning | t | index_invalid".to_owned()));
    let fix = fixes(&mut db, "index_invalid").remove(0);
    db.exec("DELETE FROM t WHERE id = 1");
    db.exec(&fix);
    assert_eq!(fixes(&mut db, "index_invalid"), Vec::<String>::new());
}

#[test]
fn replica_identities_of_what_is_published() {
    let mut db = Db::new();
    well(&mut db, "");
    let first = part(&mut db, 0);
    db.exec("ALTER TABLE t REPLICA IDENTITY FULL");
    assert_eq!(health(&mut db), Vec::<String>::new());
    db.exec("CREATE PUBLICATION p FOR TABLE t");
    assert_eq!(health(&mut db), vec!["warning | t | replica_identity_differs"; 5]);
    for fix in fixes(&mut db, "replica_identity_differs") {
        db.exec(&fix);
    }
    assert_eq!(health(&mut db), Vec::<String>::new());
    db.exec("ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey; DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLES IN SCHEMA public");
    for fix in fixes(&mut db, "replica_identity_differs") {
        db.exec(&fix);
    }
    assert_eq!(health(&mut db), Vec::<String>::new());
    assert_eq!(db.value(&format!("SELECT relreplident FROM pg_class WHERE relname = '{first}'")), "i");
}

#[test]
fn more_partitions_than_are_good() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (ts date) PARTITION BY RANGE (ts);
         SELECT dbguard.partition_enable('t', '1 day', 4, behind => 995); ANALYZE t",
    );
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(health(&mut db), Vec::<String>::new());
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 5)");
    assert_eq!(health(&mut db), ["warning | t | too_many"]);
}

#[test]
fn it_only_reads() {
    let mut db = Db::new();
    well(&mut db, "");
    db.exec("CREATE TABLE rest PARTITION OF t DEFAULT; INSERT INTO t VALUES (1, '2020-01-01')");
    db.exec("BEGIN READ ONLY");
    assert_eq!(health(&mut db), ["warning | t | default_rows"]);
    assert_eq!(db.value("SELECT pg_current_xact_id_if_assigned()"), "<null>");
    db.exec("COMMIT");
}

#[test]
fn it_works_on_a_standby() {
    let primary = Cluster::start(&[]);
    let mut db = Db::new_in(&primary);
    well(&mut db, "");
    db.exec("CREATE TABLE rest PARTITION OF t DEFAULT; INSERT INTO t VALUES (1, '2020-01-01')");
    let standby = Cluster::standby_of(&primary);
    let mut there = Db::existing_in(&standby, &db.name);
    assert_eq!(health(&mut there), ["warning | t | default_rows"]);
}

#[test]
fn many_sets_are_asked_about_at_once() {
    let mut db = Db::new();
    for n in 0..20 {
        db.exec(&format!(
            "CREATE TABLE s{n} (ts date) PARTITION BY RANGE (ts); SELECT dbguard.partition_enable('s{n}', '1 day'); ANALYZE s{n}"
        ));
    }
    db.exec("CALL dbguard.partition_maintain()");
    let calls = |db: &mut Db| {
        let scans = "SELECT pg_stat_get_xact_numscans('dbguard.partition_set'::regclass)";
        db.exec("BEGIN");
        let before: i32 = db.value(scans).parse().unwrap();
        assert_eq!(health(db), Vec::<String>::new());
        let after: i32 = db.value(scans).parse().unwrap();
        db.exec("COMMIT");
        after - before
    };
    let many = calls(&mut db);
    db.exec("SELECT dbguard.partition_disable('s' || n) FROM generate_series(1, 19) n");
    assert!(many <= calls(&mut db) + 5, "{many}");
}

/// What can be moved, and what never can.
#[test]
fn rows_in_the_default_that_can_leave_and_that_cannot() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(
        "CREATE TABLE t (at timestamp) PARTITION BY RANGE (at); CREATE TABLE t_rest PARTITION OF t DEFAULT;
         INSERT INTO t VALUES (NULL), ('-infinity'), ('0044-03-15 BC'), ('1999-01-01');
         SELECT dbguard.partition_enable('t', '1 day', 2)",
    );
    let found = "SELECT severity, fix FROM dbguard.partition_health() WHERE problem = 'default_rows'";
    let kept = "info | They are in nobody's way. Or UPDATE or DELETE them: SELECT * FROM public.t_rest;";
    assert_eq!(db.lines(found), [kept]);
    db.exec("CALL dbguard.partition_drain('t'); ");
    assert_eq!(db.lines(found), [kept]);
    db.exec("INSERT INTO t VALUES ('2026-10-01')");
    assert_eq!(db.lines(found), ["warning | CALL dbguard.partition_drain('public.t');"]);
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(db.lines(found), [kept]);
    db.exec("INSERT INTO t VALUES ('2018-10-01')");
    assert_eq!(db.lines(found), ["warning | CALL dbguard.partition_drain('public.t', 5000);"]);
    db.exec("CALL dbguard.partition_drain('public.t', 5000)");
    assert_eq!(db.lines(found), [kept]);
}
