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
    db.exec("ALTER TABLE t DISABLE TRIGGER dbguard_audit");
    assert_eq!(db.value(problem), "changes are not audited: the trigger is disabled");
    db.exec("SELECT dbguard.audit_enable('t')");
    assert_eq!(db.value(problem), "<null>");
    db.exec("DROP TRIGGER dbguard_audit_truncate ON t");
    assert_eq!(db.value(problem), "TRUNCATE is not audited: its trigger is missing or disabled");
    db.exec("SELECT dbguard.audit_enable('t', exclude => '{}'); SELECT dbguard.audit_enable('t', exclude => '{a}'); ALTER EVENT TRIGGER dbguard_audit_follow_columns DISABLE; ALTER TABLE t DROP COLUMN a");
    assert_eq!(db.value(problem), "column \"a\" is excluded or redacted, but does not exist");
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
