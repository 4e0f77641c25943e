//! Nobody writes the log but the trigger; nobody reads it but whom its owner lets.

use dbguard_tests::Db;

fn db(role: &str) -> Db<'static> {
    let mut db = Db::new();
    db.connect_as(role);
    db.exec(&format!(
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {role};
         CREATE SCHEMA app AUTHORIZATION {role};
         SET ROLE {role}; CREATE TABLE app.t (id int PRIMARY KEY, v int);
         SELECT dbguard.audit_enable('app.t'); RESET ROLE"
    ));
    db
}

#[test]
fn an_ordinary_owner_audits_and_an_ordinary_writer_is_logged() {
    let mut db = db("rights_owner");
    let mut owner = db.connect_as("rights_owner");
    owner.exec("INSERT INTO app.t VALUES (1, 1); UPDATE app.t SET v = 2; DELETE FROM app.t; TRUNCATE app.t");
    let mut writer = db.connect_as("rights_writer");
    db.exec("GRANT USAGE ON SCHEMA app TO rights_writer; GRANT INSERT ON app.t TO rights_writer");
    writer.exec("INSERT INTO app.t VALUES (5, 5)");
    assert_eq!(
        db.lines("SELECT op, current_user_name FROM dbguard.audit_log ORDER BY id"),
        [
            "INSERT | rights_owner",
            "UPDATE | rights_owner",
            "DELETE | rights_owner",
            "TRUNCATE | rights_owner",
            "INSERT | rights_writer"
        ]
    );
}

#[test]
fn the_log_is_the_owners_whatever_default_privileges_say() {
    let mut db = db("rights_app");
    let mut app = db.connect_as("rights_app");
    for statement in [
        "SELECT * FROM dbguard.audit_log",
        "SELECT * FROM dbguard.audit_change",
        "INSERT INTO dbguard.audit_change (id, at, xact, context, relation, op) VALUES (1, now(), '1', 1, 1, 'I')",
        "UPDATE dbguard.audit_change SET key = 'forged'",
        "DELETE FROM dbguard.audit_change",
        "TRUNCATE dbguard.audit_change",
        "DELETE FROM dbguard.audit_context",
        "DELETE FROM dbguard.audit_pack",
        "UPDATE dbguard.audit_relation SET table_name = 'x'",
        "SELECT nextval('dbguard.audit_change_id_seq')",
        "SELECT * FROM dbguard.audit_change_default",
        "SELECT * FROM dbguard.audit_history('app.t', '1')",
    ] {
        assert_eq!(app.error(statement).code, "42501", "{statement}");
    }
    db.exec("GRANT SELECT ON dbguard.audit_log TO rights_app");
    app.exec("INSERT INTO app.t VALUES (1, 1)");
    assert_eq!(app.lines("SELECT op FROM dbguard.audit_history('app.t', '1')"), ["INSERT"]);
}

#[test]
fn evidence_cannot_be_forged_by_attaching_the_trigger() {
    let mut db = db("rights_forger");
    let mut app = db.connect_as("rights_forger");
    let attach = "CREATE TRIGGER x AFTER INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION dbguard.audit_row()";
    assert_eq!(app.error(attach).code, "42501");
    let attach = "CREATE TRIGGER x AFTER TRUNCATE ON app.t EXECUTE FUNCTION dbguard.audit_truncate()";
    assert_eq!(app.error(attach).code, "42501");
    assert_eq!(db.error("SELECT dbguard.audit_enable('dbguard.audit_relation')").code, "42809");
}

#[test]
fn a_hostile_search_path_changes_nothing() {
    let mut db = Db::new();
    db.connect_as("rights_hostile");
    db.exec(
        "CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO rights_hostile;
         CREATE TABLE t (id int PRIMARY KEY, v text); GRANT ALL ON t TO rights_hostile;
         SELECT dbguard.audit_enable('t')",
    );
    let mut hostile = db.connect_as("rights_hostile");
    hostile.exec(
        "CREATE TABLE evil.called (who text);
         CREATE FUNCTION evil.boom() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.called VALUES (current_user); RETURN 'x'; END $$;
         CREATE FUNCTION evil.eq(oid, oid) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.boom(); RETURN true; END $$;
         CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);
         CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT evil.boom()';
         CREATE FUNCTION evil.nextval(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT length(evil.boom())';
         CREATE FUNCTION evil.format_type(oid, int) RETURNS text LANGUAGE sql AS 'SELECT evil.boom()';
         CREATE FUNCTION evil.max(int) RETURNS int LANGUAGE sql AS 'SELECT length(evil.boom())';
         CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS 'SELECT to_json(evil.boom())::jsonb';
         CREATE TEMP TABLE pg_trigger (oid oid); CREATE TEMP TABLE pg_class (oid oid); CREATE TEMP TABLE audit_change (id int);
         SET search_path = evil, pg_temp, pg_catalog, public;
         INSERT INTO public.t VALUES (1, 'a'); UPDATE public.t SET v = 'b'; DELETE FROM public.t",
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "3");
    assert_eq!(db.value("SELECT count(*) FROM evil.called"), "0");
    hostile.exec("SELECT dbguard.audit_status(); SELECT dbguard.touch_status()");
    let refused = hostile.error("SELECT dbguard.audit_enable('public.t')");
    assert_eq!(refused.message, "must be owner of table t");
    assert_eq!(db.value("SELECT count(*) FROM evil.called"), "0");
}

#[test]
fn row_level_security_and_read_only_columns_do_not_hide_changes() {
    let mut db = db("rights_rls");
    db.exec(
        "ALTER TABLE app.t ENABLE ROW LEVEL SECURITY; ALTER TABLE app.t FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON app.t USING (v < 10);
         ALTER TABLE dbguard.audit_change ENABLE ROW LEVEL SECURITY; ALTER TABLE dbguard.audit_change FORCE ROW LEVEL SECURITY",
    );
    let mut app = db.connect_as("rights_rls");
    app.exec("INSERT INTO app.t VALUES (1, 1); UPDATE app.t SET v = 2");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_change"), "2");
}

#[test]
fn a_schema_closed_to_the_public_breaks_nobodys_work() {
    let mut db = db("rights_closed");
    db.exec("REVOKE USAGE ON SCHEMA dbguard FROM PUBLIC; GRANT CREATE ON SCHEMA public TO rights_closed");
    let mut app = db.connect_as("rights_closed");
    app.exec("INSERT INTO app.t VALUES (1, 1); CREATE TABLE other (id int); ALTER TABLE other ADD COLUMN x int; ALTER TABLE app.t ADD COLUMN x int");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_change"), "1");
}

/// The owner of an audited partitioned table may execute the trigger function: with it he can make
/// evidence of his own tables, and of nobody else's.
#[test]
fn nor_by_who_may_execute_its_function() {
    let mut db = Db::new();
    let mut forger = db.connect_as("rights_grantee");
    db.exec("GRANT CREATE ON SCHEMA public TO rights_grantee; CREATE TABLE victim (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('victim'); INSERT INTO victim VALUES (1, 'true')");
    forger.exec(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); SELECT dbguard.audit_enable('p')",
    );
    let home = db.value("SELECT home FROM dbguard.audit_relation WHERE table_name = 'victim'");
    forger.exec(&format!(
        "CREATE TABLE mine (id int PRIMARY KEY, v text);
         CREATE TRIGGER x AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION dbguard.audit_row('capture=changed', 'home={home}');
         INSERT INTO mine VALUES (1, 'forged');
         CREATE TEMP TABLE victim (id int PRIMARY KEY, v text);
         CREATE TRIGGER x AFTER INSERT ON victim FOR EACH ROW EXECUTE FUNCTION dbguard.audit_row('capture=changed', 'home={home}');
         INSERT INTO victim VALUES (1, 'forged')"
    ));
    assert_eq!(forger.error("CREATE TRIGGER x AFTER INSERT ON public.victim FOR EACH ROW EXECUTE FUNCTION dbguard.audit_row()").code, "42501");
    assert_eq!(forger.error("SELECT dbguard.audit_row()").code, "39P01");
    assert_eq!(db.lines("SELECT new->>'v' FROM dbguard.audit_history('public.victim', '1')"), ["true"]);
    let of_victim = "lineage = (SELECT lineage FROM dbguard.audit_log WHERE current_user_name = 'postgres' AND table_name = 'victim')";
    assert_eq!(
        db.lines(&format!("SELECT schema_name, new->>'v' FROM dbguard.audit_log WHERE {of_victim}")),
        ["public | true"]
    );
    assert_eq!(
        db.value(
            "SELECT count(*) FROM dbguard.audit_log WHERE schema_name = 'public' AND table_name = 'victim'"
        ),
        "1"
    );
}

#[test]
fn a_function_with_its_owners_rights_changes_as_its_owner() {
    let mut db = db("rights_definer");
    db.exec(
        "SET ROLE rights_definer;
         CREATE FUNCTION app.put(i int) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = app AS 'INSERT INTO t VALUES (i, i); UPDATE t SET v = 0 WHERE id = i';
         GRANT USAGE ON SCHEMA app TO PUBLIC; RESET ROLE",
    );
    let mut caller = db.connect_as("rights_caller");
    caller.exec("SELECT app.put(1)");
    assert_eq!(
        db.lines(
            "SELECT left(op, 1), session_user_name, current_user_name FROM dbguard.audit_log ORDER BY id"
        ),
        ["I | rights_caller | rights_definer", "U | rights_caller | rights_definer"]
    );
}
