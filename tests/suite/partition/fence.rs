//! Fences: no row is refused, and nothing else changes.

use dbguard_tests::Db;

#[test]
fn rows_before_and_far_beyond_find_a_partition() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(
        "CREATE TABLE t (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 day', 2, behind => 3)",
    );
    let fences =
        ["t_before | MINVALUE | 2026-11-17 00:00:00+00", "t_beyond | 2126-11-20 00:00:00+00 | MAXVALUE"];
    assert_eq!(
        db.lines("SELECT partition, lower, upper FROM dbguard.partition_fence('t', dry_run => true)"),
        fences
    );
    assert_eq!(db.value("SELECT partitions FROM dbguard.partition_status()"), "6");
    assert_eq!(db.lines("SELECT partition, lower, upper FROM dbguard.partition_fence('t')"), fences);
    db.exec(
        "INSERT INTO t VALUES (1, '-infinity'), (2, '0044-03-15 BC'), (3, 'infinity'), (4, '2500-01-01')",
    );
    assert_eq!(
        db.lines(
            "SELECT tableoid::regclass, count(*) FROM t GROUP BY tableoid ORDER BY tableoid::regclass::text"
        ),
        ["t_before | 2", "t_beyond | 2"]
    );
    // what lies between the horizon and the fence is refused as before
    assert_eq!(db.error("INSERT INTO t VALUES (5, '2097-01-01')").code, "23514");
    let status = "SELECT state, partitions, missing, covered_until FROM dbguard.partition_status()";
    assert_eq!(db.lines(status), ["ok | 8 | 0 | 2026-11-23 00:00:00+00"]);
    // a hole is filled, the gap before the fence is not
    db.exec("DROP TABLE t_p20261121; SET dbguard.partition_clock = '2026-11-21 12:00:00+00'");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines(status), ["ok | 9 | 0 | 2026-11-24 00:00:00+00"]);
    // fences are not retired, and are in nobody's way
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 't'::regclass ORDER BY inhrelid::regclass::text COLLATE \"C\""),
        ["t_before", "t_beyond", "t_p20261119", "t_p20261120", "t_p20261121", "t_p20261122", "t_p20261123"]
    );
    assert_eq!(
        db.lines("SELECT problem FROM dbguard.partition_health() WHERE problem <> 'never_analyzed'"),
        Vec::<String>::new()
    );
    assert_eq!(db.value("SELECT count(*) FROM t"), "4");
}

#[test]
fn what_cannot_be_fenced() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at);
         CREATE TABLE d (at date) PARTITION BY RANGE (at); CREATE TABLE d_rest PARTITION OF d DEFAULT;
         SELECT dbguard.partition_enable('t', '1 month', 2); SELECT dbguard.partition_enable('d', '1 month', 2)",
    );
    for (call, code) in [
        ("SELECT dbguard.partition_fence(NULL)", "22004"),
        ("SELECT dbguard.partition_fence('t', NULL)", "22004"),
        ("SELECT dbguard.partition_fence('t', dry_run => NULL)", "22004"),
        ("SELECT dbguard.partition_fence('t', '1 month')", "22023"),
        ("SELECT dbguard.partition_fence('t', '-1 year')", "22023"),
        ("SELECT dbguard.partition_fence('d')", "55000"),
    ] {
        assert_eq!(db.error(call).code, code, "{call}");
    }
    let mut other = db.connect_as("fence_other");
    assert_eq!(other.error("SELECT dbguard.partition_fence('t')").code, "42501");
    db.exec("SELECT dbguard.partition_fence('t', '10 years')");
    assert_eq!(db.error("SELECT dbguard.partition_fence('t')").code, "55000");
    assert_eq!(
        db.lines("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname IN ('t_before', 't_beyond') ORDER BY relname"),
        ["FOR VALUES FROM (MINVALUE) TO ('2026-11-01')", "FOR VALUES FROM ('2036-11-01') TO (MAXVALUE)"]
    );
}
