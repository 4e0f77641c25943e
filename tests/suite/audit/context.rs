//! Who and why; and that no setting ever breaks a write.

use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t')");
    db
}

#[test]
fn the_actor_is_what_the_application_said() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1)");
    db.exec("SET app.current_user_id = 'from-app'; INSERT INTO t VALUES (2)");
    db.exec(
        "BEGIN; SET LOCAL dbguard.actor = 'u-77'; INSERT INTO t VALUES (3); COMMIT; INSERT INTO t VALUES (4)",
    );
    db.exec("SET dbguard.actor = ''; INSERT INTO t VALUES (5)");
    db.exec("RESET dbguard.actor; SET app.current_user_id = ''; INSERT INTO t VALUES (6)");
    assert_eq!(
        db.lines("SELECT key, actor FROM dbguard.audit_log ORDER BY id"),
        ["1 | <null>", "2 | from-app", "3 | u-77", "4 | from-app", "5 | from-app", "6 | <null>"]
    );
}

#[test]
fn another_setting_can_name_the_actor() {
    let mut db = db();
    db.exec("SET dbguard.actor_setting = 'jwt.sub'; SET jwt.sub = 'x'; INSERT INTO t VALUES (1)");
    db.exec("SET dbguard.actor_setting = 'no.such'; INSERT INTO t VALUES (2)");
    db.exec("SET dbguard.actor_setting = 'not a name at all'; INSERT INTO t VALUES (3)");
    db.exec("SET dbguard.actor_setting = ''; INSERT INTO t VALUES (4)");
    assert_eq!(
        db.lines("SELECT key, actor FROM dbguard.audit_log ORDER BY id"),
        ["1 | x", "2 | <null>", "3 | <null>", "4 | <null>"]
    );
    // nor can an ordinary role misdirect it, not even before the library is loaded
    let mut app = db.connect_as("ctx_app");
    app.exec("SET dbguard.actor_setting = 'x.y'; SELECT dbguard.version()");
    assert_eq!(app.value("SHOW dbguard.actor_setting"), "app.current_user_id");
    assert_eq!(app.error("SET dbguard.actor_setting = 'x.y'").code, "42501");
}

#[test]
fn odd_values_never_break_the_write() {
    let mut db = db();
    db.exec("SELECT set_config('dbguard.actor', repeat('é', 5000), false); INSERT INTO t VALUES (1)");
    assert_eq!(db.value("SELECT actor = repeat('é', 500) FROM dbguard.audit_log"), "t");
    for context in ["{broken", "\\u0000", "{\"a\":\"\\u0000\"}", "1e999999", "'quote", "{\"n\": 1e400}"] {
        let context = context.replace('\'', "''").replace('\\', "\\\\");
        db.exec(&format!(
            "SELECT set_config('dbguard.context', E'{context}', false); UPDATE t SET v = coalesce(v, 0) + 1"
        ));
    }
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "7");
    assert_eq!(
        db.value(
            "SELECT bool_and(jsonb_typeof(context) = 'string') FROM dbguard.audit_log WHERE op = 'UPDATE'"
        ),
        "t"
    );
}

#[test]
fn context_tenant_and_the_facts_beside_the_claims() {
    let mut db = db();
    db.exec(
        "SET dbguard.context = '{\"request\": \"r-1\"}'; SET dbguard.tenant = 'acme'; SET application_name = 'shop';
         INSERT INTO t VALUES (1)",
    );
    assert_eq!(
        db.lines("SELECT context, tenant, application_name, session_user_name, current_user_name FROM dbguard.audit_log"),
        [r#"{"request": "r-1"} | acme | shop | postgres | postgres"#]
    );
    db.exec("CREATE ROLE ctx_writer; GRANT ALL ON t TO ctx_writer; SET ROLE ctx_writer; INSERT INTO t VALUES (2); RESET ROLE");
    assert_eq!(
        db.lines("SELECT session_user_name, current_user_name FROM dbguard.audit_log WHERE key = '2'"),
        ["postgres | ctx_writer"]
    );
    db.exec("DROP OWNED BY ctx_writer; DROP ROLE ctx_writer");
}

#[test]
fn context_is_written_once_a_session_and_again_when_it_changes() {
    let mut db = db();
    db.exec("BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); SET LOCAL dbguard.actor = 'b'; INSERT INTO t VALUES (3); COMMIT");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_context"), "2");
    // what a rolled back transaction wrote is not referred to, what a committed one wrote is
    db.exec("BEGIN; SET LOCAL dbguard.actor = 'c'; INSERT INTO t VALUES (9); ROLLBACK; SET dbguard.actor = 'c'; INSERT INTO t VALUES (4); INSERT INTO t VALUES (5)");
    db.exec("BEGIN; SAVEPOINT s; SET LOCAL dbguard.actor = 'd'; INSERT INTO t VALUES (9); ROLLBACK TO s; SET LOCAL dbguard.actor = 'd'; INSERT INTO t VALUES (6); COMMIT; SET dbguard.actor = 'd'; INSERT INTO t VALUES (7)");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_context"), "4");
    assert_eq!(
        db.lines("SELECT key, actor FROM dbguard.audit_log ORDER BY id"),
        ["1 | <null>", "2 | <null>", "3 | b", "4 | c", "5 | c", "6 | d", "7 | d"]
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE xact = pg_current_xact_id()"), "0");
}

#[test]
fn unknown_settings_of_ours_are_refused() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1)");
    let error = db.error("SET dbguard.akctor = 'x'");
    assert_eq!(error.code, "42602");
}
