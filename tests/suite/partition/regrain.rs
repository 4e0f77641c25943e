//! A partition wider than the grid replaced by those of the grid.

use dbguard_tests::Db;

fn places(db: &mut Db, table: &str) -> Vec<String> {
    db.lines(&format!("SELECT tableoid::regclass, count(*) FROM {table} GROUP BY tableoid ORDER BY tableoid::regclass::text"))
}

fn bounds(db: &mut Db, table: &str) -> Vec<String> {
    db.lines(&format!(
        "SELECT c.relname, pg_get_expr(relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
         WHERE inhparent = '{table}'::regclass ORDER BY 1"
    ))
}

#[test]
fn the_first_partition_of_a_converted_set() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(
        "CREATE TABLE t (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE t_first PARTITION OF t FOR VALUES FROM (MINVALUE) TO ('2026-11-20');
         INSERT INTO t SELECT n, '2026-11-17'::date + n % 3 FROM generate_series(1, 300) n;
         INSERT INTO t VALUES (0, '-infinity'), (-1, '0044-03-15 BC');
         SELECT dbguard.partition_enable('t', '1 day', 1)",
    );
    let plan =
        "SELECT partition_name, lower, upper, rows FROM dbguard.partition_regrain_plan('t', 't_first', 100)";
    assert_eq!(
        db.lines(plan),
        [
            "t_p20261117 | 2026-11-17 | 2026-11-18 | 100",
            "t_p20261118 | 2026-11-18 | 2026-11-19 | 100",
            "t_p20261119 | 2026-11-19 | 2026-11-20 | 100",
            "t_first | <null> | 2026-11-17 | 2"
        ]
    );
    db.exec("CALL dbguard.partition_regrain('t', 't_first', 100)");
    assert_eq!(
        places(&mut db, "t"),
        ["t_first | 2", "t_p20261117 | 100", "t_p20261118 | 100", "t_p20261119 | 100"]
    );
    assert_eq!(
        bounds(&mut db, "t"),
        [
            "t_first | FOR VALUES FROM (MINVALUE) TO ('2026-11-17')",
            "t_p20261117 | FOR VALUES FROM ('2026-11-17') TO ('2026-11-18')",
            "t_p20261118 | FOR VALUES FROM ('2026-11-18') TO ('2026-11-19')",
            "t_p20261119 | FOR VALUES FROM ('2026-11-19') TO ('2026-11-20')",
            "t_p20261120 | FOR VALUES FROM ('2026-11-20') TO ('2026-11-21')",
            "t_p20261121 | FOR VALUES FROM ('2026-11-21') TO ('2026-11-22')"
        ]
    );
    assert_eq!(db.value("SELECT count(*) FROM t_first_old"), "302");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines("SELECT state, missing FROM dbguard.partition_status()"), ["ok | 0"]);
    // nothing is left to do
    db.exec("CALL dbguard.partition_regrain('t', 't_first', 100)");
    assert_eq!(places(&mut db, "t").len(), 4);
}

#[test]
fn after_the_width_was_changed_with_odd_names_and_parts() {
    let mut db = Db::new();
    db.connect_as("regrain_owner");
    db.connect_as("regrain_reader");
    let long = "ü".repeat(31);
    db.exec("CREATE SCHEMA \"x.y\" AUTHORIZATION regrain_owner; SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(&format!(
        "SET ROLE regrain_owner;
         CREATE TABLE \"x.y\".\"{long}\" (\"the Id\" int, gone int, \"select\" timestamptz, note text, tenant int NOT NULL,
           PRIMARY KEY (\"select\", \"the Id\", tenant)) PARTITION BY RANGE (\"select\");
         ALTER TABLE \"x.y\".\"{long}\" DROP gone;
         ALTER TABLE \"x.y\".\"{long}\" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON \"x.y\".\"{long}\" USING (tenant = 1);
         COMMENT ON TABLE \"x.y\".\"{long}\" IS 'it''s';
         GRANT SELECT ON \"x.y\".\"{long}\" TO regrain_reader;
         ALTER TABLE \"x.y\".\"{long}\" REPLICA IDENTITY FULL;
         SELECT dbguard.partition_enable('\"x.y\".\"{long}\"', '1 month', 1, policies => true);
         RESET ROLE"
    ));
    db.exec(&format!(
        "INSERT INTO \"x.y\".\"{long}\" (\"the Id\", \"select\", note, tenant)
         SELECT n, '2026-11-01 00:00+00'::timestamptz + n % 30 * interval '1 day', repeat('x', 3000), n % 3 FROM generate_series(1, 900) n;
         SELECT dbguard.partition_enable('\"x.y\".\"{long}\"', '1 day', 1, policies => true, sub_by => 'tenant', sub_count => 2,
           unique_on => '{{\"\\\"the Id\\\", tenant\"}}')"
    ));
    let month = db.value("SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE relname LIKE '%_p202611%' AND relkind = 'r'");
    let mut owner = db.connect_as("regrain_owner");
    db.exec("CREATE SCHEMA evil; CREATE FUNCTION evil.count(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 1/0'; GRANT USAGE ON SCHEMA evil TO PUBLIC");
    owner.exec("SET search_path = evil, pg_temp, pg_catalog");
    owner.exec(
        &format!("CALL dbguard.partition_regrain('\"x.y\".\"{long}\"', $q${month}$q$, drop_old => true)")
            .replace("$q$", "'"),
    );
    assert_eq!(db.value(&format!("SELECT count(*) FROM \"x.y\".\"{long}\"")), "900");
    assert_eq!(
        db.lines(&format!(
            "SELECT c.relkind, count(*), count(DISTINCT relname), relreplident, relrowsecurity, relforcerowsecurity, relowner::regrole,
                    obj_description(c.oid, 'pg_class'), c.relacl::text LIKE '%regrain_reader=r/%'
             FROM pg_partition_tree('\"x.y\".\"{long}\"') p JOIN pg_class c ON c.oid = p.relid
             WHERE level > 0 AND (level = 2 OR relkind = 'p') GROUP BY 1, 4, 5, 6, 7, 8, 9 ORDER BY 1"
        )),
        ["p | 30 | 30 | f | t | t | regrain_owner | it's | t", "r | 60 | 60 | f | t | t | regrain_owner | it's | t"]
    );
    assert_eq!(db.value("SELECT count(*) FROM pg_class WHERE relname LIKE '%dbguard%' AND relnamespace = '\"x.y\"'::regnamespace"), "0");
    assert_eq!(db.lines("SELECT state, missing FROM dbguard.partition_status()"), ["ok | 0"]);
}

#[test]
fn a_partition_that_is_itself_split() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(
        "CREATE TABLE t (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 month', 1, sub_by => 'id', sub_count => 3);
         INSERT INTO t SELECT n, '2026-11-01'::date + n % 30 FROM generate_series(1, 3000) n;
         SELECT dbguard.partition_enable('t', '1 week', 1, sub_by => 'id', sub_count => 2)",
    );
    db.exec("CALL dbguard.partition_regrain('t', 't_p202611', drop_old => true)");
    assert_eq!(db.value("SELECT count(*) || ' ' || sum(id) FROM t"), "3000 4501500");
    // weeks begin on Monday: the first and the last are short
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 't'::regclass AND relname LIKE 't_p202611%'"), "6");
}

#[test]
fn keys_of_every_kind() {
    for (kind, unit, value) in [
        ("timestamp", "NULL", "'2026-11-10 01:00'::timestamp + n % 5 * interval '1 day'"),
        ("bigint", "'ms'", "extract(epoch FROM '2026-11-10 01:00+00'::timestamptz + n % 5 * interval '1 day')::bigint * 1000"),
        ("uuid", "NULL", "(lpad(to_hex(extract(epoch FROM '2026-11-10 01:00+00'::timestamptz + n % 5 * interval '1 day')::bigint * 1000), 12, '0') || '70008000' || lpad(n::text, 12, '0'))::uuid"),
        ("text COLLATE \"C\"", "NULL", "translate('0' || '1M' || n % 5, 'x', 'x') || repeat('A', 22)"),
    ] {
        let mut db = Db::new();
        db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0");
        db.exec(&format!(
            "CREATE TABLE t (id int, at {kind}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
             CREATE TABLE t_rest PARTITION OF t DEFAULT;
             INSERT INTO t SELECT n, {value} FROM generate_series(1, 500) n;
             SELECT dbguard.partition_enable('t', '1 day', 1, key_unit => {unit})"
        ));
        let plan = db.lines("SELECT partition, rows FROM dbguard.partition_drain_plan('t')");
        db.exec("CALL dbguard.partition_drain('t')");
        assert_eq!(db.value("SELECT count(*) || ' ' || count(DISTINCT id) FROM t"), "500 500", "{kind}");
        if !kind.starts_with("text") {
            assert_eq!(plan.len(), 6, "{kind}");
            assert_eq!(db.value("SELECT count(*) FROM t_rest"), "0", "{kind}");
        }
    }
}

#[test]
fn what_cannot_be_regrained() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(
        "CREATE TABLE t (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 month', 1);
         INSERT INTO t SELECT n, '2026-11-01'::date + n % 30 FROM generate_series(1, 30) n;
         CREATE TABLE note (id int, at date, FOREIGN KEY (id, at) REFERENCES t);
         SELECT dbguard.partition_enable('t', '1 day', 1)",
    );
    let refused = db.error("CALL dbguard.partition_regrain('t', 't_p202611')");
    assert_eq!(refused.code, "0A000");
    assert_eq!(
        refused.message,
        "rows of \"t_p202611\" are referred to by foreign key \"note_id_at_fkey\" of table \"note\""
    );
    db.exec("DROP TABLE note");
    assert_eq!(db.error("CALL dbguard.partition_regrain('t', 't_p202611', 29)").code, "54000");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
    db.exec("CALL dbguard.partition_regrain('t', 't_p202611', 30)");
    assert_eq!(db.value("SELECT count(*) FROM t"), "30");
}
