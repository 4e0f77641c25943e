//! Partitions made in time, holes, and what is there already, on a clock that is set. Each test
//! quotes the number of its case in the collection of black-box cases.

use super::oracle::{assert_covers, between, bounds, clock, parent};
use dbguard_tests::Db;

const NOW: &str = "2026-11-20 12:00Z";

fn days(db: &mut Db, from: &str, to: &str) -> Vec<String> {
    between(db, &format!("SELECT generate_series(timestamptz '{from} 00:00Z', '{to} 00:00Z', '1 day')"))
}

/// Case 19.
#[test]
fn a_table_without_rows_gets_its_partitions() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, NOW);
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 1)");
    assert_eq!(bounds(&mut db, "t"), days(&mut db, "2026-11-20", "2026-11-22"));
    db.exec("UPDATE dbguard.partition_set SET ahead = 6");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(bounds(&mut db, "t"), days(&mut db, "2026-11-20", "2026-11-27"));
}

/// Case 20: in the default, and in a partition of somebody's own.
#[test]
fn a_row_of_the_far_future_moves_no_horizon() {
    let mut db = Db::new();
    clock(&mut db, NOW);
    for home in ["DEFAULT", "FOR VALUES FROM ('2097-01-01 00:00Z') TO ('2098-01-01 00:00Z')"] {
        parent(&mut db, "t", "timestamptz");
        db.exec(&format!(
            "CREATE TABLE stray PARTITION OF t {home}; INSERT INTO t VALUES (1, '2097-01-01 00:00Z');
             SELECT dbguard.partition_enable('t', '1 day', 4)"
        ));
        let mut made = bounds(&mut db, "t");
        made.truncate(5);
        assert_eq!(made, days(&mut db, "2026-11-20", "2026-11-25"), "{home}");
        clock(&mut db, "2026-11-21 12:00Z");
        db.exec("CALL dbguard.partition_maintain()");
        let count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass";
        assert_eq!(db.value(count), "7", "{home}");
        assert_eq!(db.value("SELECT tableoid::regclass FROM t"), "stray");
        clock(&mut db, NOW);
        db.exec("SELECT dbguard.partition_disable('t'); DROP TABLE t");
    }
}

/// Case 21.
#[test]
fn a_partition_dropped_by_hand_is_back() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, NOW);
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 4); DROP TABLE t_p20261122");
    assert_eq!(db.error("INSERT INTO t VALUES (1, '2026-11-22 12:00Z')").code, "23514");
    db.exec("CALL dbguard.partition_maintain()");
    assert_covers(&mut db, "t", "timestamptz", "2026-11-20 00:00Z", "2026-11-25 00:00Z");
    db.exec("INSERT INTO t VALUES (1, '2026-11-22 12:00Z')");
}

/// Case 22, but for retention.
#[test]
fn one_run_after_sixty_days_makes_up_for_them() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, "2026-09-21 12:00Z");
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 4)");
    clock(&mut db, NOW);
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(bounds(&mut db, "t"), days(&mut db, "2026-09-21", "2026-11-25"));
    assert_covers(&mut db, "t", "timestamptz", "2026-09-21 00:00Z", "2026-11-25 00:00Z");
}

/// Case 23.
#[test]
fn partitions_on_the_grid_are_adopted_whatever_their_names() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, NOW);
    db.exec(
        "CREATE TABLE ad_2026_11 PARTITION OF t FOR VALUES FROM ('2026-11-01 00:00Z') TO ('2026-12-01 00:00Z');
         CREATE TABLE ad_2026_12 PARTITION OF t FOR VALUES FROM ('2026-12-01 00:00Z') TO ('2027-01-01 00:00Z')",
    );
    let made = db.lines("SELECT lower, upper FROM dbguard.partition_enable('t', '1 month', 3)");
    assert_eq!(
        made,
        [
            "2027-01-01 00:00:00+00 | 2027-02-01 00:00:00+00",
            "2027-02-01 00:00:00+00 | 2027-03-01 00:00:00+00"
        ]
    );
    assert_covers(&mut db, "t", "timestamptz", "2026-11-01 00:00Z", "2027-03-01 00:00Z");
    assert_eq!(
        db.value("SELECT count(*) FROM pg_class WHERE relname ~ '^ad_' AND relispartition AND relkind = 'r'"),
        "2"
    );
}

/// Case 24.
#[test]
fn what_a_partition_off_the_grid_leaves_is_covered() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, NOW);
    db.exec(
        "CREATE TABLE odd PARTITION OF t FOR VALUES FROM ('2026-11-20 06:00Z') TO ('2026-11-22 12:00Z');
         SELECT dbguard.partition_enable('t', '1 day', 3)",
    );
    assert_eq!(
        bounds(&mut db, "t"),
        [
            "2026-11-20 00:00:00+00..2026-11-20 06:00:00+00",
            "2026-11-20 06:00:00+00..2026-11-22 12:00:00+00",
            "2026-11-22 12:00:00+00..2026-11-23 00:00:00+00",
            "2026-11-23 00:00:00+00..2026-11-24 00:00:00+00"
        ]
    );
    assert_covers(&mut db, "t", "timestamptz", "2026-11-20 00:00Z", "2026-11-24 00:00Z");
}

const ODD_TIMES: [&str; 4] = ["-infinity", "infinity", "0044-03-15 00:00Z BC", "2026-11-19 23:59:59.999999Z"];

/// Case 26 without a default partition.
#[test]
fn times_no_partition_holds_are_refused() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, NOW);
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 1)");
    for odd in ODD_TIMES {
        assert_eq!(db.error(&format!("INSERT INTO t VALUES (1, '{odd}')")).code, "23514", "{odd}");
    }
    clock(&mut db, "2026-11-22 12:00Z");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(bounds(&mut db, "t"), days(&mut db, "2026-11-20", "2026-11-24"));
}

/// Case 26 with a default partition of the user's own.
#[test]
fn times_in_the_default_partition_stop_nothing() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, NOW);
    db.exec("CREATE TABLE caught PARTITION OF t DEFAULT; SELECT dbguard.partition_enable('t', '1 day', 1)");
    for odd in ODD_TIMES {
        db.exec(&format!("INSERT INTO t VALUES (1, '{odd}')"));
    }
    clock(&mut db, "2026-11-22 12:00Z");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(bounds(&mut db, "t"), days(&mut db, "2026-11-20", "2026-11-24"));
    assert_eq!(db.value("SELECT state FROM dbguard.partition_status()"), "ok");
    assert_eq!(db.lines("SELECT tableoid::regclass, count(*) FROM t GROUP BY 1"), ["caught | 4"]);
}

/// Case 27: without a catcher PostgreSQL itself refuses the row.
#[test]
fn a_row_without_a_time_needs_a_default_partition_and_stops_nothing() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id bigint, at timestamptz, v text) PARTITION BY RANGE (at)");
    clock(&mut db, NOW);
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 1)");
    assert_eq!(db.error("INSERT INTO t VALUES (1, NULL)").code, "23514");
    db.exec("CREATE TABLE caught PARTITION OF t DEFAULT; INSERT INTO t VALUES (1, NULL)");
    clock(&mut db, "2026-11-22 12:00Z");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(bounds(&mut db, "t"), days(&mut db, "2026-11-20", "2026-11-24"));
    assert_eq!(db.value("SELECT tableoid::regclass FROM t"), "caught");
    assert_eq!(db.value("SELECT state FROM dbguard.partition_status()"), "ok");
}
