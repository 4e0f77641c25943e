//! audit_as_of: a table as it was. What it shows is compared with a copy made at the time.

use dbguard_tests::Db;

/// Keeps a copy of the table, and gives the moment.
pub fn keep(db: &mut Db, table: &str, copy: &str) -> String {
    db.exec(&format!("CREATE TABLE {copy} AS SELECT * FROM {table}"));
    db.value("SELECT clock_timestamp() AT TIME ZONE 'UTC' || ' UTC'")
}

/// The rows that are only in the one or only in the other.
pub fn difference(db: &mut Db, table: &str, copy: &str, moment: &str) -> Vec<String> {
    let then = format!("SELECT * FROM dbguard.audit_as_of(NULL::{table}, '{moment}')");
    let mut lines =
        db.lines(&format!("SELECT 'too many', x.* FROM ({then} EXCEPT ALL SELECT * FROM {copy}) x"));
    lines.extend(db.lines(&format!("SELECT 'missing', x.* FROM (SELECT * FROM {copy} EXCEPT ALL {then}) x")));
    lines
}

#[test]
fn rows_come_back_and_vanish_and_change_back() {
    back_to_each_moment("rows");
}

#[test]
fn from_packed_changes_too() {
    back_to_each_moment("pack");
}

fn back_to_each_moment(bulk: &str) {
    let mut db = Db::new();
    db.exec(
        &format!("CREATE TABLE t (id int PRIMARY KEY, a text, b numeric(12,2), at timestamptz, doc jsonb, list int[], bin bytea, span interval);
         INSERT INTO t VALUES (0, 'never logged', 1.5, '2026-01-01 00:00Z', '{{\"a\": [1, 2]}}', '{{1,2}}', '\\xdead', '1 day 2 hours');
         SELECT dbguard.audit_enable('t', bulk => '{bulk}')"),
    );
    let empty = keep(&mut db, "t", "k0");
    db.exec("INSERT INTO t SELECT i, 'row ' || i, i / 7.0, now(), jsonb_build_object('i', i), ARRAY[i], 'x', '1 month' FROM generate_series(1, 200) i");
    let first = keep(&mut db, "t", "k1");
    db.exec(
        "UPDATE t SET a = NULL, doc = '{\"b\": null}' WHERE id < 50; UPDATE t SET a = 'again' WHERE id < 20; UPDATE t SET list = '{}', bin = NULL WHERE id = 3;
         DELETE FROM t WHERE id BETWEEN 40 AND 60; INSERT INTO t (id, a) SELECT i, 'new' FROM generate_series(55, 58) i",
    );
    let second = keep(&mut db, "t", "k2");
    db.exec("UPDATE t SET id = id + 1000 WHERE id < 10; DELETE FROM t WHERE id = 1002; INSERT INTO t (id, a) VALUES (3, 'three'); UPDATE t SET b = 0");
    let third = keep(&mut db, "t", "k3");
    db.exec("SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET intervalstyle = iso_8601; SET bytea_output = escape; UPDATE t SET at = at + '1 day', span = '2 years'");
    assert_eq!(
        db.value("SELECT count(*) > 0 FROM dbguard.audit_pack"),
        if bulk == "pack" { "t" } else { "f" }
    );
    for (moment, copy) in [(empty, "k0"), (first, "k1"), (second, "k2"), (third, "k3")] {
        assert_eq!(difference(&mut db, "t", copy, &moment), Vec::<String>::new(), "{copy}");
        // row by row, by the key of then
        let one_by_one = format!(
            "SELECT count(*) FROM {copy} k WHERE NOT EXISTS (
               SELECT FROM dbguard.audit_as_of(NULL::t, '{moment}', k.id::text) r WHERE r::text = k::text)"
        );
        assert_eq!(db.value(&one_by_one), "0", "{copy}");
    }
    assert_eq!(difference(&mut db, "t", "t", "infinity"), Vec::<String>::new());
}

#[test]
fn one_row_by_key() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    let then = keep(&mut db, "t", "k");
    db.exec("UPDATE t SET id = 3, v = 'moved' WHERE id = 1; UPDATE t SET id = 4 WHERE id = 3; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (1, 'other'), (7, 'new')");
    let mut row =
        |key: &str| db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{then}', '{key}')"));
    assert_eq!(row("1"), ["1 | a"]);
    assert_eq!(row(" 02 "), ["2 | b"]);
    for absent in ["3", "4", "7", "99"] {
        assert_eq!(row(absent), Vec::<String>::new(), "{absent}");
    }
    db.exec("DELETE FROM t");
    assert_eq!(db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{then}', '1')")), ["1 | a"]);
}

#[test]
fn keys_of_many_types() {
    let mut db = Db::new();
    db.exec(
        "CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN code AS varchar(20) CHECK (value <> '')",
    );
    let long = "é".repeat(700);
    for (i, (type_name, key)) in [
        ("numeric", "1.50"),
        ("text", "it's \"x\" \\ é"),
        ("text", &long),
        ("char(5)", "ab"),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("timestamptz", "2026-02-28 12:00:00.5+03"),
        ("bool", "t"),
        ("inet", "10.0.0.1/8"),
        ("bytea", "\\xdead"),
        ("float8", "0.1"),
        ("int[]", "{1,2}"),
        ("jsonb", "{\"a\": 1}"),
        ("interval", "1 day 02:00:00"),
        ("tstzrange", "[2026-01-01 00:00Z,2026-01-02 00:00Z)"),
        ("mood", "it's ok"),
        ("code", "x-1"),
    ]
    .iter()
    .enumerate()
    {
        let key = key.replace('\'', "''");
        db.exec(&format!(
            "SET timezone = 'Asia/Tokyo'; SET bytea_output = escape; SET intervalstyle = iso_8601;
             CREATE TABLE k{i} (id {type_name} PRIMARY KEY, v int); SELECT dbguard.audit_enable('k{i}');
             INSERT INTO k{i} VALUES ('{key}', 1)"
        ));
        let moment = keep(&mut db, &format!("k{i}"), &format!("c{i}"));
        db.exec(&format!("UPDATE k{i} SET v = 2; SET timezone = 'America/New_York'; SET bytea_output = hex; SET intervalstyle = postgres"));
        let as_of = format!("FROM dbguard.audit_as_of(NULL::k{i}, '{moment}'");
        assert_eq!(db.value(&format!("SELECT v {as_of})")), "1", "{type_name}");
        assert_eq!(db.value(&format!("SELECT v {as_of}, '{key}')")), "1", "{type_name} {key}");
        db.exec(&format!("DELETE FROM k{i}"));
        assert_eq!(db.value(&format!("SELECT v {as_of}, '{key}')")), "1", "{type_name} {key}");
    }
}

#[test]
fn composite_keys_quoted_names_partitions() {
    let mut db = Db::new();
    let long = "é".repeat(31);
    db.exec(&format!(
        "CREATE SCHEMA \"x.y\"; CREATE TABLE \"x.y\".\"{long}\" (\"t\" int, \"key\" text, \"o\" int, r int, PRIMARY KEY (\"t\", \"key\")) PARTITION BY LIST (\"t\");
         CREATE TABLE \"x.y\".p1 PARTITION OF \"x.y\".\"{long}\" FOR VALUES IN (1); CREATE TABLE \"x.y\".p2 (r int, o int, key text NOT NULL, t int NOT NULL);
         ALTER TABLE \"x.y\".\"{long}\" ATTACH PARTITION \"x.y\".p2 FOR VALUES IN (2);
         SELECT dbguard.audit_enable('\"x.y\".\"{long}\"');
         INSERT INTO \"x.y\".\"{long}\" SELECT 1 + i % 2, 'k' || i, i, i FROM generate_series(1, 20) i"
    ));
    let table = format!("\"x.y\".\"{long}\"");
    let moment = keep(&mut db, &table, "k");
    db.exec(&format!(
        "UPDATE {table} SET t = 3 - t WHERE o < 5; UPDATE \"x.y\".p1 SET o = 0, key = 'new ' || key WHERE o > 5; DELETE FROM {table} WHERE o = 7; INSERT INTO {table} VALUES (1, 'z')"
    ));
    assert_eq!(difference(&mut db, &table, "k", &moment), Vec::<String>::new());
    assert_eq!(
        db.lines(&format!(
            "SELECT * FROM dbguard.audit_as_of(NULL::{table}, '{moment}', '{{\"key\": \"k4\", \"t\": 1}}')"
        )),
        ["1 | k4 | 4 | 4"]
    );
    assert_eq!(
        db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::\"x.y\".p1, '{moment}')")).code,
        "42809"
    );
}

#[test]
fn without_a_key_rows_are_counted() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (a int, b text, at timestamptz, j json); SELECT dbguard.audit_enable('t');
         INSERT INTO t SELECT i % 3, 'x', '2026-01-01 00:00Z', '{ \"a\":1}' FROM generate_series(1, 9) i; INSERT INTO t DEFAULT VALUES",
    );
    db.exec("CREATE TABLE k AS SELECT a, b, at, j::text FROM t");
    let moment = db.value("SELECT clock_timestamp()");
    db.exec(
        "SET timezone = 'Asia/Tokyo'; UPDATE t SET b = 'y' WHERE a = 1; DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t WHERE a = 2);
         INSERT INTO t SELECT * FROM t WHERE a = 0; UPDATE t SET a = 2 WHERE a = 0; SET timezone = 'UTC'",
    );
    let then = format!("SELECT a, b, at, j::jsonb::text FROM dbguard.audit_as_of(NULL::t, '{moment}')");
    let kept = "SELECT a, b, at, j::jsonb::text FROM k";
    assert_eq!(db.lines(&format!("{then} EXCEPT ALL {kept}")), Vec::<String>::new());
    assert_eq!(db.lines(&format!("{kept} EXCEPT ALL {then}")), Vec::<String>::new());
    assert_eq!(db.value(&format!("SELECT count(*) FROM dbguard.audit_as_of(NULL::t, '{moment}')")), "10");
    let error = db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}', '1')"));
    assert_eq!((error.code.as_str(), error.message.as_str()), ("0A000", "table \"t\" has no primary key"));
    // a change that is not in the log is noticed
    db.exec("SET session_replication_role = replica; DELETE FROM t; RESET session_replication_role");
    assert_eq!(db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{moment}')")).code, "0A000");
    db.exec("SELECT dbguard.audit_enable('t', redact => '{b}')");
    assert_eq!(
        db.error("SELECT * FROM dbguard.audit_as_of(NULL::t, now())").message,
        "table \"t\" has no primary key"
    );
}

#[test]
fn keys_that_shift_and_swap_where_they_are_checked_late() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, v text); SELECT dbguard.audit_enable('t');
         INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 20) i",
    );
    let first = keep(&mut db, "t", "k1");
    db.exec("UPDATE t SET id = id + 1");
    let second = keep(&mut db, "t", "k2");
    db.exec("BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE t SET id = 3 WHERE v = 'row 1'; UPDATE t SET id = 2 WHERE v = 'row 2'; COMMIT");
    let third = keep(&mut db, "t", "k3");
    db.exec("UPDATE t SET id = 40 - id");
    for (moment, copy) in [(first, "k1"), (second, "k2"), (third, "k3")] {
        assert_eq!(difference(&mut db, "t", copy, &moment), Vec::<String>::new(), "{copy}");
    }
}

#[test]
fn two_sessions_in_turn_and_a_transaction_that_commits_late() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 0), (2, 0)");
    let mut other = db.connect();
    other.exec("BEGIN; UPDATE t SET v = 100 WHERE id = 2");
    let mut moments = vec![];
    for v in 1..6 {
        let session = if v % 2 == 0 { &mut other } else { &mut db };
        // the long transaction has row 2 only
        if v % 2 == 1 {
            session.exec(&format!("UPDATE t SET v = {v} WHERE id = 1"));
        } else {
            session.exec(&format!("UPDATE t SET v = 100 + {v} WHERE id = 2"));
        }
        moments.push((v, db.value("SELECT clock_timestamp()")));
    }
    let open = moments[0].1.clone();
    // not committed: it is not seen, whenever it was made
    let both = |db: &mut Db, moment: &str| {
        db.value(&format!(
            "SELECT string_agg(v::text, ' ' ORDER BY id) FROM dbguard.audit_as_of(NULL::t, '{moment}')"
        ))
    };
    assert_eq!(both(&mut db, &open), "1 0");
    other.exec("COMMIT");
    // a change counts from when it was made
    assert_eq!(both(&mut db, &open), "1 100");
    let seen: Vec<String> = moments.iter().map(|(_, m)| both(&mut db, m)).collect();
    assert_eq!(seen, ["1 100", "1 102", "3 102", "3 104", "5 104"]);
    // the same row in turn
    for v in 10..16 {
        let session = if v % 2 == 0 { &mut other } else { &mut db };
        session.exec(&format!("UPDATE t SET v = {v} WHERE id = 1"));
        let moment = db.value("SELECT clock_timestamp()");
        assert!(both(&mut db, &moment).starts_with(&format!("{v} ")));
        moments.push((v, moment));
    }
    for (v, moment) in moments.iter().skip(5) {
        assert!(both(&mut db, moment).starts_with(&format!("{v} ")));
        assert_eq!(
            db.value(&format!("SELECT v FROM dbguard.audit_as_of(NULL::t, '{moment}', '1')")),
            v.to_string()
        );
    }
    assert_eq!(
        db.value(
            "SELECT string_agg(new ->> 'v', ' ') FROM dbguard.audit_history('t', '1') WHERE op = 'UPDATE'"
        ),
        "1 3 5 10 11 12 13 14 15"
    );
}

#[test]
fn seen_from_inside_a_transaction() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 0)");
    let before = keep(&mut db, "t", "k");
    db.exec("BEGIN; UPDATE t SET v = 1; SAVEPOINT s; UPDATE t SET v = 2; INSERT INTO t VALUES (2, 2); ROLLBACK TO s; DELETE FROM t");
    assert_eq!(difference(&mut db, "t", "k", &before), Vec::<String>::new());
    db.exec("COMMIT");
    assert_eq!(difference(&mut db, "t", "k", &before), Vec::<String>::new());
    // while another session changes the table, what is read is of one moment
    db.exec("INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i");
    let moment = db.value("SELECT clock_timestamp()");
    let mut other = db.connect();
    db.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM t");
    other.exec("UPDATE t SET v = 5; DELETE FROM t WHERE id > 50");
    assert_eq!(
        db.value(&format!("SELECT count(*) || ' ' || sum(v) FROM dbguard.audit_as_of(NULL::t, '{moment}')")),
        "100 0"
    );
    db.exec("COMMIT");
    assert_eq!(
        db.value(&format!("SELECT count(*) || ' ' || sum(v) FROM dbguard.audit_as_of(NULL::t, '{moment}')")),
        "100 0"
    );
}

#[test]
fn a_damaged_pack_is_said() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 0)");
    // a pack that cannot be read: what is lost is said
    db.exec(
        "INSERT INTO dbguard.audit_pack (id, at, xact, context, relation, changes, lowest_key, highest_key, data)
         SELECT 5, clock_timestamp(), '9', 1, max(id), 3, 'b1', 'b9', '\\xdead' FROM dbguard.audit_relation",
    );
    let since = db.value("SELECT max(since) FROM dbguard.audit_relation");
    for key in ["", ", '1'"] {
        let error = db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{since}'{key})"));
        assert_eq!(error.code, "XX001");
    }
    assert_eq!(db.lines("SELECT op FROM dbguard.audit_history('t', '1')"), ["UNREADABLE", "INSERT"]);
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_as_of(NULL::t, clock_timestamp())"), ["1 | 0"]);
}

#[test]
fn what_cannot_be_shown_is_said() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT 1 AS a; CREATE TYPE pair AS (a int)",
    );
    let no_log = db.error("SELECT * FROM dbguard.audit_as_of(NULL::t, now())");
    assert_eq!((no_log.code.as_str(), no_log.message.as_str()), ("55000", "table \"t\" is not audited"));
    let early = db.value("SELECT clock_timestamp()");
    db.exec("SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1)");
    let since = db.value("SELECT clock_timestamp()");
    db.exec("TRUNCATE t");
    let after = db.value("SELECT clock_timestamp()");
    db.exec("INSERT INTO t VALUES (2)");
    let cases = [
        (format!("NULL::t, '{early}'"), "55000", format!("table \"t\" was not audited yet at {early}")),
        (
            format!("NULL::t, '{since}'"),
            "55000",
            "table \"t\" cannot be shown as it was before it was truncated".to_owned(),
        ),
        (
            format!("NULL::t, '{since}', '1'"),
            "55000",
            "table \"t\" cannot be shown as it was before it was truncated".to_owned(),
        ),
        ("NULL::t, NULL".to_owned(), "22004", "argument \"at\" must not be null".to_owned()),
        ("NULL::int, now()".to_owned(), "42809", "the first argument is not a row of a table".to_owned()),
        ("NULL::v, now()".to_owned(), "42809", "\"v\" is not a table".to_owned()),
        ("NULL::pair, now()".to_owned(), "42809", "\"pair\" is not a table".to_owned()),
        (
            "NULL::t, now(), 'x'".to_owned(),
            "22P02",
            "invalid input syntax for type integer: \"x\"".to_owned(),
        ),
    ];
    for (args, code, message) in cases {
        let error = db.error(&format!("SELECT * FROM dbguard.audit_as_of({args})"));
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message.as_str()), "{args}");
    }
    assert_eq!(
        db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{after}')")),
        Vec::<String>::new()
    );
    // a pause is a gap
    db.exec("SELECT dbguard.audit_pause('t', 'moving house')");
    assert_eq!(
        db.error("SELECT * FROM dbguard.audit_as_of(NULL::t, now())").message,
        "table \"t\" is not audited"
    );
    db.exec("DELETE FROM t; SELECT dbguard.audit_resume('t')");
    for key in ["", ", '2'"] {
        let error = db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{after}'{key})"));
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("55000", "table \"t\" cannot be shown as it was before its audit was paused")
        );
    }
    let after = db.value("SELECT clock_timestamp()");
    assert_eq!(
        db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{after}')")),
        Vec::<String>::new()
    );
    db.exec("SELECT dbguard.audit_enable('t', operations => '{DELETE}')");
    assert_eq!(db.error("SELECT * FROM dbguard.audit_as_of(NULL::t, now())").code, "0A000");
    db.exec("SELECT dbguard.audit_enable('t', operations => '{INSERT,UPDATE,DELETE,TRUNCATE}')");
    assert_eq!(db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{after}')")).code, "55000");
    // off and on again: what happened meanwhile is not known
    db.exec("SELECT dbguard.audit_disable('t'); DELETE FROM t");
    assert_eq!(
        db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{after}')")).message,
        "table \"t\" is not audited"
    );
    db.exec("SELECT dbguard.audit_enable('t')");
    assert_eq!(db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{after}')")).code, "55000");
    // dropped and made anew: another table's past is not this one's
    let last = db.value("SELECT clock_timestamp()");
    db.exec("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t')");
    assert_eq!(db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{last}')")).code, "55000");
}
