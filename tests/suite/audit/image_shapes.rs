//! The image of a row equals to_jsonb(row), whatever the shape of the row: wide, large, of types within types, with
//! casts of the user's own.

use super::image::differences;
use dbguard_tests::Db;

/// Entries of a jsonb object carry an offset every 32nd: both sides of that line, and names whose
/// order is by length first.
#[test]
fn wide_tables_and_odd_names() {
    let mut db = Db::new();
    db.exec("CREATE TABLE narrow (id int PRIMARY KEY); SELECT dbguard.audit_enable('narrow')");
    db.unguard();
    for width in [1, 30, 31, 32, 33, 63, 64, 65, 200] {
        let columns: Vec<String> = (0..width)
            .map(|i| format!("\"{}{i}\" text", "abcdé \"".repeat(i % 4).replace('"', "\"\"")))
            .collect();
        let values: Vec<String> = (0..width).map(|i| format!("repeat('x', {i})")).collect();
        db.exec(&format!(
            "DROP TABLE IF EXISTS wide; CREATE TABLE wide (id int PRIMARY KEY, {});
             SELECT dbguard.audit_enable('wide');
             TRUNCATE dbguard.audit_change;
             INSERT INTO wide SELECT 1, {}",
            columns.join(", "),
            values.join(", ")
        ));
        assert_eq!(differences(&mut db, "wide"), Vec::<String>::new(), "{width}");
        // each key is found by the server's own search in the stored bytes
        let found = db.value(
            "SELECT count(*) FROM dbguard.audit_log l, wide w, jsonb_object_keys(to_jsonb(w)) k
             WHERE l.new -> k = to_jsonb(w) -> k",
        );
        assert_eq!(found, (width + 1).to_string());
    }
}

#[test]
fn large_and_compressed_values() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE big (id int PRIMARY KEY, t text, j jsonb, n numeric);
         SELECT dbguard.audit_enable('big');
         INSERT INTO big
         SELECT i, repeat(md5(i::text), 30000), (SELECT jsonb_agg(md5(x::text)) FROM generate_series(1, 20000) x),
                ('1' || repeat('37', 5000) || '.5')::numeric
         FROM generate_series(1, 3) i",
    );
    assert_eq!(differences(&mut db, "big"), Vec::<String>::new());
}

/// json may hold what jsonb cannot: the write goes through, the log keeps the text.
#[test]
fn json_that_jsonb_refuses() {
    let mut db = Db::new();
    db.exec(
        "CREATE TYPE doc AS (a int, j json);
         CREATE TABLE t (id int PRIMARY KEY, j json, js json[], d doc); SELECT dbguard.audit_enable('t');
         INSERT INTO t (id, j) VALUES (1, '{\"a\":\"\\u0000\"}'), (2, '{\"a\":1e1000000}'), (3, '{\"a\":1e3}');
         INSERT INTO t (id, js) VALUES (4, ARRAY['\"\\u0000\"'::json]);
         INSERT INTO t (id, d) VALUES (5, ROW(1, '\"\\u0000\"')), (6, ROW(1, '7'));
         UPDATE t SET j = '1' WHERE id = 1",
    );
    assert_eq!(
        db.lines("SELECT key, coalesce(new -> 'j', 'null'), coalesce(new -> 'js', 'null'), coalesce(new -> 'd', 'null') FROM dbguard.audit_log ORDER BY id"),
        [
            r#"1 | "{\"a\":\"\\u0000\"}" | null | null"#,
            r#"2 | "{\"a\":1e1000000}" | null | null"#,
            r#"3 | {"a": 1000} | null | null"#,
            r#"4 | null | "{\"\\\"\\\\u0000\\\"\"}" | null"#,
            r#"5 | null | null | "(1,\"\"\"\\\\u0000\"\"\")""#,
            r#"6 | null | null | {"a": 1, "j": 7}"#,
            r#"1 | 1 | null | null"#,
        ]
    );
}

#[test]
fn types_within_types_that_change_in_mid_session() {
    let mut db = Db::new();
    db.exec(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text);
         CREATE DOMAIN pairs AS pair CHECK ((VALUE).a > 0); CREATE DOMAIN ints AS int[];
         CREATE TYPE nest AS (p pair, m mood, ps pair[], n numeric);
         CREATE TABLE own (id int PRIMARY KEY, p pair, n nest, ns nest[], d pairs, i ints, m mood, ms mood[], r int4range[]);
         SELECT dbguard.audit_enable('own')",
    );
    let row = "ROW(1, 'x'), ROW(ROW(2, 'y'), 'ok', ARRAY[ROW(3, 'z')::pair, NULL], 'NaN'), ARRAY[ROW(NULL, 'sad', '{}', 1.50)::nest],
               ROW(4, 'w'), '{{1,2},{3,NULL}}', 'sad', '{ok,NULL,sad}', '{\"[1,2)\",empty}'";
    db.exec(&format!("INSERT INTO own VALUES (1, {row})"));
    assert_eq!(differences(&mut db, "own"), Vec::<String>::new());
    db.exec("UPDATE own SET m = 'ok'; ALTER TYPE pair ADD ATTRIBUTE c int; ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'; ALTER TYPE mood ADD VALUE 'new'");
    db.exec("UPDATE own SET p = ROW(1, 'x', 5), m = 'new', ms = '{fine,new}'");
    let last = "SELECT old, new FROM dbguard.audit_log ORDER BY id DESC LIMIT 1";
    assert_eq!(
        db.lines(last),
        [
            r#"{"m": "fine", "p": {"a": 1, "b": "x", "c": null}, "ms": ["fine", null, "sad"]} | {"m": "new", "p": {"a": 1, "b": "x", "c": 5}, "ms": ["fine", "new"]}"#
        ]
    );
    db.exec("ALTER TYPE pair DROP ATTRIBUTE b; ALTER TYPE pair RENAME ATTRIBUTE c TO \"C c\"");
    db.exec("UPDATE own SET p = ROW(1, 6)");
    assert_eq!(db.lines(last), [r#"{"p": {"a": 1, "C c": 5}} | {"p": {"a": 1, "C c": 6}}"#]);
    db.exec("DELETE FROM own WHERE id = 1; INSERT INTO own (id, p, m) VALUES (2, ROW(NULL, 7), 'sad')");
    assert_eq!(differences(&mut db, "own"), Vec::<String>::new());
}

/// A cast to json of the user's own says how a type is shown; it may come, go, fail, and change things.
#[test]
fn casts_of_the_users_own() {
    let mut db = Db::new();
    db.exec(
        "CREATE TYPE span AS RANGE (subtype = float8); CREATE TABLE noted (v text); SELECT dbguard.audit_enable('noted');
         CREATE TABLE t (id int PRIMARY KEY, c span); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, '[1,2)');
         CREATE FUNCTION shown(s span) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
           IF lower(s) = 13 THEN RAISE 'refused'; END IF;
           INSERT INTO noted VALUES (s::text);
           RETURN json_build_object('low', lower(s)); END $$;
         CREATE CAST (span AS json) WITH FUNCTION shown(span)",
    );
    db.exec("INSERT INTO t VALUES (2, '[2,3)'), (3, NULL), (13, '[13,14)'), (4, '[4,5)')");
    let shown = "SELECT new->>'id', new->'c' FROM dbguard.audit_log WHERE table_name = 't' ORDER BY id";
    db.exec("DROP CAST (span AS json); DROP FUNCTION shown; INSERT INTO t VALUES (5, '[5,6)')");
    assert_eq!(
        db.lines(shown),
        [
            r#"1 | "[1,2)""#,
            r#"2 | {"low": 2}"#,
            "3 | null",
            r#"13 | "[13,14)""#,
            r#"4 | {"low": 4}"#,
            r#"5 | "[5,6)""#
        ]
    );
    // what it did itself is logged as well, once for each time it was asked
    assert_eq!(
        db.value("SELECT (SELECT array_agg(v ORDER BY v) FROM noted) = (SELECT array_agg(new->>'v' ORDER BY new->>'v') FROM dbguard.audit_log WHERE table_name = 'noted')"),
        "t"
    );
}

#[test]
fn as_many_columns_as_a_table_can_have() {
    let mut db = Db::new();
    let columns: Vec<String> = (1..1600).map(|i| format!("c{i} bool DEFAULT {}", i % 3 == 0)).collect();
    db.exec(&format!("CREATE TABLE wide (id int PRIMARY KEY, {})", columns.join(", ")));
    db.exec("SELECT dbguard.audit_enable('wide'); INSERT INTO wide VALUES (1)");
    assert_eq!(differences(&mut db, "wide"), Vec::<String>::new());
    db.exec("UPDATE wide SET c1 = NULL, c1599 = false");
    assert_eq!(
        db.lines("SELECT old, new FROM dbguard.audit_log WHERE op = 'UPDATE'"),
        [r#"{"c1": false, "c1599": true} | {"c1": null, "c1599": false}"#]
    );
    db.exec("UPDATE wide SET c1599 = true");
    assert_eq!(
        db.lines("SELECT old, new FROM dbguard.audit_log ORDER BY id DESC LIMIT 1"),
        [r#"{"c1599": false} | {"c1599": true}"#]
    );
}

#[test]
fn a_hundred_megabytes() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v text, n int, b bytea); ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
         SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, repeat(md5('x'), 3276800))",
    );
    db.exec("UPDATE t SET n = 1");
    db.exec("DELETE FROM t");
    let same = "md5(coalesce(new, old)->>'v') = md5(repeat(md5('x'), 3276800))";
    assert_eq!(
        db.lines(&format!("SELECT left(op, 1), key, new->'n', length(coalesce(new, old)->>'v'), {same} FROM dbguard.audit_log ORDER BY id")),
        ["I | 1 | null | 104857600 | t", "U | 1 | 1 | <null> | <null>", "D | 1 | <null> | 104857600 | t"]
    );
    // beyond what jsonb can hold the statement fails, as the documentation says, and nothing else does
    let error = db.error("INSERT INTO t (id, b) VALUES (2, decode(repeat('00', 140000000), 'hex'))");
    assert_eq!(error.code, "54000", "{error:?}");
    db.exec("SELECT dbguard.audit_enable('t', exclude => '{b}'); INSERT INTO t (id, b) VALUES (3, decode(repeat('00', 140000000), 'hex'))");
    assert_eq!(db.value("SELECT string_agg(key, ' ' ORDER BY id) FROM dbguard.audit_log"), "1 1 1 3");
}
