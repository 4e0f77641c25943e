//! Keys that hold a time without being one: what is refused, and bounds that are no time.

use super::oracle::{assert_covers, clock, parent};
use dbguard_tests::Db;

#[test]
fn a_number_needs_its_unit_and_nothing_else_has_one() {
    let mut db = Db::new();
    parent(&mut db, "n", "bigint");
    parent(&mut db, "small", "int");
    parent(&mut db, "u", "uuid");
    for (table, unit, code) in [
        ("n", "NULL", "22023"),
        ("n", "'minutes'", "22023"),
        ("n", "'S'", "22023"),
        ("n", "''", "22023"),
        ("u", "'ms'", "22023"),
        ("small", "'s'", "0A000"),
    ] {
        let e =
            db.error(&format!("SELECT dbguard.partition_enable('{table}', '1 month', key_unit => {unit})"));
        assert_eq!((e.code.as_str(), e.hint.is_empty()), (code, false), "{table} {unit}: {e:?}");
    }
    assert_eq!(db.rows("SELECT * FROM dbguard.partition_set").len(), 0);
}

#[test]
fn the_collation_of_the_key_counts_not_that_of_the_column() {
    let mut db = Db::new();
    clock(&mut db, "2026-11-20");
    for (kind, key) in [("varchar(26) COLLATE \"C\"", "id"), ("text", "id COLLATE \"C\"")] {
        db.exec(&format!("CREATE TABLE t (id {kind}) PARTITION BY RANGE ({key})"));
        db.exec("SELECT dbguard.partition_enable('t', '1 day', 1)");
        clock(&mut db, "2026-11-22");
        db.exec("CALL dbguard.partition_maintain()");
        assert_eq!(db.value("SELECT state || partitions FROM dbguard.partition_status()"), "ok4", "{kind}");
        clock(&mut db, "2026-11-20");
        db.exec("SELECT dbguard.partition_disable('t'); DROP TABLE t");
    }
}

/// Bounds in seconds read as milliseconds would be of 1970, and all since then missing.
#[test]
fn the_unit_of_a_set_stays() {
    let mut db = Db::new();
    parent(&mut db, "n", "bigint");
    db.exec("SELECT dbguard.partition_enable('n', '1 month', 1, key_unit => 's')");
    let e = db.error("SELECT dbguard.partition_enable('n', '1 month', 1, key_unit => 'ms')");
    assert_eq!((e.code.as_str(), e.hint.is_empty()), ("55000", false), "{e:?}");
    db.exec("SELECT dbguard.partition_enable('n', '1 month', 2, key_unit => 's')");
    assert_eq!(
        db.value("SELECT partitions || key_unit FROM dbguard.partition_status(), dbguard.partition_set"),
        "3s"
    );
}

#[test]
fn beyond_the_range_of_the_key_is_a_clear_error() {
    let mut db = Db::new();
    parent(&mut db, "n", "bigint");
    parent(&mut db, "u", "uuid");
    clock(&mut db, "2026-11-20");
    // nanoseconds end in 2262
    let e = db.error("SELECT dbguard.partition_enable('n', '100 years', 2, key_unit => 'ns')");
    assert_eq!((e.code.as_str(), e.hint.is_empty()), ("22008", false), "{e:?}");
    db.exec("SELECT dbguard.partition_enable('n', '100 years', 1, key_unit => 'ns')");
    // a UUID has no time before 1970
    let e = db.error("SELECT dbguard.partition_enable('u', '20 years', behind => 3)");
    assert_eq!((e.code.as_str(), e.hint.is_empty()), ("22008", false), "{e:?}");
}

#[test]
fn a_partition_whose_bounds_are_no_time_makes_the_set_broken() {
    let mut db = Db::new();
    clock(&mut db, "2026-11-20");
    db.exec("CREATE TABLE good (at date) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('good', '1 day', 1)");
    let cases = [
        ("uuid", "", "01b00000-0000-7000-8000-000000000000", "01b00000-0001-0000-0000-000000000000"),
        ("bigint", ", key_unit => 'ns'", "1900000000000000001", "1900000001000000000"),
        ("text COLLATE \"C\"", "", "01N9", "01NA"),
        ("text COLLATE \"C\"", "", "monday", "tuesday"),
    ];
    for (kind, unit, from, to) in cases {
        parent(&mut db, "t", kind);
        let enable = format!("SELECT dbguard.partition_enable('t', '1 month', 1{unit})");
        db.exec(&enable);
        db.exec(&format!("CREATE TABLE \"Odd One\" PARTITION OF t FOR VALUES FROM ('{from}') TO ('{to}')"));
        clock(&mut db, "2026-12-20");
        db.exec("CALL dbguard.partition_maintain()");
        assert_eq!(
            db.lines("SELECT table_name, state, message FROM dbguard.partition_status() ORDER BY 1"),
            ["good | ok | <null>", "t | broken | a bound of partition \"Odd One\" is not a time"],
            "{kind} {from}"
        );
        assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "3");
        let e = db.error(&enable);
        assert_eq!((e.code.as_str(), e.hint.is_empty()), ("55000", false), "{e:?}");
        db.exec("DROP TABLE \"Odd One\"");
        db.exec("CALL dbguard.partition_maintain()");
        assert_eq!(db.value("SELECT state FROM dbguard.partition_status() WHERE table_name = 't'"), "ok");
        db.exec("SELECT dbguard.partition_disable('t'); DROP TABLE t");
        clock(&mut db, "2026-11-20");
    }
}

/// Bounds off the grid are bridged, and the extremes of a type are fences.
#[test]
fn foreign_bounds_that_are_times_are_bridged() {
    let mut db = Db::new();
    clock(&mut db, "2026-11-20");
    parent(&mut db, "n", "bigint");
    db.exec(
        "CREATE TABLE odd PARTITION OF n FOR VALUES FROM (1795000000123) TO (1796083200001);
         CREATE TABLE fence PARTITION OF n FOR VALUES FROM (4102444800000) TO (9223372036854775807);
         CREATE TABLE past PARTITION OF n FOR VALUES FROM (MINVALUE) TO (1793491200000);
         SELECT dbguard.partition_enable('n', '1 month', 1, key_unit => 'ms')",
    );
    assert_eq!(db.value("SELECT state FROM dbguard.partition_status()"), "ok");
    let made = db.lines(
        "SELECT partition_name, lower, upper FROM dbguard.partition_run WHERE action = 'make' ORDER BY 2",
    );
    assert_eq!(
        made,
        ["n_p202611 | 1793491200000 | 1795000000123", "n_p20261201_000000 | 1796083200001 | 1798761600000"]
    );
    db.exec("DROP TABLE fence, past");
    assert_covers(&mut db, "n", "bigint", "1793491200000", "1798761600000");
    parent(&mut db, "u", "uuid");
    db.exec(
        "CREATE TABLE u_fence PARTITION OF u
           FOR VALUES FROM ('01c00000-0000-0000-0000-000000000000') TO ('ffffffff-ffff-ffff-ffff-ffffffffffff');
         SELECT dbguard.partition_enable('u', '1 month', 1)",
    );
    assert_eq!(db.value("SELECT state FROM dbguard.partition_status() WHERE table_name = 'u'"), "ok");
}

/// Names, rights and the zone are as with any key; a restore finds the options again.
#[test]
fn options_of_the_key_live_through_dump_and_restore() {
    let mut db = Db::new();
    clock(&mut db, "2026-11-20");
    parent(&mut db, "n", "bigint");
    db.exec("SELECT dbguard.partition_enable('n', '1 month', 1, 'Europe/Berlin', anchor => '2026-01-15', key_unit => 'us')");
    let dump = db.cluster().run("pg_dump", &[&db.name]);
    let mut copy = Db::empty_in(db.cluster());
    let file = db.cluster().dir().join(format!("{}.sql", db.name));
    std::fs::write(&file, &dump.stdout).unwrap();
    let restored = db
        .cluster()
        .run("psql", &["-qXv", "ON_ERROR_STOP=1", "-d", &copy.name, "-f", file.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    clock(&mut copy, "2026-12-20");
    copy.exec("CALL dbguard.partition_maintain()");
    let edge = |day: &str| {
        format!("SELECT (extract(epoch FROM timezone('Europe/Berlin', timestamp '{day}')) * 1000000)::bigint")
    };
    let (from, to) = (copy.value(&edge("2026-11-15")), copy.value(&edge("2027-02-15")));
    assert_covers(&mut copy, "n", "bigint", &from, &to);
}

/// A partition of rows without a beginning, and one of those without an end, lie beyond every time.
#[test]
fn partitions_of_the_infinities() {
    let mut db = Db::new();
    for kind in ["date", "timestamp", "timestamptz"] {
        db.exec(&format!(
            "CREATE TABLE of_{kind} (at {kind}) PARTITION BY RANGE (at);
             CREATE TABLE {kind}_lowest PARTITION OF of_{kind} FOR VALUES FROM (MINVALUE) TO ('-infinity');
             CREATE TABLE {kind}_highest PARTITION OF of_{kind} FOR VALUES FROM ('infinity') TO (MAXVALUE)"
        ));
        let made = db.rows(&format!("SELECT * FROM dbguard.partition_enable('of_{kind}', '1 day', 2)"));
        assert_eq!(made.len(), 3, "{kind}: {made:?}");
        db.exec(&format!("SELECT dbguard.partition_retain('of_{kind}', '1 year')"));
    }
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT DISTINCT state, partitions, missing FROM dbguard.partition_status()"),
        ["ok | 5 | 0"]
    );
    assert_eq!(
        db.lines("SELECT problem FROM dbguard.partition_health() WHERE severity <> 'info'"),
        Vec::<String>::new()
    );
}
