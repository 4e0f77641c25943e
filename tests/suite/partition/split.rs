//! Case 50: partitions of partitions.

use dbguard_tests::Db;

#[test]
fn case_50_time_by_hash() {
    let mut db = Db::new();
    db.connect_as("case50_owner");
    db.connect_as("case50_reader");
    db.exec("GRANT CREATE ON SCHEMA public TO case50_owner; SET ROLE case50_owner");
    let long = "x".repeat(60);
    for table in ["t", &long] {
        db.exec(&format!(
            "CREATE TABLE {table} (tenant int, \"the id\" int, at timestamptz, note text, CONSTRAINT {short}_key PRIMARY KEY (at, \"the id\", tenant))
               PARTITION BY RANGE (at);
             ALTER TABLE {table} REPLICA IDENTITY USING INDEX {short}_key;
             GRANT SELECT ON {table} TO case50_reader;
             SELECT dbguard.partition_enable('{table}', '1 day', 1, storage_options => '{{fillfactor=60}}',
               unique_on => '{{\"note, tenant, \\\"the id\\\"\"}}', sub_by => 'Tenant, \"the id\"', sub_count => 4)",
            short = &table[..1]
        ));
    }
    db.exec("RESET ROLE; UPDATE dbguard.partition_set SET ahead = 2");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT DISTINCT state, partitions, missing FROM dbguard.partition_status()"),
        ["ok | 3 | 0"]
    );
    for table in ["t", &long] {
        assert_eq!(
            db.lines(&format!(
                "SELECT c.relkind, count(*), count(DISTINCT c.xmin::text), c.reloptions, c.relowner::regrole,
                        c.relreplident, c.relacl::text LIKE '%case50_reader=r/%'
                 FROM pg_partition_tree('{table}') p JOIN pg_class c ON c.oid = p.relid
                 WHERE level > 0 GROUP BY 1, 4, 5, 6, 7 ORDER BY 1"
            )),
            // each with its parts at one stroke
            [
                "p | 3 | 3 | <null> | case50_owner | i | t",
                "r | 12 | 3 | {fillfactor=60} | case50_owner | i | t"
            ]
        );
        db.exec(&format!(
            "INSERT INTO {table} SELECT n % 9, n, now() + n % 3 * interval '1 day', n FROM generate_series(1, 300) n"
        ));
        assert_eq!(db.value(&format!("SELECT count(DISTINCT tableoid) FROM {table}")), "12");
    }
}

#[test]
fn case_50_list_of_tenants_by_time() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (tenant text, at date, PRIMARY KEY (tenant, at)) PARTITION BY LIST (tenant);
         CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a') PARTITION BY RANGE (at);
         CREATE TABLE t_b PARTITION OF t FOR VALUES IN ('b') PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t_a', '1 day', 1); SELECT dbguard.partition_enable('t_b', '1 month', 2);
         UPDATE dbguard.partition_set SET ahead = ahead + 2",
    );
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT table_name, state, partitions FROM dbguard.partition_status() ORDER BY 1"),
        ["t_a | ok | 4", "t_b | ok | 5"]
    );
    db.exec("INSERT INTO t SELECT t, now() + n * interval '1 day' FROM unnest('{a,b}'::text[]) t, generate_series(0, 3) n");
    assert_eq!(db.error("INSERT INTO t VALUES ('a', now() + interval '20 days')").code, "23514");
}

#[test]
fn the_plan_of_a_split_set_can_be_run_by_hand() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (tenant int, at date, note text) PARTITION BY RANGE (at);
         COMMENT ON TABLE t IS 'it''s';
         ALTER TABLE t ALTER note SET STATISTICS 0, ALTER note SET (n_distinct = -1);
         ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON t TO postgres, pg_monitor USING (tenant = 1);
         SELECT dbguard.partition_enable('t', '1 day', 1, policies => true, sub_by => 'tenant', sub_count => 3,
           storage_options => '{toast.autovacuum_enabled = off}', unique_on => '{\"tenant, note\"}');
         UPDATE dbguard.partition_set SET ahead = 2",
    );
    let sql = db.value("SELECT sql FROM dbguard.partition_plan('t')");
    db.exec(&sql);
    assert_eq!(db.lines("SELECT state, partitions, missing FROM dbguard.partition_status()"), ["ok | 3 | 0"]);
    let shapes = "SELECT count(DISTINCT (relkind, reloptions, relrowsecurity, obj_description(c.oid, 'pg_class'),
                    (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid), (SELECT count(*) FROM pg_index WHERE indrelid = c.oid))::text)
                  FROM pg_class c WHERE relispartition AND relkind IN ('r', 'p') GROUP BY relkind";
    assert_eq!(db.lines(shapes), ["1", "1"]);
}
