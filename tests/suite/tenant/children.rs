//! Partitions and children are guarded by themselves, those made later too.

use crate::house::dump::copy;
use dbguard_tests::Db;

#[test]
fn every_way_a_child_is_made() {
    let mut db = Db::new();
    let mut app = db.connect_as("tenant_child");
    db.exec(
        "CREATE TABLE p (id int, tenant_id int) PARTITION BY LIST (id);
         CREATE TABLE p0 (tenant_id int, gone int, id int); ALTER TABLE p0 DROP COLUMN gone; ALTER TABLE p ATTACH PARTITION p0 FOR VALUES IN (0);
         CREATE TABLE i (id int, tenant_id int); CREATE TABLE \"I 0\" (more int) INHERITS (i);
         SELECT dbguard.tenant_enable('p', setting => 'x.y', force => false); SELECT dbguard.tenant_enable('i', setting => 'x.y', force => false);
         -- made
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
         -- attached, with partitions of its own
         CREATE TABLE p2 (tenant_id int, id int) PARTITION BY LIST (id); CREATE TABLE p2a PARTITION OF p2 DEFAULT;
         ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
         CREATE TABLE p3 PARTITION OF p2 FOR VALUES IN (5);
         CREATE TABLE i1 () INHERITS (i); CREATE TABLE i2 (id int, tenant_id int); ALTER TABLE i2 INHERIT i; CREATE TABLE i3 () INHERITS (i2);
         CREATE SCHEMA s CREATE TABLE i4 () INHERITS (public.i);
         GRANT USAGE ON SCHEMA s TO tenant_child",
    );
    let leaves = ["p0", "\"I 0\"", "p1", "p2", "p2a", "i1", "i2", "i3", "s.i4", "p", "i"];
    for (n, leaf) in leaves.iter().enumerate() {
        db.exec(&format!("GRANT ALL ON {leaf} TO tenant_child"));
        let id = match *leaf {
            "p0" => "0",
            "p1" | "p" => "1",
            "p2" | "p2a" => "2",
            _ => "7",
        };
        db.exec(&format!("INSERT INTO {leaf} (id, tenant_id) VALUES ({id}, 1), ({id}, 2)"));
        app.exec("SET x.y = '1'");
        assert_eq!(app.lines(&format!("SELECT DISTINCT tenant_id FROM {leaf}")), ["1"], "{leaf} {n}");
        assert_eq!(
            app.error(&format!("INSERT INTO {leaf} (id, tenant_id) VALUES ({id}, 2)")).code,
            "42501",
            "{leaf}"
        );
        app.exec("SET x.y = ''");
        assert_eq!(app.lines(&format!("SELECT tenant_id FROM {leaf}")), Vec::<String>::new(), "{leaf}");
    }
    assert_eq!(
        db.lines("SELECT \"table\", children, unguarded, force FROM dbguard.tenant_status()"),
        ["i | 5 | 0 | f", "p | 5 | 0 | f"]
    );
    // what is taken off stays guarded; what nobody guards stays open
    db.exec("ALTER TABLE p DETACH PARTITION p1; CREATE TABLE free (id int, tenant_id int); CREATE TABLE free1 () INHERITS (free)");
    app.exec("SET x.y = '1'");
    assert_eq!(app.lines("SELECT DISTINCT tenant_id FROM p1"), ["1"]);
    assert_eq!(db.value("SELECT relrowsecurity FROM pg_class WHERE relname = 'free1'"), "f");
    // and all goes at once
    assert_eq!(
        db.error("SELECT dbguard.tenant_disable('i2')").message,
        "\"i2\" is guarded because its parent is"
    );
    db.exec("SELECT dbguard.tenant_disable('p'), dbguard.tenant_disable('i')");
    assert_eq!(db.lines("SELECT relname FROM pg_class WHERE relrowsecurity"), ["p1"]);
}

#[test]
fn partitions_that_dbguard_makes() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE e (at timestamptz NOT NULL, tenant_id int) PARTITION BY RANGE (at); SELECT dbguard.tenant_enable('e');
         SELECT dbguard.partition_enable('e', '1 month', 2)",
    );
    assert_eq!(db.value("SELECT children > 2 AND unguarded = 0 FROM dbguard.tenant_status()"), "t");
}

#[test]
fn the_owner_of_the_parent_makes_a_partition() {
    let mut db = Db::new();
    let mut owner = db.connect_as("tenant_parent");
    db.exec("CREATE SCHEMA o AUTHORIZATION tenant_parent; REVOKE USAGE ON SCHEMA dbguard FROM PUBLIC");
    db.exec("SET ROLE tenant_parent; CREATE TABLE o.p (id int, tenant_id int) PARTITION BY LIST (id); RESET ROLE; SELECT dbguard.tenant_enable('o.p')");
    owner.exec("CREATE TABLE o.p1 PARTITION OF o.p DEFAULT");
    assert_eq!(db.value("SELECT unguarded FROM dbguard.tenant_status()"), "0");
    // forced: he, too, is a tenant
    assert_eq!(owner.error("INSERT INTO o.p1 VALUES (1, 1)").code, "42501");
}

/// The guard of what is made later rests on no old snapshot, on no way to print names, and not on half a policy.
#[test]
fn whatever_the_session_is_like() {
    let mut db = Db::new();
    let mut other = db.connect();
    db.exec("CREATE TABLE q (id int, tenant_id int) PARTITION BY LIST (id)");
    other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    db.exec("SELECT dbguard.tenant_enable('q')");
    other.exec("CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1); COMMIT");
    db.exec("SET quote_all_identifiers = on; CREATE TABLE q2 PARTITION OF q FOR VALUES IN (2)");
    db.exec("ALTER TABLE q DETACH PARTITION q2; ALTER TABLE q2 DISABLE ROW LEVEL SECURITY; ALTER TABLE q ATTACH PARTITION q2 FOR VALUES IN (2)");
    db.exec("RESET quote_all_identifiers");
    assert_eq!(
        db.lines("SELECT children, unguarded, problem FROM dbguard.tenant_status()"),
        ["2 | 0 | <null>"]
    );
    db.exec("ALTER POLICY dbguard_tenant ON q USING (true)");
    let e = db.error("CREATE TABLE q3 PARTITION OF q FOR VALUES IN (3)");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("55000", "table \"q\" is not guarded as it was"));
    db.exec("DROP POLICY dbguard_tenant ON q");
    assert_eq!(
        db.lines("SELECT \"table\", finding FROM dbguard.tenant_check() WHERE \"check\" = 'policy'"),
        ["q | policy dbguard_tenant is gone: other policies may let other tenants' rows through"]
    );
    // alone, the policy that is left shows nobody more than his own
    db.exec("CREATE ROLE tenant_alone; GRANT SELECT ON q TO tenant_alone; ALTER TABLE q NO FORCE ROW LEVEL SECURITY; INSERT INTO q VALUES (1, 1), (1, 2)");
    db.exec("SET ROLE tenant_alone; SET app.tenant_id = '2'");
    assert_eq!(db.lines("SELECT tenant_id FROM q"), ["2"]);
}

/// What is asked through a table that is not guarded is asked past the policies of those that inherit from it.
#[test]
fn parents_that_are_not_guarded_and_two_of_them() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE base (id int); CREATE TABLE kid (tenant_id int) INHERITS (base);
         CREATE TABLE pa (tenant_id int NOT NULL); CREATE TABLE pb (tenant_id int NOT NULL); CREATE TABLE pc () INHERITS (pa, pb)",
    );
    let (mut session, heard) = db.connect_listening();
    session.exec("SELECT dbguard.tenant_enable('kid')");
    assert!(heard.lines()[0].starts_with("WARNING | table \"base\" shows the rows of \"kid\", too"));
    assert_eq!(
        db.lines("SELECT \"table\", severity FROM dbguard.tenant_check() WHERE \"check\" = 'parent'"),
        ["kid | error"]
    );
    db.exec("SELECT dbguard.tenant_disable('kid')");
    // of a schema the child is not left out
    assert_eq!(
        db.value("SELECT string_agg(DISTINCT \"table\"::text, ',' ORDER BY \"table\"::text) FROM dbguard.tenant_enable_all('public')"),
        "kid,pa,pb,pc"
    );
    db.exec("SELECT dbguard.tenant_disable('pa')");
    assert_eq!(db.value("SELECT relrowsecurity FROM pg_class WHERE relname = 'pc'"), "t");
    assert_eq!(db.lines("SELECT \"table\" FROM dbguard.tenant_status() ORDER BY 1"), ["kid", "pb"]);
    db.exec("SELECT dbguard.tenant_disable('pb')");
    assert_eq!(db.value("SELECT relrowsecurity FROM pg_class WHERE relname = 'pc'"), "f");
    // FORCE is given back
    db.exec("ALTER TABLE pa ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; SELECT dbguard.tenant_enable('pa', force => false); SELECT dbguard.tenant_disable('pa')");
    assert_eq!(
        db.value("SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE relname = 'pa'"),
        "t"
    );
}

/// What is attached with a rule of its own gets that of the table.
#[test]
fn a_child_with_another_rule() {
    let mut db = Db::new();
    let mut app = db.connect_as("tenant_rule");
    db.exec(
        "CREATE TABLE e (id int, tenant_id int, region int) PARTITION BY LIST (id); CREATE TABLE e1 PARTITION OF e FOR VALUES IN (1); CREATE TABLE e2 PARTITION OF e FOR VALUES IN (2);
         SELECT dbguard.tenant_enable('e'); INSERT INTO e VALUES (1, 1, 9), (1, 2, 9), (2, 1, 9), (2, 2, 9);
         ALTER TABLE e DETACH PARTITION e2; SELECT dbguard.tenant_enable('e', setting => 'app2.tenant');
         ALTER TABLE e ATTACH PARTITION e2 FOR VALUES IN (2);
         CREATE TABLE e3 (id int, tenant_id int, region int); INSERT INTO e3 VALUES (3, 1, 9), (3, 2, 9);
         SELECT dbguard.tenant_enable('e3', 'region', 'app.region', false); ALTER TABLE e ATTACH PARTITION e3 FOR VALUES IN (3);
         CREATE TABLE e4 (id int, tenant_id int, region int); INSERT INTO e4 VALUES (4, 1, 9), (4, 2, 9);
         SELECT dbguard.tenant_enable('e4'); ALTER POLICY dbguard_tenant ON e4 USING (true) WITH CHECK (true); ALTER POLICY dbguard_tenant_access ON e4 USING (true);
         ALTER TABLE e ATTACH PARTITION e4 FOR VALUES IN (4);
         GRANT SELECT ON e, e1, e2, e3, e4 TO tenant_rule",
    );
    assert_eq!(
        db.lines("SELECT children, unguarded, problem FROM dbguard.tenant_status()"),
        ["4 | 0 | <null>"]
    );
    app.exec("SET app.region = '9'; SET app.tenant_id = '2'; SET app2.tenant = '1'");
    for leaf in ["e1", "e2", "e3", "e4"] {
        assert_eq!(app.lines(&format!("SELECT tenant_id FROM {leaf}")), ["1"], "{leaf}");
    }
    assert_eq!(db.value("SELECT count(*) FROM pg_class WHERE relname ~ '^e' AND relforcerowsecurity AND relkind IN ('r', 'p')"), "5");
    // what is changed by hand is told
    db.exec("ALTER POLICY dbguard_tenant ON e3 USING (true)");
    assert_eq!(
        db.lines("SELECT unguarded, problem FROM dbguard.tenant_status()"),
        ["1 | 1 partitions or children are not guarded as it is"]
    );
    db.exec("SELECT dbguard.tenant_enable('e', setting => 'app2.tenant'); ALTER TABLE e DETACH PARTITION e3; SELECT dbguard.tenant_enable('e3', 'region', 'app.region');
             SET session_replication_role = replica; ALTER TABLE e ATTACH PARTITION e3 FOR VALUES IN (3); RESET session_replication_role");
    let told =
        "SELECT \"table\", severity, finding FROM dbguard.tenant_check() WHERE \"check\" = 'partition'";
    assert_eq!(db.lines(told), ["e3 | error | it is guarded by another rule than public.e, which it inherits from or is a partition of"]);
    let fix = db.value("SELECT fix_sql FROM dbguard.tenant_check() WHERE \"check\" = 'partition'");
    db.exec(&fix);
    assert_eq!(db.lines(told), Vec::<String>::new());
    // FORCE is the table's
    db.exec("ALTER TABLE e1 NO FORCE ROW LEVEL SECURITY");
    assert_eq!(db.value("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'e1'"), "t");
    db.exec("ALTER TABLE e NO FORCE ROW LEVEL SECURITY");
    assert_eq!(db.value("SELECT count(*) FROM pg_class WHERE relname ~ '^e' AND relforcerowsecurity AND relkind IN ('r', 'p')"), "0");
}

/// A dump makes each table's policies for itself, in the order of schemas.
#[test]
fn a_dump_of_partitions_in_another_schema() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE b.orders (id int, tenant_id int NOT NULL) PARTITION BY LIST (id);
         CREATE TABLE a.orders_1 PARTITION OF b.orders FOR VALUES IN (1); CREATE TABLE a.up (id int, tenant_id int); CREATE TABLE b.kid () INHERITS (a.up);
         SELECT dbguard.tenant_enable('b.orders'), dbguard.tenant_enable('a.up'); INSERT INTO b.orders VALUES (1, 1), (1, 2)",
    );
    let policies = "SELECT schemaname, tablename, policyname, qual FROM pg_policies ORDER BY 1, 2, 3";
    let (before, status) = (db.lines(policies), db.lines("SELECT * FROM dbguard.tenant_status()"));
    assert_eq!(before.len(), 8);
    for format in ["p", "c"] {
        let mut copy = copy(&db, format);
        assert_eq!(copy.lines(policies), before, "{format}");
        assert_eq!(copy.lines("SELECT * FROM dbguard.tenant_status()"), status, "{format}");
    }
}
