//! Every key type with every width; enable, plan, maintain, status, disable.

use super::oracle::{bounds, cells, without_holes};
use dbguard_tests::Db;

#[test]
fn every_key_and_width_on_the_calendar() {
    let mut db = Db::new();
    let widths = [
        ("hour", "1 hour"),
        ("day", "1 day"),
        ("week", "1 week"),
        ("month", "1 month"),
        ("quarter", "3 months"),
        ("year", "1 year"),
    ];
    for kind in ["date", "timestamp", "timestamptz"] {
        for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata"] {
            for (unit, step) in widths.iter().filter(|(unit, _)| (kind, *unit) != ("date", "hour")) {
                db.exec(&format!(
                    "CREATE TABLE t (id int, at {kind}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)"
                ));
                let made = db.rows(&format!(
                    "SELECT * FROM dbguard.partition_enable('t', '{step}', ahead => 3, zone => '{zone}')"
                ));
                assert_eq!(made.len(), 4, "{kind} {step} {zone}");
                assert!(made.iter().all(|row| row[3] == "done"), "{made:?}");
                let expected = cells(&mut db, kind, unit, step, zone, 0, 3);
                assert_eq!(bounds(&mut db, "t"), expected, "{kind} {step} {zone}");
                let moment = if kind == "timestamptz" {
                    "now()".into()
                } else {
                    format!("now() AT TIME ZONE '{zone}'")
                };
                db.exec(&format!("INSERT INTO t VALUES (1, {moment})"));
                db.exec("SELECT dbguard.partition_disable('t'); DROP TABLE t");
            }
        }
    }
}

#[test]
fn the_plan_is_what_maintain_does() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 day', ahead => 2);
         UPDATE dbguard.partition_set SET ahead = 6",
    );
    let plan = db.lines("SELECT partition, lower, upper FROM dbguard.partition_plan('t')");
    assert_eq!(plan.len(), 4);
    assert_eq!(db.lines("SELECT partition, lower, upper FROM dbguard.partition_plan()"), plan);
    assert_eq!(db.value("SELECT state || missing FROM dbguard.partition_status()"), "due4");
    db.exec("CALL dbguard.partition_maintain()");
    let done = db.lines(
        "SELECT partition_name, lower, upper FROM dbguard.partition_run
         WHERE run = (SELECT max(run) FROM dbguard.partition_run) AND action = 'make' AND state = 'done' ORDER BY at",
    );
    assert_eq!(done, plan);
    assert_eq!(bounds(&mut db, "t"), cells(&mut db, "date", "day", "1 day", "UTC", 0, 6));
    assert_eq!(
        db.lines("SELECT table_name, state, partitions, missing FROM dbguard.partition_status()"),
        ["t | ok | 7 | 0"]
    );
    assert_eq!(
        db.value("SELECT covered_until FROM dbguard.partition_status()"),
        db.value("SELECT (now() AT TIME ZONE 'UTC')::date + 7")
    );
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "7");
}

#[test]
fn the_statements_of_the_plan_can_be_run_by_hand() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, at timestamptz, n int CHECK (n > 0), PRIMARY KEY (id, at))
           PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 month', ahead => 1);
         UPDATE dbguard.partition_set SET ahead = 3",
    );
    for row in db.rows("SELECT sql FROM dbguard.partition_plan('t')") {
        db.exec(&row[0]);
    }
    assert_eq!(bounds(&mut db, "t"), cells(&mut db, "timestamptz", "month", "1 month", "UTC", 0, 3));
    assert_eq!(db.rows("SELECT * FROM dbguard.partition_plan('t')").len(), 0);
}

#[test]
fn enable_again_changes_options_and_disable_forgets() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (at date) PARTITION BY RANGE (at)");
    assert_eq!(db.rows("SELECT * FROM dbguard.partition_enable('t', '1 day', 1)").len(), 2);
    assert_eq!(db.rows("SELECT * FROM dbguard.partition_enable('t', '1 day', 1)").len(), 0);
    assert_eq!(db.rows("SELECT * FROM dbguard.partition_enable('t', '1 day', 3)").len(), 2);
    assert_eq!(db.value("SELECT ahead FROM dbguard.partition_status()"), "3");
    assert_eq!(db.value("SELECT dbguard.partition_disable('t')"), "t");
    assert_eq!(db.value("SELECT dbguard.partition_disable('t')"), "f");
    assert_eq!(db.rows("SELECT * FROM dbguard.partition_status()").len(), 0);
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "4");
    let e = db.error("SELECT * FROM dbguard.partition_plan('t')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("55000", "partitioning of \"t\" is not enabled"));
}

#[test]
fn hours_in_a_row_are_real_hours_whatever_the_zone() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 hour', ahead => 1000, zone => 'Europe/Berlin')",
    );
    let made = bounds(&mut db, "t");
    assert_eq!(made.len(), 1001);
    assert!(without_holes(&made));
}

#[test]
fn the_session_has_no_say() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at); CREATE TABLE d (at date) PARTITION BY RANGE (at)");
    db.exec("SELECT dbguard.partition_enable('t', '1 month', 1); SELECT dbguard.partition_enable('d', '1 day', 1)");
    db.exec("UPDATE dbguard.partition_set SET ahead = 8");
    db.exec(
        "SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'iso_8601';
         SET extra_float_digits = 0; SET standard_conforming_strings = off",
    );
    let plan = db.lines("SELECT lower, upper FROM dbguard.partition_plan('t')");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SHOW TimeZone"), "America/New_York");
    assert_eq!(db.value("SHOW DateStyle"), "SQL, DMY");
    let expected = cells(&mut db, "timestamptz", "month", "1 month", "UTC", 0, 8);
    assert_eq!(bounds(&mut db, "t"), expected);
    assert_eq!(plan.len(), 7);
    assert_eq!(plan[6].replace(" | ", ".."), expected[8]);
    assert_eq!(bounds(&mut db, "d"), cells(&mut db, "date", "day", "1 day", "UTC", 0, 8));
}

#[test]
fn a_dry_run_is_the_run_and_changes_nothing() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at)");
    let call = |dry: &str| {
        format!(
            "SELECT partition, lower, upper, sql, state FROM dbguard.partition_enable('t', '1 day', 3{dry})"
        )
    };
    let planned = db.lines(&call(", dry_run => true"));
    assert_eq!(planned.len(), 4);
    assert_eq!(db.lines("SELECT * FROM dbguard.partition_status()"), Vec::<String>::new());
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "0");
    let done: Vec<String> = db.lines(&call("")).iter().map(|l| l.replace(" | done", " | planned")).collect();
    assert_eq!(done, planned);
    assert_eq!(db.error("SELECT dbguard.partition_enable('t', '1 day', dry_run => NULL)").code, "22004");
}
