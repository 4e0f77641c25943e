//! Rows and bytes of each tenant.

use dbguard_tests::Db;

#[test]
fn counted_and_estimated() {
    let mut db = Db::new();
    let mut other = db.connect_as("tenant_usage_other");
    db.exec(
        "CREATE TABLE a (tenant_id int, v text); INSERT INTO a SELECT i % 2, 'x' FROM generate_series(1, 100) i; INSERT INTO a VALUES (NULL, 'x');
         CREATE TABLE p (id int, tenant_id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p DEFAULT;
         INSERT INTO p SELECT i % 3, 1 FROM generate_series(1, 30) i; INSERT INTO p VALUES (9, 5);
         SELECT dbguard.tenant_enable('a'), dbguard.tenant_enable('p')",
    );
    let usage = |args: &str| {
        format!(
            "SELECT tenant, tables, rows, source FROM dbguard.tenant_usage({args}) ORDER BY tenant, source"
        )
    };
    let counted =
        ["0 | 1 | 50 | counted", "1 | 2 | 80 | counted", "5 | 1 | 1 | counted", "<null> | 1 | 1 | no tenant"];
    assert_eq!(db.lines(&usage("exact => true")), counted);
    assert_eq!(db.lines(&usage("'public', true")), counted);
    // a row of 30 bytes, some of them with a shorter header
    let bytes =
        "SELECT bytes BETWEEN 1400 AND 1500 FROM dbguard.tenant_usage(exact => true) WHERE tenant = '0'";
    assert_eq!(db.value(bytes), "t");
    db.exec("ANALYZE");
    assert_eq!(
        db.lines(&usage("")),
        [
            "0 | 1 | 50 | statistics",
            "1 | 2 | 80 | statistics",
            "<null> | 1 | 1 | no tenant",
            "<null> | 1 | 1 | statistics: all other tenants"
        ]
    );
    assert_eq!(other.lines(&usage("")), ["<null> | 2 | <null> | not yours to read"]);
    assert_eq!(other.lines(&usage("exact => true")), ["<null> | 2 | <null> | not yours to read"]);
    assert_eq!(db.error("SELECT * FROM dbguard.tenant_usage('nope')").code, "3F000");
}

#[test]
fn an_owner_whom_the_policies_bind_sees_all_of_it() {
    let mut db = Db::new();
    let mut owner = db.connect_as("tenant_usage_owner");
    db.exec("CREATE SCHEMA o AUTHORIZATION tenant_usage_owner");
    owner.exec("CREATE TABLE o.t (tenant_id int); INSERT INTO o.t SELECT i % 2 FROM generate_series(1, 10) i; ANALYZE o.t; SELECT dbguard.tenant_enable('o.t')");
    for exact in [true, false] {
        assert_eq!(
            owner.lines(&format!(
                "SELECT tenant, rows FROM dbguard.tenant_usage(exact => {exact}) ORDER BY 1"
            )),
            ["0 | 5", "1 | 5"]
        );
    }
}
