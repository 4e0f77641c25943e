//! audit_as_of after the table's columns have changed.

use super::as_of::{difference, keep};
use dbguard_tests::Db;

fn then(db: &mut Db, table: &str, moment: &str) -> Vec<String> {
    db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::{table}, '{moment}') ORDER BY 1"))
}

#[test]
fn added_and_dropped_columns() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, gone text, v text); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, 'g1', 'a'), (2, 'g2', 'b'), (3, 'g3', 'c')",
    );
    let moment = keep(&mut db, "t", "k");
    db.exec("ALTER TABLE t ADD COLUMN late int DEFAULT 7");
    let between = keep(&mut db, "t", "k2");
    db.exec(
        "UPDATE t SET v = 'A', late = 8 WHERE id = 1; DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (4, 'g4', 'd', 9);
         ALTER TABLE t DROP COLUMN gone",
    );
    assert_eq!(then(&mut db, "t", &moment), ["1 | a | <null>", "2 | b | <null>", "3 | c | <null>"]);
    assert_eq!(then(&mut db, "t", &between), ["1 | a | 7", "2 | b | 7", "3 | c | 7"]);
    assert_eq!(
        db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}', '2')")),
        ["2 | b | <null>"]
    );
    assert_eq!(difference(&mut db, "t", "t", "infinity"), Vec::<String>::new());
    // in the target list, too
    assert_eq!(db.lines(&format!("SELECT (dbguard.audit_as_of(NULL::t, '{moment}', '2')).v")), ["b"]);
}

#[test]
fn renamed_columns_tables_and_keys() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, 'a1', 'b1'), (2, 'a2', 'b2')",
    );
    let moment = keep(&mut db, "t", "k");
    db.exec(
        "UPDATE t SET a = 'A' WHERE id = 1; DELETE FROM t WHERE id = 2;
         ALTER TABLE t RENAME a TO x; ALTER TABLE t RENAME b TO a; ALTER TABLE t RENAME x TO b; ALTER TABLE t RENAME id TO \"Id\";
         ALTER TABLE t RENAME TO u; CREATE SCHEMA s; ALTER TABLE u SET SCHEMA s;
         UPDATE s.u SET b = 'AA', a = 'BB' WHERE \"Id\" = 1",
    );
    assert_eq!(then(&mut db, "s.u", &moment), ["1 | a1 | b1", "2 | a2 | b2"]);
    assert_eq!(
        db.value("SELECT string_agg(op, ' ') FROM dbguard.audit_history('s.u', '1')"),
        "INSERT UPDATE UPDATE"
    );
    // another table that takes the name has a history of its own
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1)",
    );
    assert_eq!(db.value("SELECT string_agg(op, ' ') FROM dbguard.audit_history('t', '1')"), "INSERT");
    assert_eq!(
        db.value("SELECT string_agg(op, ' ') FROM dbguard.audit_history('s.u', '1')"),
        "INSERT UPDATE UPDATE"
    );
}

#[test]
fn a_dropped_column_made_again() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, c text); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, 'one'), (2, 'two')",
    );
    let moment = keep(&mut db, "t", "k");
    // of another type it is another column
    db.exec("UPDATE t SET c = 'uno' WHERE id = 1; ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN c int DEFAULT 5");
    assert_eq!(then(&mut db, "t", &moment), ["1 | <null>", "2 | <null>"]);
    // of the same type the log's value is shown, as far as it has one
    db.exec("ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN c text DEFAULT 'now'");
    assert_eq!(then(&mut db, "t", &moment), ["1 | one", "2 | <null>"]);
}

#[test]
fn changed_types() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, n text, d date); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, '10', '2026-01-01'), (2, '20', '2026-01-02')",
    );
    let moment = keep(&mut db, "t", "k");
    db.exec(
        "UPDATE t SET n = '11', d = '2026-02-01' WHERE id = 1;
         ALTER TABLE t ALTER n TYPE numeric(6,2) USING n::numeric, ALTER d TYPE timestamp, ALTER id TYPE bigint",
    );
    assert_eq!(
        then(&mut db, "t", &moment),
        ["1 | 10.00 | 2026-01-01 00:00:00", "2 | 20.00 | 2026-01-02 00:00:00"]
    );
    db.exec("ALTER TABLE t ALTER n TYPE text; UPDATE t SET n = 'twenty' WHERE id = 2");
    let words = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE t SET n = '20' WHERE id = 2; ALTER TABLE t ALTER n TYPE int USING n::numeric::int");
    for key in ["", ", '2'"] {
        let error = db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{words}'{key})"));
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("22P02", "value of column \"n\" then, in the row with key 2 of table \"t\", does not fit the column now")
        );
        assert_eq!(error.detail, "invalid input syntax for type integer: \"twenty\"");
    }
    assert_eq!(db.lines(&format!("SELECT id FROM dbguard.audit_as_of(NULL::t, '{words}', '1')")), ["1"]);
}

#[test]
fn generated_identity_domain_and_enum_columns() {
    let mut db = Db::new();
    db.exec(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN percent AS int CHECK (value BETWEEN 0 AND 100); CREATE TYPE pair AS (a int, b text);
         CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, m mood, p percent, c pair, cs pair[]);
         SELECT dbguard.audit_enable('t', capture => 'full');
         INSERT INTO t (a, m, p, c, cs) SELECT i, 'ok', i, (i, 'x \"y\"')::pair, ARRAY[(i, NULL)::pair] FROM generate_series(1, 10) i",
    );
    let moment = keep(&mut db, "t", "k");
    db.exec("UPDATE t SET a = a + 1, m = 'sad', p = NULL, c = NULL, cs = '{}' WHERE id < 5; DELETE FROM t WHERE id > 8; INSERT INTO t (a) VALUES (1)");
    assert_eq!(difference(&mut db, "t", "k", &moment), Vec::<String>::new());
}

#[test]
fn excluded_and_redacted_columns() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int, secret text, hidden text);
         SELECT dbguard.audit_enable('t', exclude => '{hidden}', redact => '{secret}');
         INSERT INTO t VALUES (1, 1, 's1', 'h1'), (2, 2, 's2', 'h2'), (3, 3, 's3', 'h3'), (4, 4, NULL, 'h4')",
    );
    let moment = keep(&mut db, "t", "k");
    db.exec("UPDATE t SET v = 10, hidden = 'H1' WHERE id = 1; UPDATE t SET secret = 'S2' WHERE id IN (2, 4); DELETE FROM t WHERE id = 3");
    assert_eq!(
        then(&mut db, "t", &moment),
        ["1 | 1 | s1 | H1", "2 | 2 | <null> | h2", "3 | 3 | <null> | <null>", "4 | 4 | <null> | h4"]
    );
}

#[test]
fn another_primary_key_since() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, other int UNIQUE NOT NULL); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 10), (2, 20)",
    );
    let moment = keep(&mut db, "t", "k");
    db.exec(
        "UPDATE t SET other = 11 WHERE id = 1; ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (other)",
    );
    let error = db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}')"));
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("0A000", "the primary key of table \"t\" was another at that moment")
    );
    // what changed under the present key can be shown
    let later = keep(&mut db, "t", "k2");
    db.exec("UPDATE t SET id = 5 WHERE other = 20");
    assert_eq!(difference(&mut db, "t", "k2", &later), Vec::<String>::new());
}

#[test]
fn inheritance_children_are_tables_of_their_own() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE child (w int) INHERITS (t);
         SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1); INSERT INTO child VALUES (1, 5, 5)",
    );
    let moment = keep(&mut db, "ONLY t", "k");
    db.exec("UPDATE t SET v = 2");
    assert_eq!(then(&mut db, "t", &moment), ["1 | 1"]);
}

#[test]
fn a_column_that_was_excluded_then_is_not_made_up() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int, w int); SELECT dbguard.audit_enable('t', exclude => '{v,w}'); INSERT INTO t VALUES (1, 1, 1)");
    let then = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE t SET v = 10");
    db.exec("SELECT dbguard.audit_enable('t', exclude => '{w}')");
    let lifted = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE t SET v = 11, w = 2");
    let as_of =
        |db: &mut Db, at: &str| db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{at}')"));
    // w is excluded: as it is today; v was, and nobody knows what it was
    assert_eq!(as_of(&mut db, &then), ["1 | <null> | 2"]);
    assert_eq!(as_of(&mut db, &lifted), ["1 | 10 | 2"]);
    let key = db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{then}', '1')"));
    assert_eq!(key, ["1 | <null> | 2"]);
}

#[test]
fn a_column_that_was_not_there_yet_is_null_whatever_became_of_it() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1), (2, 2)");
    let then = db.value("SELECT clock_timestamp()");
    db.exec("ALTER TABLE t ADD w int DEFAULT 5");
    db.exec("UPDATE t SET w = 6");
    db.exec("UPDATE t SET w = 7, v = 3");
    db.exec("DELETE FROM t WHERE id = 2");
    assert_eq!(
        db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{then}') ORDER BY id")),
        ["1 | 1 | <null>", "2 | 2 | <null>"]
    );
}

#[test]
fn an_attribute_added_to_a_composite_type_was_not_there() {
    let mut db = Db::new();
    db.exec(
        "CREATE TYPE pair AS (a int, b int); CREATE DOMAIN couple AS pair;
         CREATE TABLE t (id int PRIMARY KEY, p pair, c couple, v int); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, '(1,2)', '(1,2)', 1), (2, '(1,2)', '(1,2)', 1), (3, NULL, NULL, 1)",
    );
    let moment = db.value("SELECT clock_timestamp()");
    db.exec(
        "ALTER TYPE pair ADD ATTRIBUTE z int;
         UPDATE t SET p = '(8,8,8)', c = '(8,8,8)' WHERE id <> 2; UPDATE t SET v = 9 WHERE id = 2",
    );
    for (key, row) in
        [(1, "1 | (1,2,) | (1,2,) | 1"), (2, "2 | (1,2,) | (1,2,) | 1"), (3, "3 | <null> | <null> | 1")]
    {
        let one = format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}', '{key}')");
        assert_eq!(db.lines(&one), [row]);
    }
    assert_eq!(
        db.lines(&format!("SELECT id, p FROM dbguard.audit_as_of(NULL::t, '{moment}') ORDER BY id")),
        ["1 | (1,2,)", "2 | (1,2,)", "3 | <null>"]
    );
}
