//! audit_as_of and the other readers: with whose rights.

use super::as_of::keep;
use dbguard_tests::Db;

#[test]
fn it_takes_the_table_and_the_log() {
    let mut db = Db::new();
    let mut reader = db.connect_as("as_of_reader");
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1)");
    let moment = keep(&mut db, "t", "k");
    db.exec("UPDATE t SET v = 2");
    let whole = format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}')");
    let one = format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}', '1')");
    for call in [
        &*whole,
        &one,
        "SELECT * FROM dbguard.audit_changes()",
        "SELECT * FROM dbguard.audit_transaction('1')",
        "SELECT * FROM dbguard.audit_diff('t', '1')",
        "SELECT * FROM dbguard._audit_rewind('t', now(), NULL)",
        "SELECT dbguard._audit_relations('t')",
    ] {
        let error = reader.error(call);
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("42501", "permission denied for view audit_log"),
            "{call}"
        );
    }
    db.exec("GRANT SELECT ON dbguard.audit_log TO as_of_reader");
    for call in [&whole, &one] {
        let error = reader.error(call);
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("42501", "permission denied for table t"),
            "{call}"
        );
    }
    db.exec("GRANT SELECT ON t TO as_of_reader");
    for call in [&whole, &one] {
        assert_eq!(reader.lines(call), ["1 | 1"]);
    }
    assert_eq!(reader.lines("SELECT op FROM dbguard.audit_changes()"), ["INSERT", "UPDATE"]);
    // the storage stays closed
    assert_eq!(reader.error("SELECT * FROM dbguard.audit_change").code, "42501");
    assert_eq!(reader.error("SELECT * FROM dbguard._audit_of_key('{1}', '1', NULL, NULL)").code, "42501");
}

#[test]
fn row_level_security_holds_for_rows_that_are_there() {
    let mut db = Db::new();
    let mut reader = db.connect_as("as_of_tenant");
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, tenant text, v int); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 1), (3, 'b', 1); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON t USING (tenant = 'a'); GRANT SELECT ON t TO as_of_tenant; GRANT SELECT ON dbguard.audit_log TO as_of_tenant",
    );
    let moment = keep(&mut db, "t", "k");
    db.exec("UPDATE t SET v = 2; DELETE FROM t WHERE id = 3");
    let whole = format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}') ORDER BY id");
    assert_eq!(reader.lines(&whole), ["1 | a | 1", "3 | b | 1"]);
}

#[test]
fn values_are_read_with_the_rights_of_the_tables_owner() {
    let mut db = Db::new();
    let mut owner = db.connect_as("as_of_owner");
    db.exec("CREATE SCHEMA app AUTHORIZATION as_of_owner");
    owner.exec(
        "CREATE FUNCTION app.check(v int) RETURNS bool LANGUAGE sql AS $$ SELECT current_user = 'as_of_owner' $$;
         CREATE DOMAIN app.number AS int CHECK (app.check(value));
         CREATE TABLE app.t (id app.number PRIMARY KEY, v app.number);
         SELECT dbguard.audit_enable('app.t'); INSERT INTO app.t VALUES (1, 1)",
    );
    let moment = owner.value("SELECT clock_timestamp()");
    owner.exec("UPDATE app.t SET v = 2; DELETE FROM app.t");
    // a superuser, for whom somebody else's code would otherwise run
    assert_eq!(db.error("SELECT 1::app.number").code, "23514");
    assert_eq!(db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::app.t, '{moment}')")), ["1 | 1"]);
    assert_eq!(
        db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::app.t, '{moment}', '1')")),
        ["1 | 1"]
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_history('app.t', '1')"), "3");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.audit_redact('app.t', '1', '{v}', 'law', dry_run => true)"),
        "3"
    );
    assert_eq!(db.value("SELECT current_user = session_user"), "t");
}

#[test]
fn nobody_else_can_make_the_owner_read_values() {
    let mut db = Db::new();
    let mut other = db.connect_as("as_of_other");
    db.exec("CREATE TABLE t (id int PRIMARY KEY)");
    let error = other.error("SELECT dbguard._audit_populated(NULL::t, '{}')");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("0A000", "function \"_audit_populated\" is for dbguard.audit_as_of")
    );
}
