//! Where partitions begin and end, on a clock that is set. Each test quotes the number of its case
//! in the collection of black-box cases; what is expected is written out there, or the server's own
//! date arithmetic.

use super::oracle::{assert_covers, between, bounds, clock, parent, typed_bounds};
use dbguard_tests::Db;

/// Which partition a row went to.
fn place(db: &mut Db, id: i64) -> String {
    db.value(&format!("SELECT tableoid::regclass FROM t WHERE id = {id}"))
}

/// Case 1.
#[test]
fn the_hour_that_comes_twice_is_two_partitions() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, "2026-10-25 00:30+02");
    db.exec("SELECT dbguard.partition_enable('t', '1 hour', 24, 'Europe/Berlin')");
    assert_covers(&mut db, "t", "timestamptz", "2026-10-24 22:00Z", "2026-10-25 23:00Z");
    let hours = between(
        &mut db,
        "SELECT generate_series(timestamptz '2026-10-24 22:00Z', '2026-10-25 23:00Z', '1 hour')",
    );
    assert_eq!((bounds(&mut db, "t"), hours.len()), (hours, 25));
    let names =
        "SELECT count(DISTINCT inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 't'::regclass";
    assert_eq!(db.value(names), "25");
    db.exec("INSERT INTO t VALUES (1, '2026-10-25 02:30+02'), (2, '2026-10-25 02:30+01')");
    assert_ne!(place(&mut db, 1), place(&mut db, 2));
}

/// Case 2.
#[test]
fn the_hour_that_is_left_out_has_no_partition() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, "2026-03-29 00:30+01");
    db.exec("SELECT dbguard.partition_enable('t', '1 hour', 22, 'Europe/Berlin')");
    assert_covers(&mut db, "t", "timestamptz", "2026-03-28 23:00Z", "2026-03-29 22:00Z");
    assert_eq!(bounds(&mut db, "t").len(), 23);
}

/// Case 3.
#[test]
fn a_day_may_have_25_hours() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, "2026-10-24 12:00Z");
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 2, 'Europe/Berlin')");
    assert_covers(&mut db, "t", "timestamptz", "2026-10-23 22:00Z", "2026-10-26 23:00Z");
    let days = between(
        &mut db,
        "SELECT timezone('Europe/Berlin', d) FROM generate_series(timestamp '2026-10-24', '2026-10-27', '1 day') d",
    );
    assert_eq!(bounds(&mut db, "t"), days);
    assert_eq!(days[1], "2026-10-24 22:00:00+00..2026-10-25 23:00:00+00");
}

/// Case 6.
#[test]
fn days_stay_days_of_their_zone_in_a_session_elsewhere() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, "2026-11-20 12:00Z");
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 4)");
    let mut other = db.connect();
    clock(&mut other, "2026-11-20 12:00Z");
    other.exec("UPDATE dbguard.partition_set SET ahead = 8; SET TimeZone = 'America/New_York'");
    other.exec("CALL dbguard.partition_maintain()");
    assert_covers(&mut db, "t", "timestamptz", "2026-11-20 00:00Z", "2026-11-29 00:00Z");
    let days = between(
        &mut db,
        "SELECT generate_series(timestamptz '2026-11-20 00:00Z', '2026-11-29 00:00Z', '1 day')",
    );
    assert_eq!(bounds(&mut db, "t"), days);
    let told = db.lines(
        "SELECT DISTINCT partition_name = 't_p' || to_char(lower::timestamptz, 'YYYYMMDD') FROM dbguard.partition_run
         WHERE action = 'make'",
    );
    assert_eq!(told, ["t"]);
}

/// Case 7.
#[test]
fn months_do_not_drift_in_a_session_elsewhere() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, "2026-11-20 12:00Z");
    db.exec("SELECT dbguard.partition_enable('t', '1 month', 1); SET TimeZone = 'America/New_York'");
    clock(&mut db, "2027-06-30 23:00Z");
    db.exec("CALL dbguard.partition_maintain()");
    let months = between(
        &mut db,
        "SELECT timezone('UTC', m) FROM generate_series(timestamp '2026-11-01', '2027-08-01', '1 month') m",
    );
    assert_eq!(bounds(&mut db, "t"), months);
}

/// Case 8.
#[test]
fn how_a_session_writes_dates_does_not_matter() {
    let mut db = Db::new();
    let mut made = vec![];
    for foreign in [false, true] {
        parent(&mut db, "t", "timestamptz");
        clock(&mut db, "2026-11-05 12:00Z");
        db.exec("SELECT dbguard.partition_enable('t', '12 hours', 1, 'Asia/Kolkata', anchor => '2000-01-01 03:30')");
        let mut session = db.connect();
        clock(&mut session, "2026-11-08 12:00Z");
        if foreign {
            session.exec(
                "SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 0",
            );
            // a locale that is not installed cannot be set
            let _ = session.try_exec("SET lc_time = 'de_DE.utf8'");
        }
        session.exec("CALL dbguard.partition_maintain()");
        let names =
            "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 't'::regclass ORDER BY 1::text";
        made.push((bounds(&mut db, "t"), db.lines(names)));
        db.exec("SELECT dbguard.partition_disable('t'); DROP TABLE t");
    }
    assert_eq!(made[0], made[1]);
    // 03:30 and 15:30 in Kolkata are 22:00 and 10:00 in UTC
    let halves = between(
        &mut db,
        "SELECT generate_series(timestamptz '2026-11-05 10:00Z', '2026-11-09 10:00Z', '12 hours')",
    );
    assert_eq!(made[0].0, halves);
}

/// Case 9.
#[test]
fn weeks_begin_on_monday() {
    let mut db = Db::new();
    parent(&mut db, "t", "date");
    clock(&mut db, "2026-12-30");
    db.exec("SELECT dbguard.partition_enable('t', '1 week', 2)");
    assert_eq!(
        bounds(&mut db, "t"),
        ["2026-12-28..2027-01-04", "2027-01-04..2027-01-11", "2027-01-11..2027-01-18"]
    );
    assert_eq!(db.value("SELECT to_char(date '2026-12-28', 'IYYY-IW-ID')"), "2026-53-1");
}

/// Case 10.
#[test]
fn quarters_begin_with_the_quarter() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamp");
    clock(&mut db, "2026-02-10");
    db.exec("SELECT dbguard.partition_enable('t', '3 months', 2)");
    let quarters = between(
        &mut db,
        "SELECT date_trunc('quarter', timestamp '2026-02-10') + n * interval '3 months' FROM generate_series(0, 3) n",
    );
    assert_eq!(bounds(&mut db, "t"), quarters);
    assert_eq!(quarters[0], "2026-01-01 00:00:00..2026-04-01 00:00:00");
}

/// Case 11.
#[test]
fn months_from_the_31st_do_not_stick_at_the_28th() {
    let mut db = Db::new();
    parent(&mut db, "t", "date");
    clock(&mut db, "2026-02-10");
    db.exec("SELECT dbguard.partition_enable('t', '1 month', 4, anchor => '2026-01-31')");
    let expected = [
        "2026-01-31..2026-02-28",
        "2026-02-28..2026-03-31",
        "2026-03-31..2026-04-30",
        "2026-04-30..2026-05-31",
        "2026-05-31..2026-06-30",
    ];
    assert_eq!(bounds(&mut db, "t"), expected);
    // and a year on, the same: the anchor and n months, as the server adds them
    clock(&mut db, "2027-02-10");
    db.exec("CALL dbguard.partition_maintain()");
    let months = between(
        &mut db,
        "SELECT (date '2026-01-31' + n * interval '1 month')::date FROM generate_series(0, 17) n",
    );
    assert_eq!(bounds(&mut db, "t"), months);
}

/// Case 13: centuries are counted from 2000.
#[test]
fn a_century() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamp");
    clock(&mut db, "2026-11-20");
    db.exec("SELECT dbguard.partition_enable('t', '100 years', 1)");
    assert_eq!(
        bounds(&mut db, "t"),
        ["2000-01-01 00:00:00..2100-01-01 00:00:00", "2100-01-01 00:00:00..2200-01-01 00:00:00"]
    );
    db.exec("INSERT INTO t VALUES (1, '2000-12-31'), (2, '2001-01-01')");
    assert_eq!(db.error("INSERT INTO t VALUES (3, '1999-12-31')").code, "23514");
}

/// Case 14.
#[test]
fn ten_days_are_the_same_whatever_the_day_of_the_run() {
    let mut db = Db::new();
    parent(&mut db, "t", "timestamptz");
    clock(&mut db, "2026-11-20 12:00Z");
    db.exec("SELECT dbguard.partition_enable('t', '10 days', 1)");
    for day in ["2026-11-23 12:00Z", "2026-12-07 12:00Z"] {
        clock(&mut db, day);
        db.exec("CALL dbguard.partition_maintain()");
    }
    let multiples = between(
        &mut db,
        "SELECT timezone('UTC', timestamp '2000-01-01' + n * interval '10 days')
         FROM (SELECT (date '2026-11-20' - date '2000-01-01') / 10 + i FROM generate_series(0, 3) i) x (n)",
    );
    assert_eq!(bounds(&mut db, "t"), multiples);
    assert_eq!(multiples[0], "2026-11-20 00:00:00+00..2026-11-30 00:00:00+00");
}

/// Case 16.
#[test]
fn numbers_since_1970() {
    let mut db = Db::new();
    for (unit, zeros) in [("s", ""), ("ms", "000"), ("us", "000000"), ("ns", "000000000")] {
        parent(&mut db, "t", "bigint");
        clock(&mut db, "2026-11-20");
        db.exec(&format!("SELECT dbguard.partition_enable('t', '1 month', 1, key_unit => '{unit}')"));
        assert_eq!(
            typed_bounds(&mut db, "t", "bigint"),
            [
                format!("1793491200{zeros}..1796083200{zeros}"),
                format!("1796083200{zeros}..1798761600{zeros}")
            ]
        );
        // the first and the last of November
        db.exec(&format!("INSERT INTO t VALUES (1, 1793491200{zeros}), (2, 1796083200{zeros} - 1)"));
        assert_eq!(place(&mut db, 1), "t_p202611");
        assert_eq!(place(&mut db, 2), "t_p202611");
        clock(&mut db, "2027-01-20");
        db.exec("CALL dbguard.partition_maintain()");
        let to = db.value(&format!(
            "SELECT extract(epoch FROM timestamptz '2027-03-01 00:00Z')::bigint || '{zeros}'"
        ));
        assert_covers(&mut db, "t", "bigint", &format!("1793491200{zeros}"), &to);
        assert_eq!(db.value("SELECT covered_until FROM dbguard.partition_status()"), to);
        db.exec("SELECT dbguard.partition_disable('t'); DROP TABLE t");
    }
}

/// Case 17.
#[test]
fn uuids_of_version_7() {
    let mut db = Db::new();
    parent(&mut db, "t", "uuid");
    clock(&mut db, "2026-11-20");
    db.exec("SELECT dbguard.partition_enable('t', '1 month', 1)");
    assert_eq!(
        typed_bounds(&mut db, "t", "uuid")[0],
        "01a19467-e800-0000-0000-000000000000..01a22ee6-b000-0000-0000-000000000000"
    );
    db.exec(
        "CREATE FUNCTION id_of(at timestamptz, rest text) RETURNS uuid LANGUAGE sql AS
           $$ SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || rest)::uuid $$;
         INSERT INTO t VALUES (1, id_of('2026-11-30 23:59:59.999Z', '7fffbfffffffffffffff')),
                              (2, id_of('2026-12-01 00:00Z', '70008000000000000000'))",
    );
    assert_eq!((place(&mut db, 1), place(&mut db, 2)), ("t_p202611".into(), "t_p202612".into()));
    clock(&mut db, "2027-03-20");
    db.exec("CALL dbguard.partition_maintain()");
    let end = db.value("SELECT id_of('2027-05-01 00:00Z', repeat('0', 20))");
    assert_covers(&mut db, "t", "uuid", "01a19467-e800-0000-0000-000000000000", &end);
}

/// Case 18.
#[test]
fn ulids_in_the_order_of_their_bytes() {
    let mut db = Db::new();
    parent(&mut db, "t", "text COLLATE \"C\"");
    clock(&mut db, "2026-11-20");
    db.exec("SELECT dbguard.partition_enable('t', '1 month', 1)");
    let kind = "text COLLATE \"C\"";
    let pad = "0".repeat(16);
    assert_eq!(typed_bounds(&mut db, "t", kind)[0], format!("01M6A6FT00{pad}..01M8QEDC00{pad}"));
    db.exec(
        "INSERT INTO t VALUES (1, '01M6A6FT00ZZZZZZZZZZZZZZZZ'), (2, '01M8QEDBZZZZZZZZZZZZZZZZZZ'),
                                  (3, '01M8QEDC000000000000000001')",
    );
    assert_eq!(place(&mut db, 1), "t_p202611");
    assert_eq!(place(&mut db, 2), "t_p202611");
    assert_eq!(place(&mut db, 3), "t_p202612");
    clock(&mut db, "2027-01-20");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT state || partitions FROM dbguard.partition_status()"), "ok4");
    for collation in ["", "COLLATE \"POSIX\""] {
        db.exec(&format!("CREATE TABLE other (id text {collation}) PARTITION BY RANGE (id)"));
        let e = db.error("SELECT dbguard.partition_enable('other', '1 month')");
        assert_eq!((e.code.as_str(), e.hint.contains("COLLATE \"C\"")), ("0A000", true), "{e:?}");
        db.exec("DROP TABLE other");
    }
}
