//! Values that must not be kept are erased, and the rest is still evidence.

use super::packs::put_pack;
use super::seal;
use dbguard_tests::Db;

const LOG: &str = "SELECT op, key, old, new FROM dbguard.audit_log ORDER BY id";
const PROBLEMS: &str =
    "SELECT problem, key FROM dbguard.audit_verify() WHERE state = 'problem' AND problem NOT LIKE '%guarded%' ORDER BY 1, 2";

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, name text, mail text, n numeric); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, 'Ann', 'ann@x', 1.50), (2, 'Bob', 'bob@x', 2);
         UPDATE t SET mail = 'ann@y' WHERE id = 1; UPDATE t SET mail = NULL WHERE id = 1; DELETE FROM t WHERE id = 1",
    );
    db
}

fn rows(call: &str) -> String {
    format!("SELECT op, \"table\", row_key, redacted FROM dbguard.audit_redact({call})")
}

#[test]
fn values_are_erased_from_a_rows_history() {
    let mut db = db();
    let expected = [
        "INSERT | public.t | 1 | {mail,name}",
        "UPDATE | public.t | 1 | {mail}",
        "UPDATE | public.t | 1 | {mail}",
        "DELETE | public.t | 1 | {name}",
    ];
    let before = db.lines(LOG);
    let call = "'t', '1', '{mail,name}', 'Art. 17 request 4711'";
    assert_eq!(db.lines(&rows(&format!("{call}, dry_run => true"))), expected);
    assert_eq!(db.lines(LOG), before);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_redaction"), "0");
    assert_eq!(db.lines(&rows(call)), expected);
    assert_eq!(
        db.lines(LOG),
        [
            r#"INSERT | 1 | <null> | {"n": 1.50, "id": 1, "mail": "[redacted]", "name": "[redacted]"}"#,
            r#"INSERT | 2 | <null> | {"n": 2, "id": 2, "mail": "bob@x", "name": "Bob"}"#,
            r#"UPDATE | 1 | {"mail": "[redacted]"} | {"mail": "[redacted]"}"#,
            r#"UPDATE | 1 | {"mail": "[redacted]"} | {"mail": null}"#,
            r#"DELETE | 1 | {"n": 1.50, "id": 1, "mail": null, "name": "[redacted]"} | <null>"#,
        ]
    );
    assert_eq!(
        db.lines("SELECT current_user_name, schema_name, table_name, key, columns, reason, cardinality(ids), length(digests_before), length(digests_after), at > now() - interval '1 minute' FROM dbguard.audit_redaction"),
        ["postgres | public | t | 1 | {mail,name} | Art. 17 request 4711 | 4 | 64 | 64 | t"]
    );
    // nothing is left to do
    assert_eq!(db.lines(&rows(call)), Vec::<String>::new());
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_redaction"), "1");
}

#[test]
fn the_chain_holds_and_any_other_change_still_shows() {
    let mut db = db();
    seal(&mut db);
    db.exec("SELECT dbguard.audit_redact('t', '1', '{mail}', 'first')");
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    assert_eq!(
        db.lines("SELECT seal, state, changes, problem FROM dbguard.audit_verify() WHERE seal = 1"),
        ["1 | ok | 5 | 3 redacted"]
    );
    // twice, by two redactions
    db.exec("SELECT dbguard.audit_redact('t', '1', '{name}', 'second')");
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    // the redactions are sealed though no change is new
    assert_eq!(seal(&mut db), ["2 | 0"]);
    assert_eq!(
        db.lines("SELECT seal, state, changes, problem FROM dbguard.audit_verify() WHERE seal IS NOT NULL"),
        ["1 | ok | 5 | 4 redacted", "2 | ok | 0 | <null>"]
    );
    db.unguard();
    let mut tampered = |statement: &str, expected: &[&str]| {
        db.exec(&format!("BEGIN; {statement}"));
        assert_eq!(db.lines(PROBLEMS), expected, "{statement}");
        db.exec("ROLLBACK");
    };
    let insert = "WHERE key = '1' AND op = 'I'";
    tampered(
        &format!("UPDATE dbguard.audit_change SET new = new || '{{\"name\": \"Eve\"}}' {insert}"),
        &["change was changed | 1"],
    );
    tampered(
        &format!("UPDATE dbguard.audit_change SET new = new || '{{\"n\": 2}}' {insert}"),
        &["change was changed | 1"],
    );
    tampered(
        "UPDATE dbguard.audit_change SET new = new || '{\"name\": \"[redacted]\"}' WHERE key = '2'",
        &["change was changed | 2"],
    );
    tampered(&format!("DELETE FROM dbguard.audit_change {insert}"), &["change was removed | <null>"]);
    tampered(
        "UPDATE dbguard.audit_redaction SET reason = 'none' WHERE number = 2",
        &["change was changed | 1", "change was changed | 1", "redaction was changed | 1"],
    );
    tampered(
        "DELETE FROM dbguard.audit_redaction WHERE number = 2",
        &["change was changed | 1", "change was changed | 1", "redaction was removed | <null>"],
    );
    // a sealed redaction cannot be made to cover another record
    tampered(
        "UPDATE dbguard.audit_change SET tenant = 'x' WHERE key = '2';
         UPDATE dbguard.audit_redaction SET ids = ids || c.id, digests_after = digests_after || c.digest,
           digests_before = digests_before || substr(s.data, 4 + 18 + 3, 16)
         FROM dbguard.audit_record c, dbguard.audit_seal_record s WHERE number = 2 AND c.key = '2' AND s.seal = 1 AND s.kind = 'C'",
        &["change was changed | 1", "change was changed | 1", "change was changed | 2", "redaction was changed | 1"],
    );
    tampered(
        "INSERT INTO dbguard.audit_redaction (at, xact, home, session_user_name, current_user_name, lineage, schema_name, table_name, key, columns, reason, ids, digests_before, digests_after)
         SELECT at, xact, home, session_user_name, current_user_name, lineage, schema_name, table_name, key, columns, reason, '{}', '', '' FROM dbguard.audit_redaction WHERE number = 2",
        &["redaction was inserted | 1"],
    );
}

#[test]
fn under_all_keys_the_row_had_and_no_other_rows() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id text PRIMARY KEY, v text); SELECT dbguard.audit_enable('p');
         INSERT INTO p VALUES ('a', 'other before'); DELETE FROM p WHERE id = 'a';
         INSERT INTO p VALUES ('a', 'mine 1'); UPDATE p SET v = 'mine 2' WHERE id = 'a';
         UPDATE p SET id = 'b', v = 'mine 3'; INSERT INTO p VALUES ('a', 'other after');
         UPDATE p SET v = 'mine 4' WHERE id = 'b'; UPDATE p SET id = 'c', v = 'mine 5' WHERE id = 'b';
         UPDATE p SET id = 'b', v = 'other moved here' WHERE id = 'a';
         UPDATE p SET v = 'mine 6' WHERE id = 'c'; DELETE FROM p WHERE id = 'c'; INSERT INTO p VALUES ('c', 'other last')",
    );
    // whichever of its keys it is named by, if no other row had that
    for key in ["c", "b"] {
        let ops = db.lines(&format!(
            "SELECT op, row_key FROM dbguard.audit_redact('p', '{key}', '{{v}}', 'x', true)"
        ));
        let mine = [
            "INSERT | a",
            "UPDATE | a",
            "UPDATE | b",
            "UPDATE | b",
            "UPDATE | c",
            "UPDATE | c",
            "DELETE | c",
        ];
        assert!(mine.iter().all(|line| ops.contains(&(*line).to_owned())), "{key}: {ops:?}");
    }
    db.exec("SELECT dbguard.audit_redact('p', 'c', '{v}', 'x')");
    let left = db.value("SELECT string_agg(v #>> '{}', ',') FROM dbguard.audit_log, jsonb_path_query(jsonb_build_array(old, new), '$[*].v') v WHERE v::text LIKE '%mine%'");
    assert_eq!(left, "<null>");
    let others = db.lines(
        "SELECT DISTINCT new ->> 'v' FROM dbguard.audit_log WHERE new ->> 'v' LIKE 'other%' ORDER BY 1",
    );
    assert_eq!(
        others,
        ["other after", "other before", "other moved here"],
        "the key c itself is all that was ever c"
    );
}

#[test]
fn in_packs_too() {
    let mut db = db();
    put_pack(
        &mut db,
        900_000_000,
        &[
            (b'I', "8", None, r#"{"id": 8, "mail": "eve@x", "name": "Eve"}"#),
            (b'I', "9", None, r#"{"id": 9, "mail": "dan@x", "name": "Dan"}"#),
            (b'U', "10", Some("9"), r#"{"id": 10, "mail": "dan@y"}"#),
        ],
    );
    seal(&mut db);
    let call = "'t', '9', '{mail}', 'x'";
    assert_eq!(
        db.lines(&rows(&format!("{call}, true"))),
        ["INSERT | public.t | 9 | {mail}", "UPDATE | public.t | 10 | {mail}"]
    );
    assert_eq!(db.lines(&rows(call)).len(), 2);
    assert_eq!(
        db.lines(
            "SELECT id, op, key, old_key, old, new FROM dbguard.audit_log WHERE id >= 900000000 ORDER BY id"
        ),
        [
            r#"900000000 | INSERT | 8 | <null> | <null> | {"id": 8, "mail": "eve@x", "name": "Eve"}"#,
            r#"900000001 | INSERT | 9 | <null> | <null> | {"id": 9, "mail": "[redacted]", "name": "Dan"}"#,
            r#"900000002 | UPDATE | 10 | 9 | <null> | {"id": 10, "mail": "[redacted]"}"#,
        ]
    );
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    assert_eq!(db.value("SELECT problem FROM dbguard.audit_verify(1) WHERE seal = 1"), "2 redacted");
    db.unguard();
    db.exec("UPDATE dbguard.audit_pack SET data = set_byte(data, 15, 255 - get_byte(data, 15))");
    assert_eq!(db.lines(PROBLEMS), ["pack is damaged, its 3 changes cannot be read | <null>"]);
}

#[test]
fn renamed_tables_renamed_columns_and_odd_names() {
    let mut db = Db::new();
    let long = "x".repeat(63);
    db.exec(&format!(
        "CREATE TABLE a (\"k 1\" int, k2 text, \"{long}\" text, m text, PRIMARY KEY (\"k 1\", k2)); SELECT dbguard.audit_enable('a');
         INSERT INTO a VALUES (1, 'x', 'secret 1', 'secret 2'); ALTER TABLE a RENAME TO b; ALTER TABLE b RENAME m TO m2;
         UPDATE b SET m2 = 'secret 3'; ALTER TABLE b DROP COLUMN \"{long}\""
    ));
    let call = format!("'b', '{{\"k 1\": 1, \"k2\": \"x\"}}', '{{m,m2,{long}}}', 'x'");
    assert_eq!(
        db.lines(&rows(&call)),
        [
            format!("INSERT | public.a | {{\"k2\": \"x\", \"k 1\": 1}} | {{m,{long}}}"),
            "UPDATE | public.b | {\"k2\": \"x\", \"k 1\": 1} | {m2}".to_owned()
        ]
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE (old::text || new::text) LIKE '%secret%' OR new::text LIKE '%secret%'"), "0");
    assert_eq!(db.error(&rows("'b', '{\"k 1\": 1, \"k2\": \"x\"}', '{m,k2}', 'x'")).code, "22023");
}

#[test]
fn a_table_without_a_key_is_redacted_by_values() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE k (a text, b text); SELECT dbguard.audit_enable('k');
         INSERT INTO k VALUES ('1', 's'), ('2', 's'); UPDATE k SET b = 't' WHERE a = '1'; DELETE FROM k WHERE a = '1'",
    );
    assert_eq!(
        db.lines(&rows("'k', '{\"a\": \"1\"}', '{b}', 'x'")),
        [
            "INSERT | public.k | <null> | {b}",
            "UPDATE | public.k | <null> | {b}",
            "DELETE | public.k | <null> | {b}"
        ]
    );
    assert_eq!(
        db.lines("SELECT old ->> 'b', new ->> 'b' FROM dbguard.audit_log ORDER BY id"),
        ["<null> | [redacted]", "<null> | s", "[redacted] | [redacted]", "[redacted] | <null>"]
    );
}

#[test]
fn what_it_refuses() {
    let mut db = db();
    for (call, code, message) in [
        ("NULL, '1', '{mail}', 'x'", "22004", "argument \"relation\" must not be null"),
        ("'t', NULL, '{mail}', 'x'", "22004", "argument \"key\" must not be null"),
        ("'t', '1', NULL, 'x'", "22004", "argument \"columns\" must not be null"),
        ("'t', '1', '{mail,NULL}', 'x'", "22004", "argument \"columns\" must not be null"),
        ("'t', '1', '{mail}', NULL", "22004", "argument \"reason\" must not be null"),
        ("'t', '1', '{mail}', 'x', NULL", "22004", "argument \"dry_run\" must not be null"),
        ("'t', '1', '{}', 'x'", "22023", "no columns to redact"),
        ("'t', '1', '{mail}', ' '", "22023", "no reason to redact"),
        ("'t', '1', '{id}', 'x'", "22023", "column \"id\" is part of the primary key"),
        ("'t', '1', '{Mail}', 'x'", "42703", "column \"Mail\" of relation \"t\" does not exist"),
        ("'t', 'one', '{mail}', 'x'", "22P02", "invalid input syntax for type integer: \"one\""),
        ("'pg_class', '1', '{relname}', 'x'", "55000", "the audit log knows nothing of table \"pg_class\""),
    ] {
        let error = db.error(&rows(call));
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{call}");
    }
    let mut app = db.connect_as("redact_app");
    db.exec("CREATE SCHEMA app AUTHORIZATION redact_app; SET ROLE redact_app; CREATE TABLE app.own (id int PRIMARY KEY, v text); RESET ROLE");
    assert_eq!(app.error(&rows("'app.own', '1', '{v}', 'x'")).code, "42501");
    assert_eq!(
        Db::new().error("SELECT dbguard.audit_redact('pg_class', '1', '{v}', 'x')").message,
        "there is no audit log yet"
    );
    // a row that never was has no history, and that is no error
    assert_eq!(db.lines(&rows("'t', '99', '{mail}', 'x'")), Vec::<String>::new());
}

#[test]
fn a_seal_and_a_redaction_wait_for_each_other() {
    let mut db = db();
    let mut redacting = db.connect();
    redacting.exec("BEGIN; SELECT dbguard.audit_redact('t', '1', '{mail}', 'x')");
    db.exec("SET lock_timeout = '100ms'");
    assert_eq!(db.error("SELECT dbguard.audit_seal()").code, "55P03");
    redacting.exec("COMMIT");
    db.exec("RESET lock_timeout");
    // sealed as it is now: nothing to accept
    seal(&mut db);
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    assert_eq!(db.value("SELECT problem IS NULL FROM dbguard.audit_verify() WHERE seal = 1"), "t");
}
