//! With the rights of whoever asks.

use super::{all, plan, revert, transaction};
use dbguard_tests::Db;

#[test]
fn the_log_must_be_readable_and_the_table_writable() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1), (2, 2)",
    );
    let x = transaction(
        &mut db,
        "UPDATE t SET v = 9 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 3)",
    );
    let mut clerk = db.connect_as("revert_clerk");
    let revert_it = format!("SELECT * FROM dbguard.audit_revert(xact => '{x}')");
    let message = |e: dbguard_tests::SqlError| format!("{} {}", e.code, e.message);
    assert_eq!(message(clerk.error(&revert_it)), "42501 permission denied for view audit_log");
    assert_eq!(
        message(clerk.error("SELECT * FROM dbguard.audit_revert_plan(relation => 't', key => '1')")),
        "42501 permission denied for view audit_log"
    );
    db.exec("GRANT SELECT ON dbguard.audit_log TO revert_clerk");
    assert_eq!(message(clerk.error(&revert_it)), "42501 permission denied for table t");
    db.exec("GRANT SELECT, UPDATE, DELETE ON t TO revert_clerk");
    assert_eq!(message(clerk.error(&revert_it)), "42501 permission denied for table t");
    db.exec("GRANT INSERT ON t TO revert_clerk");
    assert_eq!(revert(&mut clerk, &format!("xact => '{x}'")), 3);
    assert_eq!(all(&mut db, "t"), ["(1,1)", "(2,2)"]);
    assert_eq!(
        db.value("SELECT DISTINCT current_user_name FROM dbguard.audit_log WHERE context ? 'reverts'"),
        "revert_clerk"
    );
}

#[test]
fn rows_that_are_not_visible_are_gone() {
    let mut db = Db::new();
    let mut tenant = db.connect_as("revert_tenant");
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, who text, v int); GRANT ALL ON t TO revert_tenant;
         SELECT dbguard.audit_enable('t'); GRANT SELECT ON dbguard.audit_log TO revert_tenant;
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (who = current_user);
         INSERT INTO t VALUES (1, 'revert_tenant', 1), (2, 'other', 1)",
    );
    let x = transaction(&mut db, "UPDATE t SET v = 2");
    let mut told = plan(&mut tenant, &format!("xact => '{x}'"));
    told.sort();
    assert_eq!(
        told,
        ["UPDATE | t | 1 | {\"v\": 1}", "UPDATE | t | 2 | {\"v\": 1} | conflict: row is gone or not visible"]
    );
    revert(&mut tenant, &format!("xact => '{x}', on_conflict => 'skip'"));
    assert_eq!(all(&mut db, "t"), ["(1,revert_tenant,1)", "(2,other,2)"]);
    // what the policy does not let in is refused
    let x = transaction(&mut db, "DELETE FROM t WHERE id = 2");
    assert_eq!(tenant.error(&format!("SELECT * FROM dbguard.audit_revert(xact => '{x}')")).code, "42501");
}

#[test]
fn nothing_of_an_attackers_is_called_with_the_callers_rights() {
    let mut db = Db::new();
    db.exec(
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (id int, m mood, j json, v text, n numeric, PRIMARY KEY (id, v)); CREATE TABLE n (a text, b int);
         SELECT dbguard.audit_enable('t'); SELECT dbguard.audit_enable('n'); INSERT INTO t VALUES (1, 'a', '1', 'x', 1), (2, 'b', '2', 'y', 2); INSERT INTO n VALUES ('x', 1), ('y', 2);
         CREATE SCHEMA evil; CREATE TABLE evil.called (what text);
         CREATE DOMAIN evil.int4 AS text; CREATE DOMAIN evil.text AS int; CREATE DOMAIN evil.json AS int; CREATE DOMAIN evil.numeric AS text; CREATE DOMAIN evil.jsonb AS text;
         CREATE FUNCTION evil.json_to_recordset(pg_catalog.json) RETURNS SETOF record LANGUAGE plpgsql AS 'BEGIN INSERT INTO evil.called VALUES (''recordset''); END';
         CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS pg_catalog.jsonb LANGUAGE plpgsql AS 'BEGIN INSERT INTO evil.called VALUES (''to_jsonb''); RETURN NULL; END';
         CREATE FUNCTION evil.row_number() RETURNS int8 LANGUAGE plpgsql AS 'BEGIN INSERT INTO evil.called VALUES (''row_number''); RETURN NULL; END'",
    );
    for t in [
        "pg_catalog.int4",
        "pg_catalog.text",
        "pg_catalog.jsonb",
        "pg_catalog.int8",
        "pg_catalog.tid",
        "pg_catalog.oid",
        "public.mood",
    ] {
        db.exec(&format!(
            "CREATE FUNCTION evil.op({t}, {t}) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.called VALUES ('operator'); RETURN true; END $$;
             CREATE OPERATOR evil.= (LEFTARG = {t}, RIGHTARG = {t}, FUNCTION = evil.op);
             CREATE OPERATOR evil.<> (LEFTARG = {t}, RIGHTARG = {t}, FUNCTION = evil.op)"
        ));
    }
    let before = (all(&mut db, "t"), all(&mut db, "n"));
    let x = transaction(
        &mut db,
        "UPDATE t SET m = 'a', j = '5', n = 7 WHERE id = 2; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3, 'a', '1', 'z', 1); UPDATE n SET b = 9 WHERE b = 1; DELETE FROM n WHERE b = 2; INSERT INTO n VALUES ('q', 4)",
    );
    for path in ["evil, pg_catalog", "evil, pg_temp, pg_catalog, public", ""] {
        db.exec(&format!("SELECT pg_catalog.set_config('search_path', '{path}', false)"));
        db.exec(&format!("BEGIN; SELECT * FROM dbguard.audit_revert_plan(xact => '{x}'); SELECT * FROM dbguard.audit_revert(xact => '{x}')"));
        assert_eq!(db.lines("SELECT what FROM evil.called"), Vec::<String>::new(), "{path}");
        db.exec("SET LOCAL search_path = public");
        assert_eq!((all(&mut db, "t"), all(&mut db, "n")), before);
        db.exec("ROLLBACK");
    }
}

/// A trigger of the caller's own table runs in the middle of it and chooses what names mean. What is done after
/// that with the rights of the extension's owner must not ask it.
#[test]
fn a_trigger_does_not_choose_what_names_mean_after_it() {
    let mut db = Db::new();
    let mut owner = db.connect_as("revert_chooser");
    db.exec("CREATE SCHEMA own AUTHORIZATION revert_chooser");
    owner.exec(
        "CREATE FUNCTION own.give() RETURNS bool LANGUAGE plpgsql AS $$
         BEGIN
           IF current_user OPERATOR(pg_catalog.<>) 'revert_chooser' THEN
             EXECUTE 'ALTER ROLE revert_chooser SUPERUSER';
           END IF;
           RETURN true;
         END $$;
         CREATE DOMAIN own.text AS pg_catalog.text CHECK (own.give());
         CREATE DOMAIN own.name AS pg_catalog.name CHECK (own.give());
         CREATE DOMAIN own.jsonb AS pg_catalog.jsonb CHECK (own.give());
         CREATE FUNCTION own.eq(oid, oid) RETURNS bool LANGUAGE plpgsql AS
           'BEGIN PERFORM own.give(); RETURN $1 OPERATOR(pg_catalog.=) $2; END';
         CREATE OPERATOR own.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = own.eq);
         CREATE FUNCTION own.choose() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
           PERFORM set_config('search_path', 'own, pg_catalog', false);
           RETURN NEW;
         END $$;
         CREATE TABLE own.t (id int PRIMARY KEY, v pg_catalog.text);
         CREATE TABLE own.u (id int PRIMARY KEY REFERENCES own.t, v pg_catalog.text);
         CREATE TRIGGER choose BEFORE INSERT OR UPDATE ON own.t FOR EACH ROW EXECUTE FUNCTION own.choose();
         CREATE TRIGGER choose BEFORE INSERT OR UPDATE ON own.u FOR EACH ROW EXECUTE FUNCTION own.choose()",
    );
    db.exec("SELECT dbguard.audit_enable('own.t'), dbguard.audit_enable('own.u'); GRANT SELECT ON dbguard.audit_log TO revert_chooser");
    owner.exec("INSERT INTO own.t VALUES (1, 'a'), (2, 'a'); INSERT INTO own.u VALUES (1, 'a')");
    let x = transaction(
        &mut owner,
        "UPDATE own.t SET v = 'b'; UPDATE own.u SET v = 'b'; DELETE FROM own.u; DELETE FROM own.t WHERE id = 1",
    );
    let mut fresh = db.connect_as("revert_chooser");
    assert_eq!(revert(&mut fresh, &format!("xact => '{x}'")), 3);
    assert_eq!(all(&mut db, "own.t"), ["(1,a)", "(2,a)"]);
    assert_eq!(db.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'revert_chooser'"), "f");
}
