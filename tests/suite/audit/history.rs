//! audit_history: one row's life.

use dbguard_tests::Db;

fn ops(db: &mut Db, table: &str, key: &str) -> String {
    db.value(&format!("SELECT string_agg(op, ' ' ORDER BY ordinality) FROM dbguard.audit_history('{table}', '{key}') WITH ORDINALITY"))
}

#[test]
fn newest_last_with_who_and_what() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE orders (id bigint PRIMARY KEY, status text); SELECT dbguard.audit_enable('orders');
         INSERT INTO orders VALUES (41, 'new'), (42, 'new');
         SET dbguard.actor = 'u-77';
         UPDATE orders SET status = 'paid' WHERE id = 42",
    );
    assert_eq!(
        db.lines("SELECT op, actor, user_name, old, new FROM dbguard.audit_history('orders', '42')"),
        [
            r#"INSERT | <null> | postgres | <null> | {"id": 42, "status": "new"}"#,
            r#"UPDATE | u-77 | postgres | {"status": "new"} | {"status": "paid"}"#,
        ]
    );
    // the key is read as its type reads it
    assert_eq!(ops(&mut db, "orders", " 042"), "INSERT UPDATE");
}

#[test]
fn a_changed_key_is_followed() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1); UPDATE t SET id = 2; UPDATE t SET id = 3; DELETE FROM t;
         INSERT INTO t VALUES (1)",
    );
    assert_eq!(ops(&mut db, "t", "3"), "INSERT UPDATE UPDATE DELETE");
    assert_eq!(ops(&mut db, "t", "1"), "INSERT UPDATE INSERT");
}

#[test]
fn composite_keys_quoted_names_and_times() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE \"Order Items\" (\"order\" uuid, at timestamptz, \"Line\" int, v int, PRIMARY KEY (\"order\", \"Line\", at));
         SELECT dbguard.audit_enable('\"Order Items\"');
         SET timezone = 'Asia/Kathmandu';
         INSERT INTO \"Order Items\" VALUES ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '2026-01-01 00:00Z', 7, 1);
         SET timezone = 'America/New_York';
         UPDATE \"Order Items\" SET v = 2",
    );
    let key = r#"{"at": "2026-01-01 01:00+01", "Line": 7, "order": "a0eebc999c0b4ef8bb6d6bb9bd380a11"}"#;
    assert_eq!(ops(&mut db, "\"Order Items\"", key), "INSERT UPDATE");
    assert_eq!(db.value("SELECT count(DISTINCT key) FROM dbguard.audit_log"), "1");
}

#[test]
fn keys_of_many_types() {
    let mut db = Db::new();
    for (i, (type_name, key)) in [
        ("int2", "7"),
        ("numeric", "1.50"),
        ("numeric", "123456789012345678901234567890.5"),
        ("text", "it's \"x\" \\ é"),
        ("char(5)", "ab"),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("date", "2026-02-28"),
        ("timestamp", "2026-02-28 12:00:00.5"),
        ("bool", "t"),
        ("inet", "10.0.0.1/8"),
        ("bytea", "\\xdead"),
        ("int[]", "{1,2}"),
        ("jsonb", "{\"a\": 1}"),
    ]
    .iter()
    .enumerate()
    {
        let key = key.replace('\'', "''");
        db.exec(&format!(
            "CREATE TABLE k{i} (id {type_name} PRIMARY KEY, v int); SELECT dbguard.audit_enable('k{i}');
             INSERT INTO k{i} VALUES ('{key}', 1); UPDATE k{i} SET v = 2"
        ));
        assert_eq!(ops(&mut db, &format!("k{i}"), &key), "INSERT UPDATE", "{type_name}");
    }
}

#[test]
fn a_table_without_key_is_found_by_its_values() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (a int, b text); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, 'x'), (2, 'x'); UPDATE t SET b = 'y' WHERE a = 1; DELETE FROM t WHERE a = 1",
    );
    assert_eq!(ops(&mut db, "t", "{\"a\": 1}"), "INSERT UPDATE DELETE");
    // without a key, the whole row before names the row
    assert_eq!(db.value("SELECT old FROM dbguard.audit_log WHERE op = 'UPDATE'"), r#"{"a": 1, "b": "x"}"#);
    assert_eq!(db.error("SELECT * FROM dbguard.audit_history('t', '1')").code, "22023");
}

#[test]
fn a_key_that_is_not_there() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);
         CREATE TABLE c (a int, b text, PRIMARY KEY (a, b));
         SELECT dbguard.audit_enable('t'); SELECT dbguard.audit_enable('c')",
    );
    // there before audit was enabled: no history, no error
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_history('t', '1')"), Vec::<String>::new());
    let cases = [
        ("'t', '2'", "P0002", "row with key 2 of table \"t\" does not exist"),
        ("'t', 'x'", "22P02", "invalid input syntax for type integer: \"x\""),
        ("'t', NULL", "22004", "argument \"key\" must not be null"),
        ("NULL, '1'", "22004", "argument \"relation\" must not be null"),
        ("'c', '1'", "22023", "invalid key: 1"),
        ("'c', '{\"a\": 1}'", "22023", "column \"b\" is missing from the key"),
        ("'c', '{\"a\": 1, \"b\": null}'", "22023", "column \"b\" is missing from the key"),
        ("'c', '{\"a\": 1, \"b\": \"x\", \"z\": 1}'", "22023", "column \"z\" is not part of the primary key"),
        (
            "'c', '{\"a\": 1, \"b\": \"x''; DROP TABLE c\"}'",
            "P0002",
            "row with key {\"a\": 1, \"b\": \"x'; DROP TABLE c\"} of table \"c\" does not exist",
        ),
    ];
    for (args, code, message) in cases {
        let error = db.error(&format!("SELECT * FROM dbguard.audit_history({args})"));
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{args}");
    }
    let mut fresh = Db::new();
    fresh.exec("CREATE TABLE t (id int PRIMARY KEY)");
    let error = fresh.error("SELECT * FROM dbguard.audit_history('t', '1')");
    assert_eq!((error.code.as_str(), error.message.as_str()), ("55000", "there is no audit log yet"));
}

#[test]
fn history_uses_the_key_index() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t');
         INSERT INTO t SELECT i, 0 FROM generate_series(1, 20000) i; ANALYZE dbguard.audit_change; ANALYZE dbguard.audit_relation",
    );
    let plan = db
        .lines(
            "EXPLAIN SELECT * FROM dbguard.audit_log WHERE schema_name = 'public' AND table_name = 't' AND key = '77'",
        )
        .join("\n");
    assert!(plan.contains("relation_key_idx"), "{plan}");
    let month = db.value("SELECT 'audit_change_p' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')");
    assert!(!plan.contains(&format!("Seq Scan on {month}")), "{plan}");
}

#[test]
fn keys_read_the_same_whatever_the_session_says() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE b (id bytea PRIMARY KEY); CREATE TABLE f (id float8 PRIMARY KEY); CREATE TABLE r (id tstzrange PRIMARY KEY);
         CREATE TABLE i (id interval PRIMARY KEY);
         SELECT dbguard.audit_enable('b'); SELECT dbguard.audit_enable('f'); SELECT dbguard.audit_enable('r'); SELECT dbguard.audit_enable('i');
         SET bytea_output = escape; SET extra_float_digits = 0; SET timezone = 'Asia/Tokyo'; SET intervalstyle = iso_8601; SET datestyle = 'SQL, DMY';
         INSERT INTO b VALUES ('\\x03'); INSERT INTO f VALUES (0.1), (0.1::float8 + 2e-17); INSERT INTO r VALUES ('[2026-01-01 00:00Z,2026-01-02 00:00Z)');
         INSERT INTO i VALUES ('1 day 2 hours')",
    );
    let mut other = db.connect();
    other.exec("DELETE FROM b; DELETE FROM f; DELETE FROM r; DELETE FROM i");
    assert_eq!(db.lines("SELECT table_name, count(*) FROM dbguard.audit_log GROUP BY table_name, key HAVING count(*) <> 2"), Vec::<String>::new());
    assert_eq!(ops(&mut db, "b", "\\x03"), "INSERT DELETE");
    assert_eq!(ops(&mut db, "i", "1 day 02:00:00"), "INSERT DELETE");
}

#[test]
fn a_very_long_key_is_no_obstacle() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE k (id bytea PRIMARY KEY, v int); SELECT dbguard.audit_enable('k');
         INSERT INTO k SELECT string_agg(decode(md5(i::text), 'hex'), '' ORDER BY i), 1 FROM generate_series(1, 150) i;
         UPDATE k SET v = 2",
    );
    let key = db.value("SELECT id FROM k");
    assert_eq!(ops(&mut db, "k", &key), "INSERT UPDATE");
    assert!(db.value("SELECT max(length(key)) < 400 FROM dbguard.audit_log") == "t");
}

#[test]
fn a_row_goes_with_the_table_that_is_emptied() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES (1, 1), (2, 1)",
    );
    db.exec("TRUNCATE t");
    db.exec("TRUNCATE t");
    db.exec("INSERT INTO t VALUES (1, 2)");
    db.exec("DELETE FROM t");
    db.exec("TRUNCATE t");
    db.exec("BEGIN; INSERT INTO t VALUES (3, 3); UPDATE t SET v = 4; TRUNCATE t; COMMIT");
    let ops =
        |db: &mut Db, key: &str| db.lines(&format!("SELECT op FROM dbguard.audit_history('t', '{key}')"));
    assert_eq!(ops(&mut db, "1"), ["INSERT", "TRUNCATE", "INSERT", "DELETE"]);
    assert_eq!(ops(&mut db, "2"), ["INSERT", "TRUNCATE"]);
    assert_eq!(ops(&mut db, "3"), ["INSERT", "UPDATE", "TRUNCATE"]);
}

/// Keys that are equal and do not read the same.
#[test]
fn a_numeric_key_is_found_however_it_is_written() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id numeric PRIMARY KEY, v int); SELECT dbguard.audit_enable('t');
         CREATE TABLE u (a numeric, b int, v int, PRIMARY KEY (a, b)); SELECT dbguard.audit_enable('u');
         INSERT INTO t VALUES (1.50, 1); UPDATE t SET v = 2 WHERE id = 1.5; UPDATE t SET id = 1.500; DELETE FROM t WHERE id = 1.5;
         INSERT INTO u VALUES (2.0, 1, 1)",
    );
    let moment = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE u SET v = 2; DELETE FROM u");
    for key in ["1.5", "1.50", "01.5000", "15e-1"] {
        assert_eq!(
            db.lines(&format!("SELECT op FROM dbguard.audit_history('t', '{key}')")),
            ["INSERT", "UPDATE", "UPDATE", "DELETE"],
            "{key}"
        );
    }
    assert_eq!(
        db.lines("SELECT op FROM dbguard.audit_history('u', '{\"a\": 2.000, \"b\": 1}')"),
        ["INSERT", "UPDATE", "DELETE"]
    );
    assert_eq!(
        db.lines("SELECT DISTINCT table_name, key FROM dbguard.audit_log ORDER BY 1"),
        ["t | 1.5", r#"u | {"a": 2, "b": 1}"#]
    );
    assert_eq!(db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::u, '{moment}')")), ["2.0 | 1 | 1"]);
    assert_eq!(
        db.lines(&format!(
            "SELECT * FROM dbguard.audit_as_of(NULL::u, '{moment}', '{{\"a\": 2.00, \"b\": 1}}')"
        )),
        ["2.0 | 1 | 1"]
    );
    // rows that are there still
    db.exec("INSERT INTO t SELECT n::numeric(10, 2), n FROM generate_series(1, 3) n");
    let moment = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE t SET v = 0; UPDATE t SET id = id + 10.000 WHERE id = 3");
    let whole = format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}') ORDER BY id");
    assert_eq!(db.lines(&whole), ["1.00 | 1", "2.00 | 2", "3.00 | 3"]);
}

#[test]
fn a_key_is_found_as_its_type_compares() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id interval PRIMARY KEY, v int); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES ('1 day', 1)",
    );
    let moment = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE t SET v = 2 WHERE id = '24 hours'");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_history('t', '24:00')"), "2");
    assert_eq!(
        db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}', '86400 s')")),
        ["1 day | 1"]
    );
    // of a row that is gone only the spelling it had is known
    db.exec("DELETE FROM t");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_history('t', '1 day')"), "3");
    assert_eq!(db.error("SELECT * FROM dbguard.audit_history('t', '24 hours')").code, "P0002");
}

#[test]
fn a_key_is_found_as_its_collation_compares() {
    let mut db = Db::new();
    if db.value("SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'") == "0" {
        eprintln!("skipped: this server has no ICU collations");
        return;
    }
    db.exec(
        "CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE t (id text COLLATE no_case PRIMARY KEY, v int); SELECT dbguard.audit_enable('t');
         INSERT INTO t VALUES ('Ada', 1); UPDATE t SET v = 2 WHERE id = 'ADA'",
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_history('t', 'aDA')"), "2");
}

#[test]
fn keys_that_are_no_numbers_and_columns_that_only_ride_along() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE n (id numeric PRIMARY KEY, v int); CREATE TABLE f (id float8 PRIMARY KEY, v int); CREATE TABLE j (id jsonb PRIMARY KEY, v int);
         CREATE TYPE pair AS (a int, b text); CREATE TABLE c (id pair PRIMARY KEY, v int);
         SELECT dbguard.audit_enable('n'), dbguard.audit_enable('f'), dbguard.audit_enable('j'), dbguard.audit_enable('c');
         INSERT INTO n VALUES ('NaN', 1), ('-Infinity', 1); UPDATE n SET v = 2;
         INSERT INTO f VALUES ('NaN', 1), ('Infinity', 1); UPDATE f SET v = 2;
         INSERT INTO j VALUES ('null', 1), ('\"x\"', 1), ('3.10', 1); UPDATE j SET v = 2;
         INSERT INTO c VALUES (ROW(1, 'it''s'), 1); UPDATE c SET v = 2",
    );
    for (table, key) in [
        ("n", "nan"),
        ("n", "-inf"),
        ("f", "NaN"),
        ("f", "inf"),
        ("j", "null"),
        ("j", "\"x\""),
        ("j", " 3.10 "),
        ("c", "(1,it''s)"),
    ] {
        assert_eq!(ops(&mut db, table, key), "INSERT UPDATE", "{table} {key}");
    }
    // a string is not the number it looks like
    let moment = db.value("SELECT clock_timestamp()");
    db.exec("DELETE FROM j; INSERT INTO j VALUES ('\"7\"', 1), ('7', 2)");
    assert_eq!(ops(&mut db, "j", "7"), "INSERT");
    assert_eq!(ops(&mut db, "j", "\"7\""), "INSERT");
    assert_eq!(
        db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::j, '{moment}') ORDER BY id")),
        // in the log, as in any jsonb, JSON's null is no value
        ["\"x\" | 2", "3.10 | 2", "<null> | 2"]
    );
    assert_eq!(
        db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::j, '{moment}', '\"x\"')")),
        ["\"x\" | 2"]
    );
    // a covered column is not in the key, a deferred key is one
    db.exec(
        "CREATE TABLE inc (id int, v text, PRIMARY KEY (id) INCLUDE (v)); CREATE TABLE late (id int, PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED);
         SELECT dbguard.audit_enable('inc'), dbguard.audit_enable('late');
         INSERT INTO inc VALUES (1, 'a'); UPDATE inc SET v = 'b'; INSERT INTO late VALUES (1), (2); UPDATE late SET id = 3 - id",
    );
    assert_eq!(
        db.lines(
            "SELECT key, old_key, new FROM dbguard.audit_log WHERE table_name = 'inc' AND op = 'UPDATE'"
        ),
        [r#"1 | <null> | {"v": "b"}"#]
    );
    assert_eq!(
        db.lines("SELECT key, old_key FROM dbguard.audit_log WHERE table_name = 'late' AND op = 'UPDATE' ORDER BY id"),
        ["2 | 1", "1 | 2"]
    );
    // the two rows have changed places: either key leads to both
    assert_eq!(ops(&mut db, "late", "1"), "INSERT INSERT UPDATE UPDATE");
    db.exec("CREATE TABLE parts (id int, PRIMARY KEY (id) DEFERRABLE) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
             SELECT dbguard.audit_enable('parts'); INSERT INTO parts VALUES (1); DELETE FROM parts_1");
    assert_eq!(ops(&mut db, "parts", "1"), "INSERT DELETE");
}
