//! The setting is read once a statement, and an index finds the tenant's rows.

use dbguard_tests::Db;

#[test]
fn an_index_is_used_on_a_million_rows() {
    let mut db = Db::new();
    let mut app = db.connect_as("tenant_planner");
    db.exec(
        "CREATE UNLOGGED TABLE t (id int, tenant_id uuid, n int);
         INSERT INTO t SELECT i, md5((i % 1000)::text)::uuid, i FROM generate_series(1, 1000000) i;
         GRANT SELECT ON t TO tenant_planner; SELECT dbguard.tenant_enable('t')",
    );
    // too large to be indexed at once: it is left to a good time
    let index = db.value("SELECT statement FROM dbguard.tenant_plan('t') WHERE step = 'index'");
    assert_eq!(index, "CREATE INDEX CONCURRENTLY ON public.t (tenant_id)");
    db.exec(&index);
    db.exec("ANALYZE t");
    app.exec("SET plan_cache_mode = force_generic_plan; PREPARE q AS SELECT count(*), sum(n % 1000) FROM t; SET app.tenant_id = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b'");
    for query in [
        "SELECT * FROM t",
        "SELECT count(*) FROM t WHERE n > 5",
        "EXECUTE q",
        "UPDATE t SET n = 0",
        "DELETE FROM t",
    ] {
        if query.starts_with(['U', 'D']) {
            db.exec("GRANT ALL ON t TO tenant_planner");
        }
        let plan = app.lines(&format!("EXPLAIN (COSTS OFF) {query}")).join("\n");
        // both policies say the same, and the server asks one of them for rows, but both for new ones
        assert!(plan.contains("InitPlan 1"), "{query}: {plan}");
        assert_eq!(plan.contains("InitPlan 2"), query.starts_with('U'), "{query}: {plan}");
        let found = plan.lines().any(|l| {
            l.contains("Index Cond:") && (l.contains("tenant_id = $") || l.contains("tenant_id = (InitPlan "))
        });
        assert!(found, "{query}: {plan}");
        assert!(!plan.contains("Seq Scan"), "{query}: {plan}");
    }
    let plan = app.lines("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE q").join("\n");
    assert!(plan.contains("Result (actual rows=1") && plan.contains("loops=1)"), "{plan}");
    for tenant in [1, 7, 999] {
        app.exec(&format!("BEGIN; SELECT set_config('app.tenant_id', md5('{tenant}')::uuid::text, true)"));
        assert_eq!(app.lines("EXECUTE q"), [format!("1000 | {}", tenant * 1000)]);
        app.exec("COMMIT");
        assert_eq!(app.value("SELECT count(*) FROM t"), "1000");
    }
}
