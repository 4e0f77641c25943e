//! Switching on and off, and every way to do it wrong.

use dbguard_tests::Db;

#[test]
fn on_changed_off() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, a text, b text)");
    let enable = "SELECT action, captures, excludes, redacts, key_columns FROM dbguard.audit_enable";
    assert_eq!(
        db.lines(&format!("{enable}('t', redact => '{{b}}')")),
        ["enabled | changed | {} | {b} | {id}"]
    );
    // options that are not given stay as they are: a second call never undoes a redaction
    assert_eq!(db.lines(&format!("{enable}('t')")), ["unchanged | changed | {} | {b} | {id}"]);
    assert_eq!(
        db.lines(&format!("{enable}('t', capture => 'full', exclude => '{{a}}')")),
        ["changed | full | {a} | {b} | {id}"]
    );
    assert_eq!(
        db.lines("SELECT \"table\", state, captures, excludes, redacts, problem FROM dbguard.audit_status()"),
        ["t | enabled | full | {a} | {b} | <null>"]
    );
    assert_eq!(db.value("SELECT dbguard.audit_disable('t')"), "t");
    assert_eq!(db.value("SELECT dbguard.audit_disable('t')"), "f");
    db.exec("INSERT INTO t VALUES (1)");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "0");
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_status()"), Vec::<String>::new());
}

#[test]
fn status_tells_what_is_wrong() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, a text); SELECT dbguard.audit_enable('t', exclude => '{a}')",
    );
    let problem = "SELECT problem FROM dbguard.audit_status()";
    db.exec("ALTER TABLE t DISABLE TRIGGER _dbguard_audit");
    assert_eq!(db.value(problem), "changes are not audited: the trigger is disabled");
    db.exec("SELECT dbguard.audit_enable('t')");
    assert_eq!(db.value(problem), "<null>");
    db.exec("DROP TRIGGER _dbguard_audit_truncate ON t");
    assert_eq!(db.value(problem), "TRUNCATE is not audited: its trigger is missing or disabled");
    db.exec("SELECT dbguard.audit_enable('t'); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER \"A first\" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
    assert!(db.value(problem).starts_with("trigger \"A first\" fires before the audit trigger"));
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, a text);
         CREATE VIEW v AS SELECT * FROM t;
         CREATE MATERIALIZED VIEW mv AS SELECT * FROM t;
         CREATE SEQUENCE s;
         CREATE TEMP TABLE tmp (id int);
         CREATE TYPE ct AS (a int);
         CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9)",
    );
    let cases = [
        ("NULL", "22004", "argument \"relation\" must not be null"),
        ("'v'", "42809", "\"v\" is a view"),
        ("'mv'", "42809", "\"mv\" is a materialized view"),
        ("'s'", "42809", "\"s\" is a sequence"),
        ("'t_pkey'", "42809", "\"t_pkey\" is an index"),
        ("'tmp'", "42809", "\"tmp\" is a temporary table"),
        ("'ct'", "42809", "\"ct\" is a composite type"),
        ("'p1'", "42809", "\"p1\" is a partition"),
        ("'pg_class'", "42809", "\"pg_class\" is a system catalog"),
        ("'nowhere'", "42P01", "relation \"nowhere\" does not exist"),
        ("0", "42P01", "relation with OID 0 does not exist"),
        ("'t', 'everything'", "22023", "unrecognized value for argument \"capture\": \"everything\""),
        ("'t', exclude => '{zz}'", "42703", "column \"zz\" of relation \"t\" does not exist"),
        ("'t', redact => '{id}'", "22023", "column \"id\" is part of the primary key"),
        ("'t', exclude => '{a}', redact => '{a}'", "22023", "column \"a\" is listed more than once"),
        ("'t', exclude => '{NULL}'", "22004", "argument \"exclude\" must not be null"),
    ];
    for (args, code, message) in cases {
        let error = db.error(&format!("SELECT dbguard.audit_enable({args})"));
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{args}");
    }
    for needs_hint in ["'v'", "'tmp'", "'p1'", "'pg_class'", "'t', 'everything'", "'t', redact => '{id}'"] {
        assert_ne!(db.error(&format!("SELECT dbguard.audit_enable({needs_hint})")).hint, "", "{needs_hint}");
    }
    assert_eq!(
        db.error("SELECT dbguard.audit_enable('t', 'everything')").detail,
        "Valid values are \"changed\" and \"full\"."
    );
    assert_eq!(db.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ 'dbguard'"), "0");
    assert_eq!(db.value("SELECT to_regclass('dbguard.audit_log') IS NULL"), "t");
    let mut other = db.connect_as("enable_other");
    let error = other.error("SELECT dbguard.audit_enable('t')");
    assert_eq!((error.code.as_str(), error.message.as_str()), ("42501", "must be owner of table t"));
}

#[test]
fn two_sessions_enable_at_once() {
    let mut db = Db::new();
    db.exec("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
    let mut sessions: Vec<Db> = (0..4).map(|_| db.connect()).collect();
    std::thread::scope(|scope| {
        for (i, session) in sessions.iter_mut().enumerate() {
            let table = if i % 2 == 0 { "a" } else { "b" };
            scope.spawn(move || session.exec(&format!("SELECT dbguard.audit_enable('{table}')")));
        }
    });
    assert_eq!(
        db.lines("SELECT \"table\", state FROM dbguard.audit_status()"),
        ["a | enabled", "b | enabled"]
    );
}

#[test]
fn two_sessions_with_different_options() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, card text, big text); SELECT dbguard.audit_enable('t')");
    let mut other = db.connect();
    db.exec("BEGIN; SELECT dbguard.audit_enable('t', redact => '{card}')");
    let waiting = std::thread::spawn(move || {
        other.exec("SELECT dbguard.audit_enable('t', exclude => '{big}')");
    });
    while db.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass") == "0" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    db.exec("COMMIT");
    waiting.join().unwrap();
    assert_eq!(db.lines("SELECT excludes, redacts FROM dbguard.audit_status()"), ["{big} | {card}"]);
}

/// The lock is on the table, not on the name of its schema: while one call waits, the name can come to
/// mean another's table, on which the caller has no rights.
#[test]
fn a_schema_renamed_meanwhile_does_not_lead_to_anothers_table() {
    let mut db = Db::new();
    db.connect_as("enable_attacker");
    db.exec(
        "CREATE SCHEMA s1 AUTHORIZATION enable_attacker; CREATE SCHEMA s2 AUTHORIZATION enable_attacker;
         CREATE TABLE s1.t (id int PRIMARY KEY, card text); ALTER TABLE s1.t OWNER TO enable_attacker;
         CREATE TABLE s2.t (id int PRIMARY KEY, card text);
         SELECT dbguard.audit_enable('s2.t', redact => '{card}')",
    );
    let mut attacker = db.connect_as("enable_attacker");
    db.exec("BEGIN; LOCK TABLE s1.t; ALTER SCHEMA s1 RENAME TO s3; ALTER SCHEMA s2 RENAME TO s1");
    let waiting = std::thread::spawn(move || {
        let _ = attacker.try_exec("SELECT dbguard.audit_enable('s1.t'::regclass, exclude => '{card}')");
    });
    while db.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 's3.t'::regclass") == "0" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    db.exec("COMMIT");
    waiting.join().unwrap();
    assert_eq!(
        db.lines("SELECT \"table\", excludes, redacts FROM dbguard.audit_status() WHERE \"table\" = 's1.t'::regclass"),
        ["s1.t | {} | {card}"]
    );
}

#[test]
fn a_trigger_somebody_renamed_is_put_right() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, card text); SELECT dbguard.audit_enable('t', redact => '{card}');
         ALTER TRIGGER _dbguard_audit ON t RENAME TO zz; ALTER TABLE t RENAME card TO pan;
         INSERT INTO t VALUES (1, 'secret')",
    );
    assert_eq!(db.lines("SELECT new FROM dbguard.audit_log"), [r#"{"id": 1, "pan": "[redacted]"}"#]);
    db.exec("SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (2, 'secret')");
    assert_eq!(
        db.value("SELECT string_agg(tgname, ',' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = 't'::regclass"),
        "_dbguard_audit,_dbguard_audit_truncate"
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE key = '2'"), "1");
    db.exec("ALTER TRIGGER _dbguard_audit ON t RENAME TO zz; SELECT dbguard.audit_disable('t')");
    assert_eq!(
        db.value("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = 't'::regclass"),
        "0"
    );
}

#[test]
fn a_second_trigger_is_told_and_goes_with_enable() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t');
         CREATE TRIGGER mine AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION dbguard.audit_row()",
    );
    assert_eq!(
        db.value("SELECT problem FROM dbguard.audit_status()"),
        "changes are logged more than once, by triggers \"_dbguard_audit\" and \"mine\": call dbguard.audit_enable"
    );
    db.exec("SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1)");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "1");
    assert_eq!(db.value("SELECT problem FROM dbguard.audit_status()"), "<null>");
}

#[test]
fn trigger_functions_refuse_to_be_misused() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY)");
    let error = db.error("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION dbguard.audit_row(); INSERT INTO t VALUES (1)");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("39P01", "function \"audit_row\" must be fired AFTER ROW")
    );
    let error = db.error("CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION dbguard.audit_truncate(); INSERT INTO t VALUES (1)");
    assert_eq!(error.code, "39P01");
    assert_eq!(db.error("SELECT dbguard.audit_row()").code, "39P01");
}
