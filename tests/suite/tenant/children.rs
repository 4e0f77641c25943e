//! Partitions and children are guarded by themselves, those made later too.

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
