//! The clock for rehearsals, the anchor of the grid, and partitions before now.

use super::oracle::{assert_covers, between, bounds, clock, parent};
use dbguard_tests::Db;

#[test]
fn the_clock_takes_a_time_or_nothing() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 1)");
    let missing = "SELECT missing FROM dbguard.partition_status()";
    assert_eq!(db.value(missing), "0");
    for bad in ["tomorrow", "infinity", "2026-13-01", "20.11.2026", "2026-11-20 25:00"] {
        let e = db.error(&format!("SET dbguard.partition_clock = '{bad}'"));
        assert_eq!((e.code.as_str(), e.hint.is_empty()), ("22023", false), "{bad}: {e:?}");
        assert!(e.message.contains("dbguard.partition_clock"), "{e:?}");
    }
    let ahead = db.value("SELECT now() + interval '10 days'");
    clock(&mut db, &ahead);
    assert_eq!(db.value(missing), "10");
    clock(&mut db, "");
    assert_eq!(db.value(missing), "0");
    clock(&mut db, &ahead);
    db.exec("RESET dbguard.partition_clock");
    assert_eq!(db.value(missing), "0");
}

#[test]
fn the_clock_is_for_superusers() {
    let mut db = Db::new();
    let mut other = db.connect_as("partition_clock_user");
    other.exec("SELECT dbguard.version()");
    assert_eq!(other.error("SET dbguard.partition_clock = '2026-11-20'").code, "42501");
    db.exec("SET dbguard.partition_clock = '2026-11-20'");
}

#[test]
fn the_log_of_runs_keeps_the_real_time() {
    let mut db = Db::new();
    parent(&mut db, "t", "date");
    db.exec("SELECT dbguard.partition_enable('t', '1 month', 1)");
    clock(&mut db, "2096-01-01");
    db.exec("UPDATE dbguard.partition_set SET every = '100 years'");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.partition_run WHERE at > now() - interval '1 hour'"),
        "6"
    );
}

#[test]
fn behind_makes_partitions_before_now_at_set_up() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, "2026-11-20 12:00Z");
    let call = "SELECT lower FROM dbguard.partition_enable('t', '1 month', 1, 'Europe/Berlin', behind => 3";
    let planned = db.lines(&format!("{call}, dry_run => true)"));
    assert_eq!(planned.len(), 5);
    assert_eq!(db.lines(&format!("{call})")), planned);
    let months = between(
        &mut db,
        "SELECT timezone('Europe/Berlin', m) FROM generate_series(timestamp '2026-08-01', '2027-01-01', '1 month') m",
    );
    assert_eq!(bounds(&mut db, "t"), months);
    db.exec("INSERT INTO t VALUES (1, '2026-08-01 00:00+02')");
    // and from then on the first there is counts
    clock(&mut db, "2027-01-20 12:00Z");
    db.exec("DROP TABLE t_p202609");
    db.exec("CALL dbguard.partition_maintain()");
    assert_covers(&mut db, "t", "timestamptz", "2026-07-31 22:00Z", "2027-02-28 23:00Z");
    for bad in ["-1", "1001"] {
        let e = db.error(&format!("SELECT dbguard.partition_enable('t', '1 day', behind => {bad})"));
        assert_eq!((e.code.as_str(), e.hint.is_empty()), ("22023", false), "{e:?}");
    }
    assert_eq!(db.error("SELECT dbguard.partition_enable('t', '1 day', behind => NULL)").code, "22004");
}

#[test]
fn an_anchor_of_ones_own() {
    let mut db = Db::new();
    clock(&mut db, "2026-10-24 12:00Z");
    let cases = [
        // weeks from Sunday
        ("date", "1 week", "2026-11-15", "date '2026-10-18'", "1 week", 0),
        ("timestamp", "1 day", "2030-01-01 06:00", "timestamp '2026-10-24 06:00'", "1 day", 0),
        // the day begins at six in Berlin, also on the day of 25 hours
        ("timestamptz", "1 day", "2000-01-01 06:00", "timestamp '2026-10-24 06:00'", "1 day", 0),
        // the same written as a moment
        ("timestamptz", "1 day", "2026-06-01 04:00Z", "timestamp '2026-10-24 06:00'", "1 day", 0),
        ("timestamptz", "1 year", "2024-02-29", "timestamp '2024-02-29'", "1 year", 2),
    ];
    for (kind, every, anchor, first, step, shift) in cases {
        parent(&mut db, "t", kind);
        db.exec(&format!(
            "SELECT dbguard.partition_enable('t', '{every}', 1, 'Europe/Berlin', anchor => '{anchor}')"
        ));
        let wall = format!("{first} + (n + {shift}) * interval '{step}'");
        let edge = match kind {
            "timestamptz" => format!("timezone('Europe/Berlin', {wall})"),
            kind => format!("({wall})::{kind}"),
        };
        let expected = between(&mut db, &format!("SELECT {edge} FROM generate_series(0, 2) n"));
        assert_eq!(bounds(&mut db, "t"), expected, "{kind} {every} {anchor}");
        db.exec("SELECT dbguard.partition_disable('t'); DROP TABLE t");
    }
}

#[test]
fn anchors_that_are_refused() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    parent(&mut db, "d", "date");
    for (table, anchor) in [
        ("t", "monday"),
        ("t", "infinity"),
        ("t", "31.01.2026"),
        ("t", "2026-02-30"),
        ("t", "2026-01-31 00:00:30"),
        ("d", "2026-01-31 06:00"),
    ] {
        let e =
            db.error(&format!("SELECT dbguard.partition_enable('{table}', '1 day', anchor => '{anchor}')"));
        assert_eq!((e.code.as_str(), e.hint.is_empty()), ("22023", false), "{anchor}: {e:?}");
    }
    assert_eq!(db.rows("SELECT * FROM dbguard.partition_set").len(), 0);
}

#[test]
fn the_anchor_is_an_option_like_the_others() {
    let mut db = Db::new();
    parent(&mut db, "t", "date");
    clock(&mut db, "2026-11-20");
    let call = "SELECT dbguard.partition_enable('t', '1 month', 1, anchor => '2026-11-15')";
    assert_eq!(db.rows(call).len(), 2);
    assert_eq!(db.rows(call).len(), 0);
    assert_eq!(db.value("SELECT anchor FROM dbguard.partition_set"), "2026-11-15 00:00:00");
    // back to the calendar: a short one bridges the two grids
    db.exec("SELECT dbguard.partition_enable('t', '1 month', 3, anchor => '')");
    assert_eq!(db.value("SELECT anchor FROM dbguard.partition_set"), "<null>");
    assert_eq!(
        bounds(&mut db, "t"),
        [
            "2026-11-01..2026-11-15",
            "2026-11-15..2026-12-15",
            "2026-12-15..2027-01-15",
            "2027-01-15..2027-02-01",
            "2027-02-01..2027-03-01"
        ]
    );
}
