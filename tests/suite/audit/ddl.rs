//! Commands beside rows: what DDL did, and who did it.

use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec("SELECT dbguard.audit_ddl_enable()");
    db
}

/// What was logged since the last call.
fn logged(db: &mut Db) -> Vec<String> {
    let lines = db.lines(
        "SELECT op, object_type, object FROM dbguard.audit_events
         WHERE id > coalesce(nullif(current_setting('t.seen', true), ''), '0')::bigint AND object IS DISTINCT FROM '_dbguard_audit_ddl_end'
         ORDER BY id",
    );
    db.exec("SELECT set_config('t.seen', max(id)::text, false) FROM dbguard.audit_events");
    lines
}

#[test]
fn commands_and_drops_are_logged_each_once() {
    let mut db = db();
    for (command, expected) in [
        ("CREATE SCHEMA s", vec!["CREATE SCHEMA | schema | s"]),
        (
            "CREATE TABLE s.t (id serial PRIMARY KEY, v int, w int)",
            vec![
                "CREATE SEQUENCE | sequence | s.t_id_seq",
                "CREATE TABLE | table | s.t",
                "CREATE INDEX | index | s.t_pkey",
                "ALTER SEQUENCE | sequence | s.t_id_seq",
            ],
        ),
        (
            "ALTER TABLE s.t ADD COLUMN x int, ALTER v SET NOT NULL, ADD CHECK (v > 0)",
            vec!["ALTER TABLE | table | s.t"],
        ),
        ("ALTER TABLE s.t DROP COLUMN x", vec!["DROP | table column | s.t.x", "ALTER TABLE | table | s.t"]),
        ("ALTER TABLE s.t RENAME TO \"T T\"", vec!["ALTER TABLE | table | s.\"T T\""]),
        ("ALTER TABLE s.\"T T\" RENAME w TO ww", vec!["ALTER TABLE | table column | s.\"T T\".ww"]),
        ("CREATE VIEW s.v AS SELECT * FROM s.\"T T\"", vec!["CREATE VIEW | view | s.v"]),
        ("COMMENT ON TABLE s.\"T T\" IS 'x'", vec!["COMMENT | table | s.\"T T\""]),
        ("GRANT SELECT ON s.\"T T\" TO PUBLIC", vec!["GRANT | table | <null>"]),
        ("REVOKE SELECT ON s.\"T T\" FROM PUBLIC", vec!["REVOKE | table | <null>"]),
        (
            "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC",
            vec!["ALTER DEFAULT PRIVILEGES | tables | <null>"],
        ),
        ("CREATE TABLE s.c AS SELECT 1 AS a", vec!["CREATE TABLE AS | table | s.c"]),
        ("SELECT 1 AS a INTO s.d", vec!["SELECT INTO | table | s.d"]),
        (
            "CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            vec!["CREATE FUNCTION | function | s.f(integer)"],
        ),
        ("CREATE INDEX CONCURRENTLY ci ON s.c (a)", vec!["CREATE INDEX | index | s.ci"]),
        ("DROP TABLE s.d", vec!["DROP | table | s.d"]),
        ("TRUNCATE s.c", vec![]),
        ("INSERT INTO s.c VALUES (2)", vec![]),
        (
            "DROP SCHEMA s CASCADE",
            vec![
                "DROP | function | s.f(integer)",
                "DROP | schema | s",
                "DROP | sequence | s.t_id_seq",
                "DROP | table | s.\"T T\"",
                "DROP | table | s.c",
                "DROP | view | s.v",
            ],
        ),
    ] {
        db.exec(command);
        let mut lines = logged(&mut db);
        if command.starts_with("DROP SCHEMA") {
            lines.sort();
        }
        lines.retain(|l| !l.contains("default acl"));
        assert_eq!(lines, expected, "{command}");
    }
}

#[test]
fn who_when_and_in_which_transaction_stand_beside() {
    let mut db = db();
    db.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); SET dbguard.actor = 'u-1'; SET dbguard.tenant = 'acme'; SET application_name = 'migrate'; SET dbguard.context = '{\"a\": 1}'");
    logged(&mut db);
    db.exec("BEGIN; INSERT INTO t VALUES (1); ALTER TABLE t ADD v int; UPDATE t SET v = 2; COMMIT");
    assert_eq!(
        db.lines(
            "SELECT op, object, key, actor, tenant, application_name, session_user_name, current_user_name, context
             FROM dbguard.audit_events WHERE xact = (SELECT max(xact) FROM dbguard.audit_log) ORDER BY id"
        ),
        [
            "INSERT | public.t | 1 | u-1 | acme | migrate | postgres | postgres | {\"a\": 1}",
            "ALTER TABLE | public.t | <null> | u-1 | acme | migrate | postgres | postgres | {\"a\": 1}",
            "UPDATE | public.t | 1 | u-1 | acme | migrate | postgres | postgres | {\"a\": 1}"
        ]
    );
    assert_eq!(db.value("SELECT bool_and(at BETWEEN now() - interval '1 minute' AND clock_timestamp()) FROM dbguard.audit_events"), "t");
}

#[test]
fn the_commands_text_by_option_and_never_a_password() {
    let mut db = Db::new();
    db.exec("SELECT dbguard.audit_ddl_enable(command_text => true)");
    db.exec("CREATE TABLE t (v text DEFAULT 'x')");
    db.exec("ALTER ROLE postgres PASSWORD 's3cret'; CREATE TABLE u (v text DEFAULT 'y')");
    db.exec(&format!("CREATE TABLE long (v text DEFAULT '{}')", "é".repeat(20_000)));
    assert_eq!(
        db.lines(
            "SELECT command FROM dbguard.audit_events WHERE object IN ('public.t', 'public.u') ORDER BY id"
        ),
        [
            "CREATE TABLE t (v text DEFAULT 'x')",
            "ALTER ROLE postgres PASSWORD '[redacted]'; CREATE TABLE u (v text DEFAULT '[redacted]')"
        ]
    );
    assert_eq!(
        db.value(
            "SELECT count(*) FROM dbguard.audit_events WHERE to_jsonb(audit_events)::text LIKE '%s3cret%'"
        ),
        "0"
    );
    assert_eq!(db.value("SELECT octet_length(command) BETWEEN 9900 AND 10010 FROM dbguard.audit_events WHERE object = 'public.long'"), "t");
    db.exec("SELECT dbguard.audit_ddl_enable(); CREATE TABLE w ()");
    assert_eq!(db.value("SELECT command FROM dbguard.audit_events WHERE object = 'public.w'"), "<null>");
}

#[test]
fn temporary_objects_and_rolled_back_commands_are_not_logged() {
    let mut db = db();
    db.exec(
        "CREATE TEMP TABLE x (id serial PRIMARY KEY, v int); CREATE INDEX ON x (v); ALTER TABLE x ADD w int; ALTER TABLE x DROP v;
         CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER g BEFORE INSERT ON x FOR EACH ROW EXECUTE FUNCTION pg_temp.f(); DROP TRIGGER g ON x;
         CREATE POLICY p ON x; ALTER POLICY p ON x TO PUBLIC; CREATE RULE r AS ON INSERT TO x DO ALSO NOTHING; DROP RULE r ON x; DROP TABLE x",
    );
    db.exec("BEGIN; CREATE TABLE y (); ROLLBACK; BEGIN; SAVEPOINT a; CREATE TABLE y (); ROLLBACK TO a; CREATE TABLE z (); COMMIT");
    db.try_exec("CREATE TABLE y (a int, a int)").unwrap_err();
    assert_eq!(logged(&mut db), ["CREATE TABLE | table | public.z"]);
    // nobody hides a trigger by giving it the name of a temporary one
    db.exec("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER \"g on pg_temp.x\" BEFORE INSERT ON z FOR EACH ROW EXECUTE FUNCTION f(); DROP TRIGGER \"g on pg_temp.x\" ON z");
    assert_eq!(
        logged(&mut db),
        [
            "CREATE FUNCTION | function | public.f()",
            "CREATE TRIGGER | trigger | \"g on pg_temp.x\" on public.z",
            "DROP | trigger | \"g on pg_temp.x\" on public.z"
        ]
    );
}

#[test]
fn an_extension_is_one_object() {
    let mut db = db();
    if !db.offers(&["hstore", "citext"]) {
        return;
    }
    db.exec("CREATE EXTENSION hstore");
    assert_eq!(logged(&mut db), ["CREATE EXTENSION | extension | hstore"]);
    db.exec("CREATE TABLE t (id int, h hstore)");
    logged(&mut db);
    db.exec("DROP EXTENSION hstore CASCADE");
    let mut lines = logged(&mut db);
    lines.sort();
    assert_eq!(lines, ["DROP | extension | hstore", "DROP | table column | public.t.h"]);
    db.exec("CREATE SCHEMA x; CREATE EXTENSION citext SCHEMA x; DROP SCHEMA x CASCADE");
    let lines = logged(&mut db);
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn in_replica_sessions_and_by_ordinary_roles_too() {
    let mut db = db();
    let mut app = db.connect_as("ddl_app");
    db.exec("CREATE SCHEMA app AUTHORIZATION ddl_app; REVOKE ALL ON SCHEMA dbguard FROM PUBLIC; SET session_replication_role = replica; CREATE TABLE r (); RESET session_replication_role");
    app.exec("SET search_path = app; CREATE TABLE t (a int); CREATE TABLE pg_class (a int); ALTER TABLE t ADD b int; DROP OWNED BY ddl_app");
    let lines = db.lines("SELECT op, object, current_user_name FROM dbguard.audit_events WHERE object <> '_dbguard_audit_ddl_end' ORDER BY id");
    assert_eq!(
        lines[..5],
        [
            "CREATE SCHEMA | app | postgres",
            "CREATE TABLE | public.r | postgres",
            "CREATE TABLE | app.t | ddl_app",
            "CREATE TABLE | app.pg_class | ddl_app",
            "ALTER TABLE | app.t | ddl_app"
        ]
    );
    let mut dropped = lines[5..].to_vec();
    dropped.sort();
    assert_eq!(dropped, ["DROP | app | ddl_app", "DROP | app.pg_class | ddl_app", "DROP | app.t | ddl_app"]);
}

#[test]
fn only_in_some_schemas() {
    let mut db = Db::new();
    let schema = "s".repeat(63);
    db.exec(&format!("CREATE SCHEMA {schema}; CREATE SCHEMA other; SELECT dbguard.audit_ddl_enable(schemas => '{{{schema}, {schema}}}')"));
    logged(&mut db);
    db.exec(&format!(
        "CREATE TABLE {schema}.t (id int); CREATE TABLE other.t (id int); CREATE POLICY p ON {schema}.t; CREATE POLICY p ON other.t;
         DROP POLICY p ON {schema}.t; DROP POLICY p ON other.t; DROP TABLE {schema}.t; DROP TABLE other.t; CREATE SCHEMA more"
    ));
    assert_eq!(
        logged(&mut db),
        [
            format!("CREATE TABLE | table | {schema}.t"),
            format!("CREATE POLICY | policy | p on {schema}.t"),
            format!("DROP | policy | p on {schema}.t"),
            format!("DROP | table | {schema}.t"),
            "CREATE SCHEMA | schema | more".to_owned()
        ]
    );
    assert_eq!(db.value("SELECT logs_schemas FROM dbguard.audit_ddl_status()"), format!("{{{schema}}}"));
}

#[test]
fn switching_on_and_off() {
    let mut db = Db::new();
    let status = "SELECT * FROM dbguard.audit_ddl_status()";
    assert_eq!(db.lines(status), ["disabled | <null> | <null> | <null>"]);
    assert_eq!(db.value("SELECT dbguard.audit_ddl_disable()"), "f");
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_ddl_enable()"), ["enabled | f | <null>"]);
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_ddl_enable()"), ["unchanged | f | <null>"]);
    assert_eq!(
        db.lines("SELECT * FROM dbguard.audit_ddl_enable(true, '{public}')"),
        ["changed | t | {public}"]
    );
    assert_eq!(db.lines(status), ["enabled | t | {public} | <null>"]);
    db.exec("ALTER EVENT TRIGGER _dbguard_audit_ddl_drop DISABLE");
    assert!(db.lines(status)[0].contains("\"_dbguard_audit_ddl_drop\" is not enabled"));
    db.exec("DROP EVENT TRIGGER _dbguard_audit_ddl_end");
    assert_eq!(
        db.lines("SELECT * FROM dbguard.audit_ddl_enable(true, '{public}')"),
        ["changed | t | {public}"]
    );
    assert_eq!(db.lines(status), ["enabled | t | {public} | <null>"]);
    assert_eq!(db.value("SELECT dbguard.audit_ddl_disable()"), "t");
    db.exec("CREATE TABLE t ()");
    // since when, and until when, is in the log as well
    assert_eq!(
        db.lines("SELECT op, object FROM dbguard.audit_events ORDER BY id"),
        [
            "CREATE EVENT TRIGGER | _dbguard_audit_ddl_end",
            "ALTER EVENT TRIGGER | _dbguard_audit_ddl_end",
            "CREATE EVENT TRIGGER | _dbguard_audit_ddl_end",
            "DROP EVENT TRIGGER | _dbguard_audit_ddl_end"
        ]
    );
}

#[test]
fn bad_arguments_and_missing_rights() {
    let mut db = Db::new();
    for (call, code) in [
        ("SELECT dbguard.audit_ddl_enable(NULL)", "22004"),
        ("SELECT dbguard.audit_ddl_enable(schemas => '{nowhere}')", "3F000"),
        ("SELECT dbguard.audit_ddl_enable(schemas => '{}')", "22023"),
        ("SELECT dbguard.audit_ddl_enable(schemas => '{NULL}')", "22004"),
    ] {
        assert_eq!(db.error(call).code, code, "{call}");
    }
    let mut app = db.connect_as("ddl_nobody");
    for call in ["SELECT dbguard.audit_ddl_enable()", "SELECT dbguard.audit_ddl_disable()"] {
        assert_eq!(app.error(call).code, "42501", "{call}");
    }
    assert_eq!(app.lines("SELECT state FROM dbguard.audit_ddl_status()"), ["disabled"]);
    db.exec("SELECT dbguard.audit_ddl_enable()");
    for table in ["audit_command", "audit_events", "audit_ddl_option"] {
        assert_eq!(app.error(&format!("SELECT * FROM dbguard.{table}")).code, "42501");
    }
    assert_eq!(app.lines("SELECT state FROM dbguard.audit_ddl_status()"), ["enabled"]);
}

#[test]
fn a_command_whose_object_cannot_be_told_is_logged_by_its_tag() {
    let mut db = db();
    db.exec("ALTER TABLE dbguard.audit_command ADD CHECK (object <> 'public.odd')");
    logged(&mut db);
    db.exec("CREATE TABLE odd ()");
    assert_eq!(logged(&mut db), ["CREATE TABLE | <null> | <null>"]);
    // but what cannot be logged at all does not happen
    db.exec("ALTER TABLE dbguard.audit_command ADD CONSTRAINT no_views CHECK (tag <> 'CREATE VIEW')");
    assert_eq!(db.error("CREATE VIEW v AS SELECT 1").code, "23514");
    assert_eq!(db.value("SELECT to_regclass('v')"), "<null>");
}

#[test]
fn without_the_log_commands_fail_and_the_hint_helps() {
    let mut db = db();
    let error = db.error("DROP TABLE dbguard.audit_command CASCADE");
    assert_eq!(error.code, "55000");
    db.exec(error.hint.split(": ").nth(1).unwrap().trim_end_matches('.'));
    db.exec("DROP TABLE dbguard.audit_command CASCADE; CREATE TABLE t (); SELECT dbguard.audit_ddl_enable(); CREATE TABLE u ()");
    assert_eq!(logged(&mut db), ["CREATE TABLE | table | public.u"]);
    db.exec("DROP EXTENSION dbguard CASCADE; CREATE TABLE w ()");
    assert_eq!(db.value("SELECT count(*) FROM pg_event_trigger"), "0");
}

#[test]
fn it_survives_dump_and_restore() {
    let mut db = Db::new();
    db.exec("SELECT dbguard.audit_ddl_enable(true); CREATE TABLE t ()");
    let before = db.lines("SELECT * FROM dbguard.audit_events ORDER BY id");
    let cluster = db.cluster();
    let file = cluster.dir().join(format!("{}.dump", db.name));
    let file = file.to_str().unwrap();
    let out = cluster.run("pg_dump", &["-F", "c", "-f", file, &db.name]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut copy = Db::empty_in(cluster);
    let out = cluster.run("pg_restore", &["--exit-on-error", "-d", &copy.name, file]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(copy.lines("SELECT * FROM dbguard.audit_events ORDER BY id"), before);
    assert_eq!(copy.lines("SELECT * FROM dbguard.audit_ddl_status()"), ["enabled | t | <null> | <null>"]);
    copy.exec("CREATE TABLE u ()");
    assert_eq!(
        copy.value("SELECT command FROM dbguard.audit_events WHERE object = 'public.u'"),
        "CREATE TABLE u ()"
    );
}
