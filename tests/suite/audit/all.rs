//! Many tables at once.

use dbguard_tests::Db;

const ALL: &str = "SELECT \"table\", action, message FROM dbguard.audit_enable_all";

#[test]
fn every_table_of_a_schema_but_those_to_skip() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA \"S x\"; SET search_path = \"S x\", public;
         CREATE TABLE a (id int PRIMARY KEY, password text); CREATE TABLE \"B b\" (id int, tenant_id int);
         CREATE TABLE done (id int PRIMARY KEY); CREATE TABLE no (id int);
         CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
         CREATE TABLE child () INHERITS (a);
         CREATE TEMP TABLE tmp (id int); CREATE VIEW v AS SELECT 1; CREATE TABLE public.elsewhere (id int);
         SELECT dbguard.audit_enable('done', capture => 'full')",
    );
    let call = format!("{ALL}('S x', redact => '{{password}}', tenant => 'tenant_id', skip => '{{no}}'");
    let expected = [
        "\"B b\" | enabled | <null>",
        "a | enabled | <null>",
        "child | enabled | <null>",
        "p | enabled | <null>",
    ];
    assert_eq!(db.lines(&format!("{call}, dry_run => true)")), expected);
    assert_eq!(db.lines("SELECT \"table\" FROM dbguard.audit_status()"), ["done"]);
    assert_eq!(db.lines(&format!("{call})")), expected);
    assert_eq!(
        db.lines("SELECT \"table\", captures, redacts, tenant_column, problem FROM dbguard.audit_status()"),
        [
            "\"B b\" | changed | {} | tenant_id | <null>",
            "a | changed | {password} | <null> | <null>",
            "child | changed | {password} | <null> | <null>",
            "done | full | {} | <null> | <null>",
            "p | changed | {} | <null> | <null>"
        ]
    );
    assert_eq!(
        db.lines(&format!("{ALL}('S x', redact => '{{password}}', skip => '{{no}}')")),
        Vec::<String>::new()
    );
    // a dry run of the very first leaves no log
    let mut fresh = Db::new();
    fresh.exec("CREATE TABLE t (id int)");
    assert_eq!(fresh.lines(&format!("{ALL}('public', dry_run => true)")), ["t | enabled | <null>"]);
    assert_eq!(fresh.value("SELECT to_regclass('dbguard.audit_log') IS NULL"), "t");
    assert_eq!(fresh.lines(&format!("{ALL}('public')")), ["t | enabled | <null>"]);
    fresh.exec("INSERT INTO t VALUES (1)");
    assert_eq!(fresh.value("SELECT count(*) FROM dbguard.audit_log"), "1");
}

#[test]
fn one_that_cannot_be_done_does_not_stop_the_others() {
    let mut db = Db::new();
    let mut owner = db.connect_as("all_owner");
    db.exec(
        "CREATE SCHEMA s; GRANT ALL ON SCHEMA s TO all_owner;
         CREATE TABLE s.theirs (id int); CREATE TABLE s.a (id int); CREATE TABLE s.held (id int); CREATE TABLE s.z (id text PRIMARY KEY, card text);
         CREATE TABLE s.y (card text, id int);
         ALTER TABLE s.a OWNER TO all_owner; ALTER TABLE s.held OWNER TO all_owner; ALTER TABLE s.z OWNER TO all_owner; ALTER TABLE s.y OWNER TO all_owner",
    );
    db.exec("BEGIN; LOCK TABLE s.held");
    let expected = [
        "s.a | enabled | <null>",
        "s.held | failed | canceling statement due to lock timeout",
        "s.theirs | failed | must be owner of table theirs",
        "s.y | enabled | <null>",
        "s.z | failed | column \"id\" is part of the primary key",
    ];
    assert_eq!(owner.lines(&format!("{ALL}('s', redact => '{{id}}', dry_run => true)")), expected);
    assert_eq!(owner.lines(&format!("{ALL}('s', redact => '{{id}}')")), expected);
    db.exec("COMMIT");
    assert_eq!(
        owner.lines("SELECT \"table\", redacts FROM dbguard.audit_status()"),
        ["s.a | {id}", "s.y | {id}"]
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int)");
    let cases = [
        ("NULL", "22004", "argument \"schema\" must not be null"),
        ("'nowhere'", "3F000", "schema \"nowhere\" does not exist"),
        ("'public', skip => '{tt}'", "42P01", "relation \"tt\" does not exist in schema \"public\""),
        ("'public', skip => '{NULL}'", "22004", "argument \"skip\" must not be null"),
        ("'public', 'everything'", "22023", "unrecognized value for argument \"capture\": \"everything\""),
        (
            "'public', redact => '{pasword}'",
            "42703",
            "column \"pasword\" of argument \"redact\" does not exist in any table of schema \"public\" that is not audited yet",
        ),
    ];
    for (args, code, message) in cases {
        let error = db.error(&format!("{ALL}({args})"));
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{args}");
    }
    assert_eq!(db.lines(&format!("{ALL}('dbguard')")).len(), 0);
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_status()"), Vec::<String>::new());
}

#[test]
fn coverage_tells_of_every_table() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA s; CREATE TABLE s.a (id int); CREATE TABLE s.b (id int); CREATE TABLE s.c (id int); CREATE TABLE s.r (id int);
         CREATE TABLE s.p (id int) PARTITION BY RANGE (id); CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES FROM (0) TO (9);
         CREATE TABLE s.q (id int) PARTITION BY RANGE (id); CREATE TABLE s.q1 PARTITION OF s.q FOR VALUES FROM (0) TO (9);
         CREATE TABLE s.cut (id int, \"operations=INSERT\" int); CREATE TEMP TABLE tmp (id int); CREATE TABLE other (id int);
         SELECT dbguard.audit_enable('s.a'); SELECT dbguard.audit_enable('s.b'); SELECT dbguard.audit_enable('s.q'); SELECT dbguard.audit_enable('s.r');
         SELECT dbguard.audit_enable('s.cut', operations => '{UPDATE}', exclude => '{operations=INSERT}');
         ALTER TABLE s.b DISABLE TRIGGER _dbguard_audit; ALTER TABLE s.r ENABLE REPLICA TRIGGER _dbguard_audit",
    );
    assert_eq!(
        db.lines("SELECT * FROM dbguard.audit_coverage('s')"),
        [
            "s.a | t | s.a | <null>",
            "s.b | f | s.b | its trigger is disabled",
            "s.c | f | <null> | audit is not enabled",
            "s.cut | t | s.cut | <null>",
            "s.p | f | <null> | audit is not enabled",
            "s.p1 | f | <null> | the table it is a partition of is not audited",
            "s.q | t | s.q | <null>",
            "s.q1 | t | s.q | <null>",
            "s.r | f | s.r | its trigger fires on replicas only",
        ]
    );
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_coverage() WHERE NOT covered").len(), 6);
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_coverage('nowhere')"), Vec::<String>::new());
    // anybody may ask
    let mut nobody = db.connect_as("all_nobody");
    assert_eq!(nobody.value("SELECT count(*) FROM dbguard.audit_coverage()"), "10");
}
