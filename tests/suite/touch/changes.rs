//! What counts as a change: every kind of value, in rows of every layout.

use dbguard_tests::Db;

/// A type, a value, the same value made in another way, and another value.
const VALUES: &[(&str, &str, &str, &str)] = &[
    ("boolean", "true", "1 = 1", "false"),
    ("\"char\"", "'a'", "'a'", "'b'"),
    ("smallint", "1", "2 - 1", "-1"),
    ("integer", "1", "2 - 1", "0"),
    ("bigint", "1", "2 - 1", "4294967297"),
    ("real", "0", "1 - 1", "'-0'"),
    ("double precision", "'NaN'", "'NaN'", "1.5"),
    ("text", "''", "''", "'x'"),
    ("varchar(200)", "repeat('x', 130)", "repeat('x', 130)", "repeat('x', 131)"),
    ("char(5)", "'a'", "'a    '", "'b'"),
    ("name", "'n'", "'n'", "'m'"),
    ("bytea", "'\\x00'", "'\\x00'", "'\\x01'"),
    ("numeric", "1.0", "2.0 - 1.0", "1.00"),
    (
        "uuid",
        "'00000000-0000-0000-0000-000000000001'",
        "'00000000-0000-0000-0000-000000000001'",
        "'00000000-0000-0000-0000-000000000002'",
    ),
    ("jsonb", "'{\"a\": 1}'", "'{\"a\":1}'", "'{\"a\": 2}'"),
    ("int[]", "'{1,2}'", "'{1,2}'", "'{1,3}'"),
    ("inet", "'10.0.0.1'", "'10.0.0.1'", "'10.0.0.2'"),
    ("interval", "'1 day'", "'1 day'", "'24 hours'"),
    ("tsrange", "'[2000-01-01,2001-01-01)'", "'[2000-01-01,2001-01-01)'", "'empty'"),
    // compressed, and out of line
    ("text", "repeat('x', 10000)", "repeat('x', 10000)", "repeat('x', 9999) || 'y'"),
    (
        "text",
        "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i)",
        "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i)",
        "(SELECT string_agg(md5(i::text), '') FROM generate_series(2, 1001) i)",
    ),
];

fn columns(nulls: bool) -> String {
    let columns: Vec<String> = VALUES
        .iter()
        .enumerate()
        .map(|(n, (kind, ..))| {
            format!("n{n} int{}, c{n} {kind}", if nulls { "" } else { " NOT NULL DEFAULT 7" })
        })
        .collect();
    columns.join(", ")
}

fn try_all(db: &mut Db, what: &str) {
    let values: Vec<String> =
        VALUES.iter().enumerate().map(|(n, (_, value, ..))| format!("c{n} = {value}")).collect();
    let touched = "SELECT updated_at <> '2000-01-01' FROM t WHERE id = 1";
    let reset = "ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET updated_at = '2000-01-01' WHERE id = 1; ALTER TABLE t ENABLE TRIGGER ALL";
    db.exec(&format!("UPDATE t SET {} WHERE id = 1; {reset}", values.join(", ")));
    for (n, (kind, value, same, other)) in VALUES.iter().enumerate() {
        db.exec(&format!("UPDATE t SET c{n} = {same} WHERE id = 1"));
        assert_eq!(db.value(touched), "f", "{what}: {kind} {same} is {value}");
        for new in [other, "NULL", value] {
            db.exec(&format!("UPDATE t SET c{n} = {new} WHERE id = 1"));
            assert_eq!(db.value(touched), "t", "{what}: {kind} {new}");
            db.exec(reset);
            db.exec(&format!("UPDATE t SET c{n} = c{n} WHERE id = 1"));
            assert_eq!(db.value(touched), "f", "{what}: {kind} {new} again");
        }
    }
    // nothing but the kept column was changed by all that
    let line = "SELECT updated_at, * FROM t WHERE id = 1";
    let before = db.lines(line);
    db.exec("UPDATE t SET id = 1 WHERE id = 1");
    assert_eq!(db.lines(line), before, "{what}");
}

#[test]
fn of_every_type() {
    for (what, before, after) in [
        ("first", "updated_at timestamptz, ", ""),
        ("last", "", ", updated_at timestamptz"),
        ("a date among small ones", "b \"char\" DEFAULT 'x', updated_at date, s smallint DEFAULT 3, ", ""),
        ("NOT NULL", "", ", updated_at timestamp NOT NULL DEFAULT '2000-01-01'"),
    ] {
        for nulls in [true, false] {
            let mut db = Db::new();
            db.exec(&format!(
                "CREATE TABLE t (id int, {before}{}{after}); SELECT dbguard.touch_enable('t'); INSERT INTO t (id) VALUES (1)",
                columns(nulls)
            ));
            try_all(&mut db, what);
        }
    }
}

#[test]
fn of_rows_older_than_a_column() {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE t (id int, gone text, {}, more int); INSERT INTO t (id, gone) VALUES (1, 'dropped'), (2, 'dropped');
         ALTER TABLE t DROP COLUMN gone, ADD COLUMN updated_at timestamptz DEFAULT '2000-01-01', ADD COLUMN late text DEFAULT 'late';
         SELECT dbguard.touch_enable('t')",
        columns(true)
    ));
    let touched = "SELECT string_agg((updated_at > '2020-01-01')::text, ',' ORDER BY id) FROM t";
    db.exec("UPDATE t SET late = 'late'");
    assert_eq!(db.value(touched), "false,false");
    db.exec("UPDATE t SET late = 'later' WHERE id = 2");
    assert_eq!(db.value(touched), "false,true");
    try_all(&mut db, "after ALTER TABLE");
    // what was dropped is no change, though the new row has it no more
    db.exec("INSERT INTO t (id) VALUES (3); UPDATE t SET updated_at = '2000-01-01'; ALTER TABLE t DROP COLUMN more");
    db.exec("UPDATE t SET late = late");
    assert_eq!(db.value("SELECT bool_or(updated_at > '2020-01-01') FROM t"), "f");
}

#[test]
fn the_rest_of_the_row_stays() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz NOT NULL DEFAULT '2000-01-01', w int GENERATED ALWAYS AS (id * 2) STORED, u text UNIQUE);
         CREATE INDEX ON t (updated_at); SELECT dbguard.touch_enable('t');
         CREATE TRIGGER z_other BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
         INSERT INTO t (id, v, u) SELECT i, 'a', 'u' || i FROM generate_series(1, 2000) i; ANALYZE t",
    );
    db.exec("BEGIN; UPDATE t SET v = 'b' || id, id = id + 5000 WHERE id % 2 = 0");
    assert_eq!(db.value("SELECT count(*) FROM t WHERE v = 'b' || (id - 5000) AND w = id * 2 AND u = 'u' || (id - 5000) AND updated_at = now()"), "1000");
    // the index knows the time that was put in
    db.exec("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off");
    assert_eq!(db.value("SELECT count(*) FROM t WHERE updated_at = now()"), "1000");
    assert_eq!(db.value("SELECT count(*) FROM t WHERE updated_at = '2000-01-01'"), "1000");
    assert_eq!(
        db.lines("UPDATE t SET v = 'c' WHERE id = 1 RETURNING v, updated_at = now(), w"),
        ["c | t | 2"]
    );
    db.exec("COMMIT");
}
