//! New tables that are audited without being asked.

use dbguard_tests::{Cluster, Db};

const AUDITED: &str =
    "SELECT \"table\", captures, redacts, tenant_column FROM dbguard.audit_status() WHERE state <> 'log'";

#[test]
fn new_tables_of_a_schema_are_audited() {
    let mut db = Db::new();
    db.exec("CREATE SCHEMA app; CREATE SCHEMA free");
    assert_eq!(
        db.value("SELECT dbguard.audit_auto_enable('app', redact => '{password}', tenant => 'org')"),
        "t"
    );
    assert_eq!(db.value("SELECT dbguard.audit_auto_enable('app', capture => 'full')"), "f");
    db.exec(
        "CREATE TABLE app.a (id serial PRIMARY KEY, password text, org int);
         CREATE TABLE IF NOT EXISTS app.a (id int);
         CREATE TABLE app.b AS SELECT 1 AS id; SELECT 1 AS id INTO app.c; CREATE UNLOGGED TABLE app.d (id int);
         CREATE TABLE app.p (id int) PARTITION BY RANGE (id); CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (9);
         CREATE TABLE app.child () INHERITS (app.d);
         CREATE TEMP TABLE tmp (id int); CREATE TABLE free.t (id int); CREATE VIEW app.v AS SELECT 1; CREATE MATERIALIZED VIEW app.m AS SELECT 1",
    );
    assert_eq!(
        db.lines(AUDITED),
        [
            "app.a | full | {password} | org",
            "app.b | full | {} | <null>",
            "app.c | full | {} | <null>",
            "app.child | full | {} | <null>",
            "app.d | full | {} | <null>",
            "app.p | full | {} | <null>",
        ]
    );
    db.exec("INSERT INTO app.a (password) VALUES ('x'); INSERT INTO app.p VALUES (1)");
    assert_eq!(
        db.lines("SELECT table_name, new FROM dbguard.audit_log ORDER BY id"),
        [r#"a | {"id": 1, "org": null, "password": "[redacted]"}"#, r#"p | {"id": 1}"#]
    );
    // what its owner took out stays out, whatever is done to it; what is moved in comes in
    db.exec("SELECT dbguard.audit_disable('app.b'); ALTER TABLE app.b ADD COLUMN v int; ALTER TABLE app.b RENAME TO b2; ALTER TABLE free.t SET SCHEMA app");
    let names = db.lines("SELECT \"table\" FROM dbguard.audit_status()");
    assert!(!names.contains(&"app.b2".to_owned()) && names.contains(&"app.t".to_owned()), "{names:?}");
    assert_eq!(db.value("SELECT dbguard.audit_auto_disable('app')"), "t");
    assert_eq!(db.value("SELECT dbguard.audit_auto_disable('app')"), "f");
    db.exec("CREATE TABLE app.z (id int)");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.audit_status() WHERE \"table\" = 'app.z'::regclass"),
        "0"
    );
}

#[test]
fn all_schemas_and_one_that_is_otherwise() {
    let mut db = Db::new();
    if !db.offers(&["pgcrypto", "dblink"]) {
        return;
    }
    db.exec(
        "CREATE SCHEMA app; SELECT dbguard.audit_auto_enable(NULL); SELECT dbguard.audit_auto_enable('app', capture => 'full');
         CREATE TABLE app.t (id int); CREATE TABLE t (id int); CREATE SCHEMA new CREATE TABLE t (id int);
         CREATE EXTENSION pgcrypto SCHEMA app",
    );
    assert_eq!(
        db.lines(AUDITED),
        ["app.t | full | {} | <null>", "new.t | changed | {} | <null>", "t | changed | {} | <null>"]
    );
    // the log's own new months are not tables to audit
    db.exec("DO $$ BEGIN EXECUTE (SELECT format('DROP TABLE dbguard.%I', max(c.relname)) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'dbguard.audit_change'::regclass AND c.relname !~ 'default'); END $$");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_status()"), "3");
    // tables of an extension are its own
    db.exec("CREATE SCHEMA ext; CREATE EXTENSION dblink SCHEMA ext");
    assert_eq!(db.value("SELECT dbguard.audit_auto_disable(NULL)"), "t");
}

#[test]
fn a_table_that_cannot_be_audited_is_not_made() {
    let mut db = Db::new();
    db.exec("CREATE SCHEMA app; SELECT dbguard.audit_auto_enable('app', redact => '{email}')");
    let error = db.error("CREATE TABLE app.users (email text PRIMARY KEY)");
    assert_eq!(
        (error.code.as_str(), error.message.as_str(), error.detail.as_str()),
        (
            "22023",
            "new table \"users\" cannot be audited: column \"email\" is part of the primary key",
            "Audit of new tables is automatic in schema \"app\"."
        )
    );
    assert!(error.hint.contains("dbguard.audit_auto_disable('app')"), "{error:?}");
    assert_eq!(db.value("SELECT to_regclass('app.users') IS NULL"), "t");
}

#[test]
fn only_an_owner_may_demand_it_and_anybodys_tables_follow() {
    let mut db = Db::new();
    let mut owner = db.connect_as("auto_owner");
    let mut other = db.connect_as("auto_other");
    db.exec("CREATE SCHEMA app AUTHORIZATION auto_owner; GRANT ALL ON SCHEMA app TO auto_other");
    for (call, message) in [
        ("audit_auto_enable('app')", "must be owner of schema app"),
        ("audit_auto_disable('app')", "must be owner of schema app"),
    ] {
        let error = other.error(&format!("SELECT dbguard.{call}"));
        assert_eq!((error.code.as_str(), error.message.as_str()), ("42501", message));
    }
    let error = owner.error("SELECT dbguard.audit_auto_enable(NULL)");
    assert_eq!(error.message, format!("must be owner of database {}", db.name));
    assert_eq!(db.error("SELECT dbguard.audit_auto_enable('nowhere')").code, "3F000");
    assert_eq!(db.error("SELECT dbguard.audit_auto_enable('dbguard')").code, "22023");
    assert_eq!(db.error("SELECT dbguard.audit_auto_enable('app', 'all')").code, "22023");
    assert_eq!(db.error("SELECT dbguard.audit_auto_enable('app', redact_with => 'hash')").code, "55000");
    owner.exec("SELECT dbguard.audit_auto_enable('app')");
    assert_eq!(other.error("INSERT INTO dbguard.audit_auto (home) VALUES ('x')").code, "42501");
    other.exec("SET search_path = ''; CREATE TABLE app.theirs (id int); INSERT INTO app.theirs VALUES (1)");
    assert_eq!(db.value("SELECT current_user_name FROM dbguard.audit_log"), "auto_other");
    owner.exec("SELECT dbguard.audit_auto_disable('app')");
}

#[test]
fn a_renamed_schema_is_followed_and_a_dump_carries_it() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA app; SELECT dbguard.audit_auto_enable('app', capture => 'full'); CREATE SCHEMA stale;
         SELECT dbguard.audit_auto_enable('stale'); DROP SCHEMA stale; ALTER SCHEMA app RENAME TO stale; CREATE TABLE stale.t (id int)",
    );
    assert_eq!(db.lines(AUDITED), ["stale.t | full | {} | <null>"]);
    assert_eq!(db.lines("SELECT schema_name, capture FROM dbguard.audit_auto"), ["stale | full"]);
    let cluster = Cluster::shared();
    let file = cluster.dir().join(format!("{}.auto", db.name));
    let file = file.to_str().unwrap();
    assert!(cluster.run("pg_dump", &["-f", file, &db.name]).status.success());
    let mut copy = Db::empty_in(cluster);
    let restore = cluster.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &copy.name, "-f", file]);
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    copy.exec("CREATE TABLE stale.u (id int)");
    assert_eq!(copy.lines(AUDITED), ["stale.t | full | {} | <null>", "stale.u | full | {} | <null>"]);
    copy.exec("DROP SCHEMA stale CASCADE; SELECT dbguard.audit_auto_disable('stale')");
    assert_eq!(copy.value("SELECT count(*) FROM dbguard.audit_auto"), "0");
}
