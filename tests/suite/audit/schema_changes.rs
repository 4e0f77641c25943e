//! Tables that change while they are audited, in one session and under another.

use dbguard_tests::Db;

const LAST: &str = "SELECT op, key, old, new FROM dbguard.audit_log ORDER BY id DESC LIMIT 1";

#[test]
fn columns_come_and_go_in_mid_session() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, a int, b int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1, 1)");
    db.exec("ALTER TABLE t DROP COLUMN a; UPDATE t SET b = 2");
    assert_eq!(db.lines(LAST), [r#"UPDATE | 1 | {"b": 1} | {"b": 2}"#]);
    db.exec("ALTER TABLE t ADD COLUMN c text DEFAULT 'new'; UPDATE t SET c = 'x'");
    assert_eq!(db.lines(LAST), [r#"UPDATE | 1 | {"c": "new"} | {"c": "x"}"#]);
    db.exec("ALTER TABLE t RENAME COLUMN b TO \"B b\"; UPDATE t SET \"B b\" = 3");
    assert_eq!(db.lines(LAST), [r#"UPDATE | 1 | {"B b": 2} | {"B b": 3}"#]);
    db.exec("ALTER TABLE t ALTER COLUMN \"B b\" TYPE text; UPDATE t SET \"B b\" = 'four'");
    assert_eq!(db.lines(LAST), [r#"UPDATE | 1 | {"B b": "3"} | {"B b": "four"}"#]);
    db.exec(
        "ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (length(c)) STORED; UPDATE t SET c = 'longer'",
    );
    assert_eq!(db.lines(LAST), [r#"UPDATE | 1 | {"c": "x", "g": 1} | {"c": "longer", "g": 6}"#]);
    db.exec("ALTER TABLE t DROP CONSTRAINT t_pkey; UPDATE t SET c = 'y'");
    assert_eq!(db.value("SELECT key IS NULL FROM dbguard.audit_log ORDER BY id DESC LIMIT 1"), "t");
    db.exec("ALTER TABLE t ADD PRIMARY KEY (id, c); DELETE FROM t");
    assert_eq!(
        db.value("SELECT key FROM dbguard.audit_log ORDER BY id DESC LIMIT 1"),
        r#"{"c": "y", "id": 1}"#
    );
    // each shape the table had is noted once
    assert_eq!(
        db.value("SELECT count(*) = count(DISTINCT (columns, key_columns)) FROM dbguard.audit_relation"),
        "t"
    );
}

#[test]
fn another_session_notices() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, secret text); SELECT dbguard.audit_enable('t')");
    let mut other = db.connect();
    other.exec("INSERT INTO t VALUES (1, 'a')");
    db.exec(
        "SELECT dbguard.audit_enable('t', redact => '{secret}'); ALTER TABLE t ADD COLUMN b int DEFAULT 1",
    );
    other.exec("INSERT INTO t VALUES (2, 'b')");
    assert_eq!(
        db.value("SELECT new FROM dbguard.audit_log WHERE key = '2'"),
        r#"{"b": 1, "id": 2, "secret": "[redacted]"}"#
    );
    db.exec("SELECT dbguard.audit_disable('t')");
    other.exec("INSERT INTO t VALUES (3, 'c')");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "2");
}

#[test]
fn within_one_transaction_and_rolled_back() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, a int); SELECT dbguard.audit_enable('t')");
    db.exec(
        "BEGIN; INSERT INTO t VALUES (1, 1); ALTER TABLE t ADD COLUMN b int; UPDATE t SET b = 1;
         SAVEPOINT s; ALTER TABLE t DROP COLUMN a; UPDATE t SET b = 2; ROLLBACK TO s; UPDATE t SET a = 3; COMMIT;
         BEGIN; ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (2, 2); ROLLBACK; INSERT INTO t VALUES (3, 3)",
    );
    assert_eq!(
        db.lines("SELECT op, table_name, key, new FROM dbguard.audit_log ORDER BY id"),
        [
            r#"INSERT | t | 1 | {"a": 1, "id": 1}"#,
            r#"UPDATE | t | 1 | {"b": 1}"#,
            r#"UPDATE | t | 1 | {"a": 3}"#,
            r#"INSERT | t | 3 | {"a": 3, "b": null, "id": 3}"#,
        ]
    );
    // no change points at a version of the table that was rolled back
    let lost = "SELECT count(*) FROM dbguard.audit_change c WHERE NOT EXISTS (SELECT FROM dbguard.audit_relation r WHERE r.id = c.relation)";
    assert_eq!(db.value(lost), "0");
}

#[test]
fn the_longest_and_oddest_names() {
    let mut db = Db::new();
    let long = "é".repeat(31);
    db.exec(&format!(
        "CREATE SCHEMA \"x.y\";
         CREATE TABLE \"x.y\".\"{long}\" (\"{long}\" int PRIMARY KEY, \"select\" int, \"a=b,c\" text, \"it's\" text);
         SELECT dbguard.audit_enable('\"x.y\".\"{long}\"', exclude => '{{\"a=b,c\"}}', redact => ARRAY['it''s']);
         INSERT INTO \"x.y\".\"{long}\" VALUES (1, 2, 'hidden', 'hidden')"
    ));
    assert_eq!(
        db.lines("SELECT schema_name, table_name, key, new FROM dbguard.audit_log"),
        [format!("x.y | {long} | 1 | {{\"it's\": \"[redacted]\", \"select\": 2, \"{long}\": 1}}")]
    );
    assert_eq!(db.lines("SELECT excludes, redacts FROM dbguard.audit_status()"), ["{\"a=b,c\"} | {it's}"]);
    assert_eq!(
        db.value(&format!("SELECT count(*) FROM dbguard.audit_history('\"x.y\".\"{long}\"', '1')")),
        "1"
    );
}

#[test]
fn a_redacted_column_stays_redacted_under_its_new_name() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, card text, cvc text, noise text, plain text) PARTITION BY RANGE (id);
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100);
         SELECT dbguard.audit_enable('t', exclude => '{noise}', redact => '{card,cvc}');
         ALTER TABLE t ENABLE ALWAYS TRIGGER _dbguard_audit",
    );
    let options = "SELECT excludes, redacts, state, problem FROM dbguard.audit_status()";
    db.exec("ALTER TABLE t RENAME COLUMN card TO \"Pan = x\"; ALTER TABLE t RENAME noise TO hum; ALTER TABLE t RENAME plain TO simple");
    assert_eq!(db.lines(options), ["{hum} | {\"Pan = x\",cvc} | always | <null>"]);
    db.exec("INSERT INTO t VALUES (1, '4111', '123', 'zzz', 'seen')");
    let last = "SELECT new FROM dbguard.audit_log ORDER BY id DESC LIMIT 1";
    assert_eq!(
        db.value(last),
        r#"{"id": 1, "cvc": "[redacted]", "simple": "seen", "Pan = x": "[redacted]"}"#
    );
    // dropped, another one renamed meanwhile, and made again: as it was
    db.exec("ALTER TABLE t DROP COLUMN cvc; ALTER TABLE t RENAME simple TO plain; ALTER TABLE t RENAME hum TO buzz");
    assert_eq!(db.lines(options), ["{buzz} | {\"Pan = x\",cvc} | always | <null>"]);
    db.exec("ALTER TABLE t ADD COLUMN cvc text; UPDATE t SET cvc = '999'");
    assert_eq!(db.value(last), r#"{"cvc": "[redacted]"}"#);
    db.exec("BEGIN; ALTER TABLE t RENAME cvc TO code; ROLLBACK; UPDATE t SET cvc = '888'");
    assert_eq!(db.value(last), r#"{"cvc": "[redacted]"}"#);
    // by an owner who is nobody special
    db.connect_as("follow_owner");
    db.exec("ALTER TABLE t OWNER TO follow_owner; ALTER TABLE t1 OWNER TO follow_owner");
    let mut owner = db.connect_as("follow_owner");
    owner.exec("ALTER TABLE t RENAME cvc TO code; UPDATE t SET code = '777'");
    assert_eq!(db.value(last), r#"{"code": "[redacted]"}"#);
}

#[test]
fn a_table_without_columns_or_with_none_left_to_see() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE none (); SELECT dbguard.audit_enable('none'); INSERT INTO none DEFAULT VALUES; DELETE FROM none;
         CREATE TABLE hidden (a int); SELECT dbguard.audit_enable('hidden', exclude => '{a}');
         INSERT INTO hidden VALUES (1); UPDATE hidden SET a = 2; DELETE FROM hidden",
    );
    assert_eq!(
        db.lines("SELECT table_name, op, old, new FROM dbguard.audit_log ORDER BY id"),
        [
            "none | INSERT | <null> | {}",
            "none | DELETE | {} | <null>",
            "hidden | INSERT | <null> | {}",
            "hidden | DELETE | {} | <null>"
        ]
    );
}

/// However a column comes by another name, its value does not come into the log.
#[test]
fn redaction_holds_through_every_kind_of_rename() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE par (id int PRIMARY KEY, card text);
         CREATE TABLE chi (PRIMARY KEY (id)) INHERITS (par); SELECT dbguard.audit_enable('chi', redact => '{card}');
         CREATE TYPE ty AS (id int, card text);
         CREATE TABLE typed OF ty (PRIMARY KEY (id)); SELECT dbguard.audit_enable('typed', redact => '{card}');
         CREATE TABLE viewed (id int PRIMARY KEY, card text); SELECT dbguard.audit_enable('viewed', redact => '{card}');
         CREATE TABLE replica (id int PRIMARY KEY, card text); SELECT dbguard.audit_enable('replica', redact => '{card}');
         ALTER TABLE par RENAME card TO pan;
         ALTER TYPE ty RENAME ATTRIBUTE card TO pan CASCADE;
         ALTER VIEW viewed RENAME COLUMN card TO pan;
         SET session_replication_role = replica; ALTER TABLE replica RENAME card TO pan; RESET session_replication_role;
         INSERT INTO chi VALUES (1, 'secret'); INSERT INTO typed VALUES (1, 'secret');
         INSERT INTO viewed VALUES (1, 'secret'); INSERT INTO replica VALUES (1, 'secret')",
    );
    assert_eq!(db.lines("SELECT DISTINCT new FROM dbguard.audit_log"), [r#"{"id": 1, "pan": "[redacted]"}"#]);
    // and the names that a dump carries are the present ones
    assert_eq!(db.lines("SELECT DISTINCT redacts, problem FROM dbguard.audit_status()"), ["{pan} | <null>"]);
    assert_eq!(
        db.value("SELECT count(*) FROM pg_trigger WHERE encode(tgargs, 'escape') ~ 'redact=[0-9]+:pan'"),
        "8"
    );
}

#[test]
fn a_column_dropped_with_its_type_is_not_mistaken_for_another() {
    let mut db = Db::new();
    db.exec(
        "CREATE DOMAIN dom AS text; CREATE TABLE t (id int PRIMARY KEY, junk dom, amount int);
         SELECT dbguard.audit_enable('t', exclude => '{junk}');
         DROP DOMAIN dom CASCADE; ALTER TABLE t RENAME amount TO total;
         INSERT INTO t VALUES (1, 5); UPDATE t SET total = 6",
    );
    assert_eq!(db.lines(LAST), [r#"UPDATE | 1 | {"total": 5} | {"total": 6}"#]);
}

/// A trigger whose columns cannot be found (a restore that skipped our event trigger, then a rename).
#[test]
fn what_cannot_be_told_apart_is_not_shown() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, pan text, other text); SELECT dbguard.audit_enable('t');
         ALTER EVENT TRIGGER dbguard_audit_follow_columns DISABLE;
         CREATE OR REPLACE TRIGGER _dbguard_audit AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW
           EXECUTE FUNCTION dbguard.audit_row('capture=changed', 'redact=2:card', 'home=elsewhere');
         INSERT INTO t VALUES (1, 'secret', 'plain')",
    );
    assert_eq!(
        db.value("SELECT new FROM dbguard.audit_log"),
        r#"{"id": 1, "pan": "[redacted]", "other": "[redacted]"}"#
    );
    let problem = db.value("SELECT problem FROM dbguard.audit_status()");
    assert!(problem.starts_with("column \"card\" is excluded or redacted, but does not exist"), "{problem}");
    db.exec("SELECT dbguard.audit_enable('t', redact => '{pan}'); UPDATE t SET other = 'seen'");
    assert_eq!(db.lines(LAST), [r#"UPDATE | 1 | {"other": "plain"} | {"other": "seen"}"#]);
}

#[test]
fn an_old_snapshot_sees_the_present_table() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int)");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut old = db.connect();
        old.exec(&format!("BEGIN ISOLATION LEVEL {level}; SELECT 1 FROM pg_class LIMIT 1"));
        db.exec(
            "SELECT dbguard.audit_enable('t'); ALTER TABLE t RENAME TO t_old; ALTER TABLE t_old RENAME id TO pk;
             CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t')",
        );
        old.exec("INSERT INTO t_old VALUES (1); COMMIT; INSERT INTO t_old VALUES (2)");
        assert_eq!(
            db.lines("SELECT table_name, key, new FROM dbguard.audit_log ORDER BY id"),
            [r#"t_old | 1 | {"v": null, "pk": 1}"#, r#"t_old | 2 | {"v": null, "pk": 2}"#]
        );
        db.unguard();
        db.exec("DROP TABLE t_old; TRUNCATE dbguard.audit_change");
    }
}

#[test]
fn a_log_made_anew_is_noticed_by_live_sessions() {
    let mut db = Db::new();
    db.exec("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); SELECT dbguard.audit_enable('b'); SELECT dbguard.audit_enable('a')");
    let mut other = db.connect();
    other.exec("INSERT INTO b VALUES (1); INSERT INTO a VALUES (1)");
    db.exec("DROP TABLE dbguard.audit_change, dbguard.audit_context, dbguard.audit_pack, dbguard.audit_relation, dbguard.audit_seal, dbguard.audit_seal_record, dbguard.audit_redaction CASCADE; SELECT dbguard.audit_enable('a', capture => 'full')");
    other.exec("INSERT INTO a VALUES (2); INSERT INTO b VALUES (2)");
    assert_eq!(
        db.lines("SELECT table_name, key, xact IS NOT NULL FROM dbguard.audit_log ORDER BY id"),
        ["a | 2 | t", "b | 2 | t"]
    );
    db.exec("BEGIN; INSERT INTO a VALUES (3); DROP EXTENSION dbguard CASCADE; CREATE EXTENSION dbguard; SELECT dbguard.audit_enable('a'); INSERT INTO a VALUES (4); COMMIT");
    assert_eq!(db.lines("SELECT key, xact IS NOT NULL FROM dbguard.audit_log"), ["4 | t"]);
}

/// The command names the constraint, and no table.
#[test]
fn a_constraint_gets_another_name() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int CONSTRAINT a CHECK (v > 0)); CREATE TABLE u () INHERITS (t);
         SELECT dbguard.audit_enable('t')",
    );
    db.exec("ALTER TABLE t RENAME CONSTRAINT a TO b; INSERT INTO t VALUES (1, 1)");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "1");
}
