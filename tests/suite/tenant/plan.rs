//! What is left to be done by hand is done by the statements as they stand.

use dbguard_tests::Db;

/// The longest names there are, in letters of two bytes and with a quote in them.
#[test]
fn a_large_partitioned_table_with_long_names() {
    let mut db = Db::new();
    let name = |stem: &str| format!("{stem}\"{}", "é".repeat((62 - stem.len()) / 2));
    let quoted = |stem: &str| format!("\"{}\"", name(stem).replace('"', "\"\""));
    let (table, column, tenants) = (quoted("Orders"), quoted("Ten ant"), quoted("tenants"));
    db.exec(&format!(
        "CREATE TABLE {tenants} (id bigint PRIMARY KEY); INSERT INTO {tenants} SELECT generate_series(1, 20);
         CREATE TABLE {table} (id int, {column} bigint, filler text) PARTITION BY RANGE (id);
         CREATE TABLE {a} PARTITION OF {table} FOR VALUES FROM (1) TO (1000);
         CREATE TABLE {b} PARTITION OF {table} FOR VALUES FROM (1000) TO (2000) PARTITION BY LIST (id); CREATE TABLE {ba} PARTITION OF {b} DEFAULT;
         CREATE TABLE {c} PARTITION OF {table} FOR VALUES FROM (2000) TO (3000); CREATE INDEX \"mine\" ON {c} ({column});
         INSERT INTO {table} SELECT i, i % 20 + 1, repeat('x', 1900) FROM generate_series(1, 2999) i, generate_series(1, 2)",
        a = quoted("a"), b = quoted("b"), ba = quoted("ba"), c = quoted("c"),
    ));
    let literal = |s: &str| format!("'{}'", s.replace('\'', "''"));
    let call = |function: &str| {
        format!(
            "SELECT statement FROM dbguard.{function}({}, {}, tenants => {}) WHERE action = 'by hand' AND statement IS NOT NULL",
            literal(&table),
            literal(&name("Ten ant")),
            literal(&tenants)
        )
    };
    let steps = db.lines(&call("tenant_enable"));
    assert_eq!(steps, db.lines(&call("tenant_plan")));
    assert!(steps.iter().filter(|s| s.starts_with("CREATE INDEX CONCURRENTLY")).count() == 2, "{steps:?}");
    assert!(
        steps.iter().any(|s| s.contains("FOREIGN KEY")) && steps.iter().any(|s| s.contains("SET NOT NULL"))
    );
    for step in &steps {
        db.exec(step);
    }
    assert_eq!(db.lines(&call("tenant_plan")), Vec::<String>::new());
    assert_eq!(
        db.lines("SELECT children, unguarded, index, problem FROM dbguard.tenant_status()"),
        ["4 | 0 | t | <null>"]
    );
    assert_eq!(
        db.lines("SELECT DISTINCT severity, finding FROM dbguard.tenant_check() WHERE \"check\" <> 'role'"),
        ["ok | rows of two tenants: neither reads, writes, moves nor deletes what is the other's"]
    );
    assert_eq!(
        db.value(&format!(
            "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = {}::regclass",
            literal(&table)
        )),
        "t"
    );
    assert_eq!(db.value("SELECT rows FROM dbguard.tenant_usage(exact => true) WHERE tenant = '7'"), "300");
    assert_eq!(
        db.value(&format!(
            "SELECT rows FROM dbguard.tenant_erase('7') WHERE \"table\" = {}::regclass",
            literal(&table)
        )),
        "300"
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.tenant_usage(exact => true)"), "19");
    db.exec(&format!("SELECT dbguard.tenant_disable({})", literal(&table)));
    assert_eq!(db.value("SELECT count(*) FROM pg_policy"), "0");
}
