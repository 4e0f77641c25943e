//! tenant_erase: nothing of the tenant is left, and nothing else is gone.

use super::export::SHOP;
use dbguard_tests::Db;

const ROWS: &str = "SELECT \"table\", action, rows FROM ";

fn others(db: &mut Db) -> Vec<String> {
    ["\"Orders\"", "lines", "notes", "parts", "seen"]
        .iter()
        .flat_map(|table| {
            db.lines(&format!("SELECT '{}', x FROM \"S.s\".{table} x ORDER BY x", table.replace('"', "")))
        })
        .collect()
}

#[test]
fn all_of_it_and_nothing_else() {
    let mut db = Db::new();
    db.exec(SHOP);
    let before = others(&mut db);
    let planned = db.lines("SELECT * FROM dbguard.tenant_erase_plan('7')");
    assert_eq!(others(&mut db), before);
    let (mut session, heard) = db.connect_listening();
    assert_eq!(session.lines("SELECT * FROM dbguard.tenant_erase('7')"), planned);
    assert_eq!(
        heard.lines(),
        ["NOTICE | there is no audit log: nothing but this result tells that the tenant was erased |  | "]
    );
    assert_eq!(
        db.lines(&format!("{ROWS} dbguard.tenant_erase('7')")),
        [
            "\"S.s\".seen | delete | 0",
            "\"S.s\".parts | delete | 0",
            "\"S.s\".notes | delete | 0",
            "\"S.s\".lines | delete | 0",
            "\"S.s\".\"Orders\" | delete | 0"
        ]
    );
    assert_eq!(
        others(&mut db),
        [
            "Orders | (3,8,c,C)",
            "lines | (3,1,1)",
            "notes | (4,3,1,)",
            "notes | (5,,,4)",
            "notes | (6,,,)",
            "parts | (2,8,1)",
            "seen | (1,2)",
            "seen | (1,2)"
        ]
    );
    // a key that lets go by itself let go
    assert_eq!(
        db.lines("SELECT id, last_order FROM \"S.s\".goods ORDER BY id"),
        ["1 | <null>", "2 | 3", "3 | <null>"]
    );
}

#[test]
fn soft_delete_and_triggers_that_keep_rows() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, tenant_id uuid, deleted_at timestamptz);
         SELECT dbguard.soft_delete_enable('t'), dbguard.tenant_enable('t');
         INSERT INTO t VALUES (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), (2, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), (3, 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
         DELETE FROM t WHERE id = 1",
    );
    assert_eq!(db.value("SELECT count(*) FROM t"), "3");
    db.exec("SELECT dbguard.tenant_erase('{A0EEBC999C0B4EF8BB6D6BB9BD380A11}')");
    assert_eq!(db.lines("SELECT id, deleted_at FROM t"), ["3 | <null>"]);
    assert_eq!(db.value("SHOW dbguard.hard_delete"), "off");
    db.exec(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER a_keep BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep()",
    );
    let e = db.error("SELECT dbguard.tenant_erase('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("40001", "0 rows of table \"t\" were deleted or unlinked, not 1")
    );
    // one that makes the row again
    db.exec(
        "DROP TRIGGER a_keep ON t;
         CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.t VALUES (9, old.tenant_id); RETURN NULL; END';
         CREATE TRIGGER again AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep()",
    );
    let e = db.error("SELECT dbguard.tenant_erase('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("55000", "table \"t\" still has 1 rows of the tenant")
    );
    assert_eq!(db.lines("SELECT id FROM t"), ["3"]);
}

#[test]
fn circles() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (id int PRIMARY KEY, tenant_id int NOT NULL, b int NOT NULL);
         CREATE TABLE b (id int PRIMARY KEY, tenant_id int NOT NULL, a int NOT NULL REFERENCES a);
         ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b DEFERRABLE;
         SELECT dbguard.tenant_enable('a'), dbguard.tenant_enable('b');
         BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO a VALUES (1, 7, 1), (2, 8, 2); INSERT INTO b VALUES (1, 7, 1), (2, 8, 2); COMMIT",
    );
    let plan = format!("{ROWS} dbguard.tenant_erase_plan('7')");
    let e = db.error("SELECT dbguard.tenant_erase('7')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("55000", "tables \"a\", \"b\" refer to each other"));
    db.exec("ALTER TABLE b ALTER a DROP NOT NULL");
    assert_eq!(db.lines(&plan), ["b | unlink | 1", "a | delete | 1", "b | delete | 1"]);
    db.exec(
        "ALTER TABLE a ALTER CONSTRAINT a_b DEFERRABLE INITIALLY DEFERRED; SELECT dbguard.tenant_erase('7')",
    );
    assert_eq!(db.lines("SELECT a.id, b.id FROM a, b"), ["2 | 2"]);
    // no other tenant's rows may go along
    db.exec("BEGIN; INSERT INTO a VALUES (3, 7, 3); INSERT INTO b VALUES (3, 7, 2), (4, 8, 3); UPDATE a SET b = 3 WHERE id = 3; COMMIT");
    let e = db.error("SELECT dbguard.tenant_erase_plan('7')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str(), e.detail.as_str()),
        (
            "55000",
            "rows of other tenants refer to the tenant's rows in table \"a\"",
            "Table \"b\" has 1 of them, by foreign key \"b_a_fkey\"."
        )
    );
}

/// Triggers and policies of the owner's run as the owner, deferred ones too, and hide nothing.
#[test]
fn code_of_the_owner_runs_as_the_owner() {
    let mut db = Db::new();
    let mut owner = db.connect_as("erase_owner");
    db.exec("CREATE SCHEMA s AUTHORIZATION erase_owner; CREATE SCHEMA away; CREATE TABLE away.ran (who text, what text); GRANT ALL ON SCHEMA away TO PUBLIC; GRANT ALL ON away.ran TO PUBLIC");
    owner.exec(
        "CREATE TABLE s.t (id int PRIMARY KEY, tenant_id int); INSERT INTO s.t VALUES (1, 7), (2, 7), (3, 8);
         SELECT dbguard.tenant_enable('s.t');
         CREATE FUNCTION s.spy() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO away.ran VALUES (current_user, tg_name); RETURN old; END $$;
         CREATE TRIGGER at_once BEFORE DELETE ON s.t FOR EACH ROW EXECUTE FUNCTION s.spy();
         CREATE CONSTRAINT TRIGGER late AFTER DELETE ON s.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION s.spy()",
    );
    assert_eq!(db.value("SELECT rows FROM dbguard.tenant_erase('7')"), "2");
    assert_eq!(
        db.lines("SELECT what, who, count(*) FROM away.ran GROUP BY 1, 2 ORDER BY 1"),
        ["at_once | erase_owner | 2", "late | erase_owner | 2"]
    );
    // forced row-level security hides nothing from the owner here
    assert_eq!(owner.value("SELECT rows FROM dbguard.tenant_erase('8')"), "1");
    assert_eq!(db.value("SELECT count(*) FROM s.t"), "0");
}

#[test]
fn the_audit_log() {
    let mut db = Db::new();
    db.exec(SHOP);
    db.exec(
        "SELECT dbguard.audit_enable('\"S.s\".\"Orders\"', tenant => 'Tenant'), dbguard.audit_enable('\"S.s\".lines'), dbguard.audit_enable('\"S.s\".notes');
         UPDATE \"S.s\".\"Orders\" SET v = v || '!'; UPDATE \"S.s\".lines SET good = 2; SELECT dbguard.audit_seal()",
    );
    let left =
        "SELECT count(*) FROM dbguard.audit_log WHERE (old || coalesce(new, '{}'))::text ~ '\"(a|b)!?\"'";
    assert_eq!(db.value(left), "2");
    // kept
    db.exec("BEGIN; SELECT dbguard.tenant_erase('7')");
    assert_eq!(db.value(left), "4");
    assert_eq!(
        db.lines("SELECT op, object_type, object, tenant, command::jsonb -> '\"S.s\".\"Orders\"', session_user_name FROM dbguard.audit_events WHERE op = 'ERASE TENANT'"),
        ["ERASE TENANT | tenant | 7 | 7 | 2 | postgres"]
    );
    db.exec("ROLLBACK");
    assert_eq!(
        db.lines(&format!(
            "{ROWS} dbguard.tenant_erase_plan('7', audit => 'redact') WHERE action = 'redact'"
        )),
        ["\"S.s\".\"Orders\" | redact | 2"]
    );
    // redacted, with what the erasure itself has written and the lives of rows that have no tenant of their own
    assert_eq!(
        db.lines(&format!("{ROWS} dbguard.tenant_erase(' 7 ', audit => 'redact') WHERE action = 'redact'")),
        ["\"S.s\".\"Orders\" | redact | 4", "\"S.s\".lines | redact | 3", "\"S.s\".notes | redact | 3"]
    );
    assert_eq!(db.value(left), "0");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.audit_log WHERE table_name = 'lines' AND key = '{\"n\": 1, \"order_id\": 3}' AND new ->> 'good' = '2'"),
        "1"
    );
    assert_eq!(
        db.lines("SELECT state, problem FROM dbguard.audit_verify() WHERE state NOT IN ('ok', 'unsealed')"),
        Vec::<String>::new()
    );
    assert_eq!(
        db.lines("SELECT DISTINCT key, reason FROM dbguard.audit_redaction"),
        ["tenant 7 | dbguard.tenant_erase"]
    );
    // whoever owns the tables but not the log may erase, and must keep
    db.exec("CREATE TABLE mine (id int PRIMARY KEY, tenant_id int)");
    let mut owner = db.connect_as("erase_log_owner");
    db.exec("ALTER TABLE mine OWNER TO erase_log_owner; CREATE SCHEMA m AUTHORIZATION erase_log_owner; ALTER TABLE mine SET SCHEMA m");
    owner.exec("SELECT dbguard.tenant_enable('m.mine'); SELECT dbguard.tenant_erase('1', 'm')");
    assert_eq!(owner.error("SELECT dbguard.tenant_erase('1', 'm', 'redact')").code, "42501");
}

/// Who is just referring to what is to go is waited for, and his row goes, too.
#[test]
fn another_session_writes_meanwhile() {
    let mut db = Db::new();
    db.exec(SHOP);
    let mut writer = db.connect();
    writer.exec("BEGIN; INSERT INTO \"S.s\".lines VALUES (1, 9, NULL)");
    assert!(db.while_it_waits(writer, "SELECT dbguard.tenant_erase('7')", "COMMIT").is_ok());
    assert_eq!(db.value("SELECT count(*) FROM \"S.s\".lines WHERE order_id = 1"), "0");
    assert_eq!(db.value("SELECT sum(rows) FROM dbguard.tenant_erase_plan('7')"), "0");
}

#[test]
fn children_other_schemas_and_broken_guards() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA a; CREATE SCHEMA b;
         CREATE TABLE a.t (id int PRIMARY KEY, tenant_id bigint); CREATE TABLE a.child (more text) INHERITS (a.t);
         CREATE TABLE b.t (id int REFERENCES a.t, tenant_id bigint); CREATE TABLE b.other (tenant_id bigint);
         SELECT dbguard.tenant_enable('a.t'), dbguard.tenant_enable('b.t'), dbguard.tenant_enable('b.other');
         INSERT INTO a.t VALUES (1, 7), (2, 8); INSERT INTO a.child VALUES (3, 7, 'x'), (4, 8, 'y'); INSERT INTO b.t VALUES (1, 7); INSERT INTO b.other VALUES (7)",
    );
    assert_eq!(
        db.lines(&format!("{ROWS} dbguard.tenant_erase(' +7 ', 'a')")),
        ["b.t | delete | 1", "a.t | delete | 2"]
    );
    assert_eq!(db.lines("SELECT id FROM a.t ORDER BY id"), ["2", "4"]);
    assert_eq!(db.value("SELECT count(*) FROM b.other"), "1");
    db.exec("ALTER TABLE a.t DISABLE ROW LEVEL SECURITY");
    let e = db.error("SELECT dbguard.tenant_erase('8')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("55000", "table \"t\" is not guarded as it was"));
    assert_eq!(db.lines("SELECT id FROM a.t ORDER BY id"), ["2", "4"]);
}
