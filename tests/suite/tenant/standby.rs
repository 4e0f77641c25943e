//! A standby guards what its primary guards, and answers what can be answered without writing.

use dbguard_tests::{Cluster, Db};

#[test]
fn a_standby_guards_and_tells() {
    let primary = Cluster::start(&[]);
    let mut db = Db::new_in(&primary);
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, tenant_id int NOT NULL); INSERT INTO t VALUES (1, 1), (2, 2), (3, 2);
         CREATE TABLE forgotten (tenant_id int); CREATE ROLE app LOGIN; GRANT SELECT ON t TO app;
         SELECT dbguard.tenant_enable('t'); ANALYZE t",
    );
    let standby = Cluster::standby_of(&primary);
    let mut there = Db::existing_in(&standby, &db.name);
    let mut app = standby.try_connect(&db.name, "app").unwrap();
    let mut seen = |setting: &str| {
        app.batch_execute(&format!("SET app.tenant_id = '{setting}'")).unwrap();
        app.query_one("SELECT count(*) FROM t", &[]).unwrap().get::<_, i64>(0)
    };
    assert_eq!((seen("2"), seen("1"), seen(""), seen("x")), (2, 1, 0, 0));
    assert_eq!(
        there.lines("SELECT \"table\", type, unguarded, problem FROM dbguard.tenant_status()"),
        ["t | int | 0 | <null>"]
    );
    assert_eq!(
        there.lines("SELECT tenant, rows, source FROM dbguard.tenant_usage(exact => true) ORDER BY 1"),
        ["1 | 1 | counted", "2 | 2 | counted"]
    );
    assert_eq!(there.lines("SELECT rows::text FROM dbguard.tenant_export_plan('2')"), ["2"]);
    assert_eq!(there.lines("SELECT rows::text FROM dbguard.tenant_erase_plan('2')"), ["2"]);
    assert_eq!(
        there
            .lines("SELECT step FROM dbguard.tenant_plan('forgotten') WHERE action = 'at once' ORDER BY 1")
            .first()
            .map(String::as_str),
        Some("access")
    );
    // nothing can be tried: that is said, and what the catalogs tell is told
    assert_eq!(
        there.lines("SELECT \"table\", \"check\", severity, finding FROM dbguard.tenant_check() WHERE \"check\" IN ('proof', 'unguarded')"),
        [
            "t | proof | skipped | a standby cannot try it: ask the primary",
            "forgotten | unguarded | error | it has column tenant_id and is not guarded"
        ]
    );
    for call in ["tenant_enable('forgotten')", "tenant_disable('t')", "tenant_erase('2')"] {
        assert_eq!(there.error(&format!("SELECT dbguard.{call}")).code, "25006", "{call}");
    }
}
