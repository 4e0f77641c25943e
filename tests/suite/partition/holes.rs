//! What is there already: holes, foreign partitions, partitions off the grid, a default.

use super::oracle::{bounds, cells, without_holes};
use dbguard_tests::Db;

fn day(db: &mut Db, n: i32) -> String {
    db.value(&format!("SELECT (now() AT TIME ZONE 'UTC')::date + {n}"))
}

#[test]
fn a_hole_is_filled_again() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('t', '1 day', 4)");
    let whole = bounds(&mut db, "t");
    let third = db.value(
        "SELECT partition_name FROM dbguard.partition_run WHERE action = 'make' ORDER BY lower OFFSET 2 LIMIT 1",
    );
    db.exec(&format!("DROP TABLE {third}"));
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(bounds(&mut db, "t"), whole);
}

#[test]
fn after_sixty_days_nothing_is_missing() {
    let mut db = Db::new();
    let (from, to) = (day(&mut db, -60), day(&mut db, -59));
    db.exec(&format!(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at);
         CREATE TABLE t_first PARTITION OF t FOR VALUES FROM ('{from}') TO ('{to}');
         SELECT dbguard.partition_enable('t', '1 day', 4)"
    ));
    let made = bounds(&mut db, "t");
    assert_eq!(made, cells(&mut db, "date", "day", "1 day", "UTC", -60, 4));
    assert!(without_holes(&made));
}

#[test]
fn partitions_of_others_are_adopted() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at);
         DO $$ DECLARE m date := date_trunc('month', now() AT TIME ZONE 'UTC'); BEGIN
           EXECUTE format('CREATE TABLE ad_this PARTITION OF t FOR VALUES FROM (%L) TO (%L)', m, m + interval '1 month');
           EXECUTE format('CREATE TABLE ad_next PARTITION OF t FOR VALUES FROM (%L) TO (%L)',
                          m + interval '1 month', m + interval '2 months');
         END $$",
    );
    assert_eq!(db.rows("SELECT * FROM dbguard.partition_enable('t', '1 month', 3)").len(), 2);
    assert_eq!(bounds(&mut db, "t"), cells(&mut db, "date", "month", "1 month", "UTC", 0, 3));
}

#[test]
fn a_partition_off_the_grid_is_bridged() {
    let mut db = Db::new();
    let (today, tomorrow, last) = (day(&mut db, 0), day(&mut db, 2), day(&mut db, 4));
    db.exec(&format!(
        "CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);
         CREATE TABLE odd PARTITION OF t FOR VALUES FROM ('{today} 06:00+00') TO ('{tomorrow} 12:00+00');
         SELECT dbguard.partition_enable('t', '1 day', 3)"
    ));
    let made = bounds(&mut db, "t");
    let next = day(&mut db, 3);
    assert_eq!(
        made,
        [
            format!("{today} 00:00:00+00..{today} 06:00:00+00"),
            format!("{today} 06:00:00+00..{tomorrow} 12:00:00+00"),
            format!("{tomorrow} 12:00:00+00..{next} 00:00:00+00"),
            format!("{next} 00:00:00+00..{last} 00:00:00+00"),
        ]
    );
}

#[test]
fn fences_and_far_partitions_stay() {
    let mut db = Db::new();
    let today = day(&mut db, 0);
    db.exec(&format!(
        "CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);
         CREATE TABLE past PARTITION OF t FOR VALUES FROM (MINVALUE) TO ('{today} 00:00+00');
         CREATE TABLE far PARTITION OF t FOR VALUES FROM ('2097-01-01 00:00+00') TO (MAXVALUE);
         INSERT INTO t VALUES ('-infinity'), ('infinity'), ('0044-03-15 BC'), ('2097-05-01');
         SELECT dbguard.partition_enable('t', '1 day', 4)"
    ));
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "7");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT state FROM dbguard.partition_status()"), "ok");
}

#[test]
fn rows_in_the_default_stop_only_their_own_day() {
    let mut db = Db::new();
    let third = day(&mut db, 3);
    db.exec("SET dbguard.partition_drain_rows = 0");
    db.exec(&format!(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at);
         CREATE TABLE t_default PARTITION OF t DEFAULT;
         INSERT INTO t VALUES ('{third}'), ('{third}');
         CREATE TABLE other (at date) PARTITION BY RANGE (at)"
    ));
    let made = db.rows("SELECT lower, state, message FROM dbguard.partition_enable('t', '1 day', 4)");
    assert_eq!(made.len(), 5);
    for row in &made {
        assert_eq!(row[1], if row[0] == third { "failed" } else { "done" }, "{row:?}");
    }
    assert!(made[3][2].contains("default partition"), "{:?}", made[3]);
    db.exec(
        "SELECT dbguard.partition_enable('other', '1 day', 1); UPDATE dbguard.partition_set SET ahead = 5",
    );
    db.exec("CALL dbguard.partition_maintain()");
    let log = "SELECT table_name, lower, state, sqlstate FROM dbguard.partition_run
               WHERE action = 'make' AND run = (SELECT max(run) FROM dbguard.partition_run) AND table_name = 't' ORDER BY at";
    let fifth = day(&mut db, 5);
    assert_eq!(
        db.lines(log),
        [format!("t | {third} | failed | 23514"), format!("t | {fifth} | done | <null>")]
    );
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status() WHERE table_name = 'other'"), "0");
    db.exec("WITH gone AS (DELETE FROM t RETURNING at) SELECT count(*) FROM gone");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status() WHERE table_name = 't'"), "0");
}

#[test]
fn a_stray_old_partition_is_a_clear_error() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);
         CREATE TABLE old PARTITION OF t FOR VALUES FROM ('1970-01-01') TO ('1970-01-02')",
    );
    let e = db.error("SELECT dbguard.partition_enable('t', '1 hour')");
    assert_eq!((e.code.as_str(), e.hint.is_empty()), ("54000", false));
    assert_eq!(db.rows("SELECT * FROM dbguard.partition_set").len(), 0);
}
