//! soft_delete_purge: rows deleted long ago go for good, in batches.

use dbguard_tests::Db;

const TABLES: &str = "
    CREATE TABLE p (id int PRIMARY KEY, deleted_at timestamptz);
    CREATE TABLE lines (id int, p int REFERENCES p ON DELETE CASCADE);
    CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, deleted_at timestamp);
    CREATE TABLE r (id int, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
    SELECT dbguard.soft_delete_enable('p'), dbguard.soft_delete_enable('c')";

#[test]
fn what_is_referred_to_is_kept_back() {
    let mut db = Db::new();
    db.exec(TABLES);
    db.exec(
        "INSERT INTO p SELECT g, now() - interval '1 year' FROM generate_series(1, 5) g; INSERT INTO p VALUES (6, now()), (7, NULL);
         INSERT INTO lines VALUES (1, 1); INSERT INTO c VALUES (1, 2, NULL), (2, 3, now()), (3, 4, now() - interval '1 year'); INSERT INTO r VALUES (1, 5)",
    );
    assert_eq!(
        db.lines("SELECT \"table\", rows, kept_back, oldest < now() - interval '364 days' FROM dbguard.soft_delete_purge_plan()"),
        ["c | 1 | 0 | t", "p | 2 | 3 | t"]
    );
    let (mut db, heard) = db.connect_listening();
    db.exec("CALL dbguard.soft_delete_purge()");
    assert_eq!(
        heard.lines(),
        [
            "NOTICE | table \"c\": 1 rows purged |  | ",
            "NOTICE | table \"p\": 2 rows purged, 3 kept back by rows that refer to them |  | "
        ]
    );
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM p"), "2,3,5,6,7");
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM c"), "1,2");
    assert_eq!(db.value("SELECT count(*) FROM lines"), "0");
    db.exec("DELETE FROM r");
    db.exec("CALL dbguard.soft_delete_purge('p', '0')");
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM p"), "2,7");
}

#[test]
fn in_batches_and_through_partitions() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, k int, deleted_at date) PARTITION BY LIST (k);
         CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t DEFAULT;
         SELECT dbguard.soft_delete_enable('t'); INSERT INTO t SELECT g, g % 3, '2020-01-01' FROM generate_series(1, 100) g; INSERT INTO t VALUES (0, 0);
         CREATE TABLE xacts (x xid8); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO xacts VALUES (pg_current_xact_id()); RETURN old; END $$;
         CREATE TRIGGER note AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION note()");
    db.exec("CALL dbguard.soft_delete_purge('t', '1 day', batch => 10)");
    assert_eq!(db.value("SELECT count(*) FROM t"), "1");
    assert_eq!(db.value("SELECT max(n) FROM (SELECT count(*) FROM xacts GROUP BY x) s (n)"), "10");
    assert_eq!(db.value("SELECT count(DISTINCT x) FROM xacts"), "11");
}

#[test]
fn a_tree_goes_from_its_leaves() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t, deleted_at timestamptz); SELECT dbguard.soft_delete_enable('t');
         INSERT INTO t SELECT g, nullif(g - 1, 0), '2020-01-01' FROM generate_series(1, 5) g; INSERT INTO t VALUES (6, 2, NULL)");
    db.exec("CALL dbguard.soft_delete_purge('t')");
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), "1,2,6");
}

/// What goes with a row goes with what it goes with, through tables without soft delete as well: nothing live is purged.
#[test]
fn what_is_kept_back_keeps_back() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (id int PRIMARY KEY, deleted_at timestamptz);
         CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE, deleted_at timestamptz);
         CREATE TABLE plain (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
         CREATE TABLE g (id int PRIMARY KEY, b int REFERENCES b ON DELETE CASCADE, p int REFERENCES plain ON DELETE CASCADE, deleted_at timestamptz);
         CREATE TABLE r (b int REFERENCES b);
         SELECT dbguard.soft_delete_enable('a'), dbguard.soft_delete_enable('b'), dbguard.soft_delete_enable('g');
         INSERT INTO a SELECT g, '2020-01-01' FROM generate_series(1, 5) g; INSERT INTO b SELECT g, g, '2020-01-01' FROM generate_series(1, 3) g;
         INSERT INTO plain VALUES (4, 4), (5, 5);
         INSERT INTO g VALUES (1, 1, NULL, NULL), (4, NULL, 4, NULL), (5, NULL, 5, '2020-01-01'); INSERT INTO r VALUES (2)",
    );
    assert_eq!(
        db.lines("SELECT \"table\", rows, kept_back FROM dbguard.soft_delete_purge_plan()"),
        ["a | 2 | 3", "b | 1 | 2", "g | 1 | 0"]
    );
    db.exec("CALL dbguard.soft_delete_purge('a')");
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM a"), "1,2,4");
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM b"), "1,2");
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM g"), "1,4");
    // whatever is asked for: a live row is refused
    db.exec("SET dbguard.hard_delete = deleted");
    let e = db.error("DELETE FROM a WHERE id = 4");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("55000", "a row of table \"g\" is not deleted"));
    assert_eq!(db.error("DELETE FROM g").code, "55000");
    db.exec("UPDATE g SET deleted_at = now(); DELETE FROM a WHERE id = 4");
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM g"), "1");
}

#[test]
fn one_table_in_trouble_does_not_stop_the_others() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (id int, deleted_at timestamptz); CREATE TABLE b (id int, deleted_at timestamptz); CREATE TABLE d (id int, deleted_at timestamptz);
         SELECT dbguard.soft_delete_enable('a'), dbguard.soft_delete_enable('b'), dbguard.soft_delete_enable('d');
         INSERT INTO a VALUES (1, '2020-01-01'); INSERT INTO b VALUES (1, '2020-01-01'); INSERT INTO d VALUES (1, '2020-01-01');
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today' USING HINT = 'Tomorrow.'; END $$;
         CREATE TRIGGER no BEFORE DELETE ON b FOR EACH ROW EXECUTE FUNCTION no()",
    );
    let (mut other, heard) = db.connect_listening();
    let e = other.error("CALL dbguard.soft_delete_purge()");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("55000", "1 of 3 tables could not be purged"));
    assert!(heard
        .lines()
        .contains(&"WARNING | table \"b\" was not purged: not today |  | Tomorrow.".to_owned()));
    assert_eq!(db.value("SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM d)"), "0");
    let e = other.error("CALL dbguard.soft_delete_purge('b')");
    assert_eq!((e.message.as_str(), e.hint.as_str()), ("not today", "Tomorrow."));
}

#[test]
fn bad_calls() {
    let mut db = Db::new();
    db.exec(TABLES);
    db.exec("INSERT INTO p VALUES (1, '2020-01-01')");
    let cases = [
        ("'p', NULL", "22004"),
        ("'p', '-1 day'", "22023"),
        ("'p', batch => 0", "22023"),
        ("'p', batch => NULL", "22004"),
        ("'p', budget => '-1s'", "22023"),
        ("'lines'", "55000"),
    ];
    for (args, code) in cases {
        assert_eq!(db.error(&format!("CALL dbguard.soft_delete_purge({args})")).code, code, "{args}");
    }
    db.exec("BEGIN");
    assert_eq!(db.error("CALL dbguard.soft_delete_purge('p')").code, "25001");
    db.exec("ROLLBACK");
    let mut other = db.connect_as("nobody");
    assert_eq!(other.error("CALL dbguard.soft_delete_purge('p')").code, "42501");
    assert_eq!(other.lines("SELECT * FROM dbguard.soft_delete_purge_plan()"), Vec::<String>::new());
    other.exec("CALL dbguard.soft_delete_purge()");
    assert_eq!(db.value("SELECT count(*) FROM p"), "1");
    // no time, nothing done
    db.exec("CALL dbguard.soft_delete_purge('p', budget => '0')");
    assert_eq!(db.value("SELECT count(*) FROM p"), "1");
}
