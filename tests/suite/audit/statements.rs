//! Statements that come to a table by a detour, or make more than one change of it.

use dbguard_tests::Db;

/// The log in the order things happened.
fn log(db: &mut Db, columns: &str) -> Vec<String> {
    db.lines(&format!("SELECT {columns} FROM dbguard.audit_log ORDER BY at, id"))
}

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 7); SELECT dbguard.audit_enable('t')");
    db
}

#[test]
fn through_views_and_rules() {
    let mut db = db();
    db.exec(
        "CREATE VIEW simple AS SELECT id, v FROM t WHERE id < 100 WITH CHECK OPTION;
         CREATE VIEW joined AS SELECT id, v, 1 AS one FROM t, (VALUES (1)) x;
         CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET v = NEW.v WHERE id = OLD.id; RETURN NEW; END $$;
         CREATE TRIGGER instead INSTEAD OF UPDATE ON joined FOR EACH ROW EXECUTE FUNCTION instead();
         CREATE VIEW ruled AS SELECT id FROM t;
         CREATE RULE del AS ON DELETE TO ruled DO INSTEAD DELETE FROM t WHERE id = OLD.id;
         INSERT INTO simple VALUES (1, 'a'), (2, 'a'); UPDATE simple SET v = 'b' WHERE id = 1",
    );
    assert_eq!(db.error("INSERT INTO simple VALUES (200, 'beyond')").code, "44000");
    db.exec("UPDATE joined SET v = 'c' WHERE id = 1; DELETE FROM ruled WHERE id = 1");
    assert_eq!(
        log(&mut db, "left(op, 1), table_name, key, old, new"),
        [
            r#"I | t | 1 | <null> | {"n": 7, "v": "a", "id": 1}"#,
            r#"I | t | 2 | <null> | {"n": 7, "v": "a", "id": 2}"#,
            r#"U | t | 1 | {"v": "a"} | {"v": "b"}"#,
            r#"U | t | 1 | {"v": "b"} | {"v": "c"}"#,
            r#"D | t | 1 | {"n": 7, "v": "c", "id": 1} | <null>"#,
        ]
    );
    // a rule that makes two statements of one
    db.exec("CREATE RULE twice AS ON DELETE TO t DO ALSO INSERT INTO t VALUES (OLD.id + 50, 'kept'); DELETE FROM t WHERE id = 2");
    let both = log(&mut db, "left(op, 1), key, new->>'v'").split_off(5);
    let stored = db.lines("SELECT id FROM t ORDER BY id");
    // the rule's INSERT comes first, and finds the row that the DELETE then removes
    assert_eq!(both, ["I | 52 | kept", "D | 2 | <null>"]);
    assert_eq!(stored, ["52"]);
}

#[test]
fn a_statement_that_changes_a_table_in_several_places() {
    let mut db = db();
    db.exec(
        "INSERT INTO t VALUES (1), (3), (4);
         WITH a AS (UPDATE t SET v = 'one' WHERE id = 1), b AS (UPDATE t SET v = 'three' WHERE id = 3),
              c AS (DELETE FROM t WHERE id = 4 RETURNING id), d AS (INSERT INTO t SELECT id * 10, 'forty' FROM c RETURNING id)
         UPDATE t SET v = 'never' WHERE id IN (SELECT id FROM d)",
    );
    let mut changes = log(&mut db, "left(op, 1), key, old->>'v', new->>'v'").split_off(3);
    changes.sort();
    assert_eq!(
        changes,
        [
            "D | 4 | <null> | <null>",
            "I | 40 | <null> | forty",
            "U | 1 | <null> | one",
            "U | 3 | <null> | three"
        ]
    );
    assert_eq!(db.lines("SELECT id, v FROM t ORDER BY id"), ["1 | one", "3 | three", "40 | forty"]);
    assert_eq!(db.value("SELECT count(DISTINCT at) FROM dbguard.audit_log"), "2");
}

#[test]
fn rows_that_a_trigger_or_a_conflict_keeps_out_are_not_logged() {
    let mut db = db();
    db.exec(
        "INSERT INTO t VALUES (1, 'a'), (2, 'a');
         CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF coalesce(NEW.id, OLD.id) % 2 = 0 THEN RETURN NULL; END IF; RETURN coalesce(NEW, OLD); END $$;
         CREATE TRIGGER skip BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION skip();
         INSERT INTO t VALUES (3, 'a'), (4, 'a');
         UPDATE t SET v = 'b';
         INSERT INTO t VALUES (1, 'c') ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE t.v = 'nothing';
         INSERT INTO t VALUES (1, 'b'), (5, 'a') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
         INSERT INTO t VALUES (1, 'd') ON CONFLICT DO NOTHING;
         DELETE FROM t WHERE id <= 2; DELETE FROM t WHERE id = 3; DELETE FROM t",
    );
    assert_eq!(
        log(&mut db, "left(op, 1), key, new->>'v'"),
        [
            "I | 1 | a",
            "I | 2 | a",
            "I | 3 | a",
            "U | 1 | b",
            "U | 3 | b",
            "I | 5 | a",
            "D | 1 | <null>",
            "D | 3 | <null>",
            "D | 5 | <null>"
        ]
    );
    assert_eq!(db.lines("SELECT id, v FROM t"), ["2 | a"]);
}

#[test]
fn explained_prepared_and_by_cursor() {
    let mut db = db();
    db.exec(
        "INSERT INTO t SELECT i, 'a' FROM generate_series(1, 6) i;
         PREPARE p(int) AS UPDATE t SET v = 'p' || $1 WHERE id = $1",
    );
    for id in [1, 2, 1, 1, 1, 1, 1, 1, 2] {
        db.exec(&format!("EXECUTE p({id}); UPDATE t SET v = 'x' WHERE id = {id}"));
    }
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE new->>'v' LIKE 'p_'"), "9");
    db.rows("EXPLAIN UPDATE t SET v = 'only planned' WHERE id = 3");
    db.rows("EXPLAIN ANALYZE UPDATE t SET v = 'explained' WHERE id = 3");
    db.exec(
        "BEGIN; DECLARE c CURSOR FOR SELECT * FROM t WHERE id > 4 ORDER BY id FOR UPDATE; MOVE NEXT IN c;
         UPDATE t SET v = 'current' WHERE CURRENT OF c; FETCH NEXT FROM c; DELETE FROM t WHERE CURRENT OF c; COMMIT",
    );
    assert_eq!(
        log(&mut db, "left(op, 1), key, new->>'v'").split_off(6 + 18),
        ["U | 3 | explained", "U | 5 | current", "D | 6 | <null>"]
    );
}

#[test]
fn a_loop_over_what_an_update_returns() {
    let mut db = db();
    db.exec(
        "INSERT INTO t SELECT i, 'a' FROM generate_series(1, 4) i;
         DO $$ DECLARE r record; BEGIN
           FOR r IN UPDATE t SET v = 'looped' WHERE id < 5 RETURNING id LOOP
             BEGIN
               INSERT INTO t VALUES (r.id + 100);
               IF r.id % 2 = 0 THEN RAISE 'no'; END IF;
             EXCEPTION WHEN raise_exception THEN NULL;
             END;
           END LOOP;
         END $$",
    );
    assert_eq!(
        log(&mut db, "left(op, 1), key").split_off(4),
        ["U | 1", "U | 2", "U | 3", "U | 4", "I | 101", "I | 103"]
    );
}

/// Each commit of a procedure is a transaction of its own, with what was done in it and no more.
#[test]
fn procedures_that_commit_and_roll_back() {
    let mut db = db();
    db.exec(
        "CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ BEGIN
           FOR i IN 1..6 LOOP
             INSERT INTO t VALUES (i); PERFORM set_config('dbguard.actor', 'step ' || i, true);
             UPDATE t SET v = 'x' WHERE id = i;
             IF i % 3 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
           END LOOP;
         END $$",
    );
    let mut fresh = db.connect();
    fresh.exec("CALL work()");
    let expected = [
        "I | 1 | -",
        "U | 1 | step 1",
        "I | 2 | -",
        "U | 2 | step 2",
        "I | 4 | -",
        "U | 4 | step 4",
        "I | 5 | -",
        "U | 5 | step 5",
    ];
    assert_eq!(log(&mut db, "left(op, 1), key, coalesce(actor, '-')"), expected);
    assert_eq!(db.value("SELECT count(DISTINCT xact) FROM dbguard.audit_log"), "4");
    // once more, with all it knows from the first time
    db.exec("DELETE FROM t");
    db.exec("CALL work()");
    db.exec("BEGIN; INSERT INTO t VALUES (9); COMMIT AND CHAIN; INSERT INTO t VALUES (10); ROLLBACK AND CHAIN; INSERT INTO t VALUES (11); COMMIT");
    let second = log(&mut db, "left(op, 1), key, coalesce(actor, '-')").split_off(8 + 4);
    assert_eq!(second[..8], expected);
    assert_eq!(second[8..], ["I | 9 | -", "I | 11 | -"]);
}

#[test]
fn referential_actions_of_every_kind_within_one_table() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE tree (id int PRIMARY KEY,
           up int REFERENCES tree ON DELETE CASCADE ON UPDATE CASCADE,
           side int REFERENCES tree ON DELETE SET NULL ON UPDATE CASCADE,
           def int DEFAULT 1 REFERENCES tree ON DELETE SET DEFAULT ON UPDATE CASCADE);
         SELECT dbguard.audit_enable('tree');
         INSERT INTO tree VALUES (1, NULL, NULL, NULL), (2, 1, 1, 1), (3, 2, 2, 2), (4, 3, 3, 3), (5, 5, 2, 2)",
    );
    let changes = |db: &mut Db, from: usize| log(db, "left(op, 1), key, old_key, old, new").split_off(from);
    db.exec("UPDATE tree SET id = 20 WHERE id = 2");
    let mut moved = changes(&mut db, 5);
    assert_eq!(moved[0], r#"U | 20 | 2 | {"id": 2} | {"id": 20}"#);
    moved.sort();
    assert_eq!(
        moved,
        [
            r#"U | 20 | 2 | {"id": 2} | {"id": 20}"#,
            r#"U | 3 | <null> | {"def": 2} | {"def": 20}"#,
            r#"U | 3 | <null> | {"side": 2} | {"side": 20}"#,
            r#"U | 3 | <null> | {"up": 2} | {"up": 20}"#,
            r#"U | 5 | <null> | {"def": 2} | {"def": 20}"#,
            r#"U | 5 | <null> | {"side": 2} | {"side": 20}"#,
        ]
    );
    db.exec("DELETE FROM tree WHERE id = 20");
    let mut gone = changes(&mut db, 11);
    // a parent before its children
    assert_eq!(
        gone.iter().filter(|c| c.starts_with('D')).map(|c| &c[4..6]).collect::<Vec<_>>(),
        ["20", "3 ", "4 "]
    );
    gone.sort();
    assert_eq!(
        gone,
        [
            r#"D | 20 | <null> | {"id": 20, "up": 1, "def": 1, "side": 1} | <null>"#,
            r#"D | 3 | <null> | {"id": 3, "up": 20, "def": 20, "side": 20} | <null>"#,
            r#"D | 4 | <null> | {"id": 4, "up": 3, "def": 3, "side": 3} | <null>"#,
            r#"U | 5 | <null> | {"def": 20} | {"def": 1}"#,
            r#"U | 5 | <null> | {"side": 20} | {"side": null}"#,
        ]
    );
    assert_eq!(
        db.lines("SELECT * FROM tree ORDER BY id"),
        ["1 | <null> | <null> | <null>", "5 | 5 | <null> | 1"]
    );
}

#[test]
fn a_referenced_row_that_moves_takes_its_children_along() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
         CREATE TABLE c (id int PRIMARY KEY, pid int, pk int, FOREIGN KEY (pid, pk) REFERENCES p ON UPDATE CASCADE ON DELETE CASCADE);
         CREATE TABLE cp (id int, pid int, pk int, PRIMARY KEY (id, pk), FOREIGN KEY (pid, pk) REFERENCES p ON UPDATE CASCADE) PARTITION BY LIST (pk);
         CREATE TABLE cp1 PARTITION OF cp FOR VALUES IN (1); CREATE TABLE cp2 PARTITION OF cp DEFAULT;
         SELECT dbguard.audit_enable('p'), dbguard.audit_enable('c'), dbguard.audit_enable('cp');
         INSERT INTO p VALUES (1, 1, 'a'); INSERT INTO c VALUES (10, 1, 1); INSERT INTO cp VALUES (20, 1, 1);
         UPDATE p SET k = 2",
    );
    assert_eq!(
        log(&mut db, "left(op, 1), table_name, key, old_key, old, new").split_off(3),
        [
            r#"U | p | {"k": 2, "id": 1} | {"k": 1, "id": 1} | {"k": 1} | {"k": 2}"#,
            r#"U | c | 10 | <null> | {"pk": 1} | {"pk": 2}"#,
            // and moved itself by that
            r#"U | cp | {"id": 20, "pk": 2} | {"id": 20, "pk": 1} | {"pk": 1} | {"pk": 2}"#,
        ]
    );
    assert_eq!(db.value("SELECT tableoid::regclass FROM cp"), "cp2");
}

#[test]
fn truncate_of_several_tables_and_what_refers_to_them() {
    let mut db = db();
    db.exec(
        "CREATE TABLE child (id int PRIMARY KEY REFERENCES t); CREATE TABLE heir () INHERITS (t); CREATE TABLE plain (id int REFERENCES t);
         SELECT dbguard.audit_enable('child'), dbguard.audit_enable('heir');
         INSERT INTO t VALUES (1); INSERT INTO child VALUES (1); INSERT INTO heir VALUES (2)",
    );
    db.exec("BEGIN; TRUNCATE t CASCADE; ROLLBACK");
    db.exec("TRUNCATE ONLY t CASCADE");
    assert_eq!(log(&mut db, "left(op, 1), table_name").split_off(3), ["T | t", "T | child"]);
    db.exec("TRUNCATE t, child, plain RESTART IDENTITY");
    let mut all = log(&mut db, "left(op, 1), table_name").split_off(5);
    all.sort();
    assert_eq!(all, ["T | child", "T | heir", "T | t"]);
}

/// What waits for the end of the transaction is logged when it happens, and only if it stays.
#[test]
fn constraint_triggers_made_immediate_and_taken_back() {
    let mut db = db();
    db.exec(
        "CREATE TABLE note (id int PRIMARY KEY); SELECT dbguard.audit_enable('note');
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO note VALUES (NEW.id); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()",
    );
    // a session that knows nothing of us yet, at its end and in its middle
    let mut fresh = db.connect();
    fresh.exec("BEGIN; INSERT INTO t VALUES (1); COMMIT");
    let mut fresh = db.connect();
    fresh.exec(
        "BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s; INSERT INTO t VALUES (3); SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO s;
         INSERT INTO t VALUES (4); SET CONSTRAINTS ALL IMMEDIATE; INSERT INTO t VALUES (5); COMMIT",
    );
    assert_eq!(
        log(&mut db, "table_name, key"),
        ["t | 1", "note | 1", "t | 2", "t | 4", "note | 2", "note | 4", "t | 5", "note | 5"]
    );
    assert_eq!(
        db.error("BEGIN; INSERT INTO note VALUES (6); INSERT INTO t VALUES (6); COMMIT").code,
        "23505"
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE key = '6'"), "0");
}

/// An error says what the server says of it, with the names that programs read.
#[test]
fn an_error_of_the_server_stays_whole() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int CONSTRAINT of_p REFERENCES p, x int);
         SELECT dbguard.audit_enable('p'), dbguard.audit_enable('c');
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, -1)",
    );
    for (statement, table, constraint) in [
        ("INSERT INTO c VALUES (2, 2, 0)", "c", "of_p"),
        ("DELETE FROM p", "c", "of_p"),
        ("COPY c FROM PROGRAM 'echo 3,3,3' (FORMAT csv)", "c", "of_p"),
        ("ALTER TABLE c ADD CONSTRAINT pos CHECK (x > 0)", "c", "pos"),
        ("INSERT INTO c VALUES (1, 1, 1)", "c", "c_pkey"),
    ] {
        let e = db.client().simple_query(statement).unwrap_err();
        let e = e.as_db_error().unwrap();
        assert_eq!((e.table(), e.constraint()), (Some(table), Some(constraint)), "{statement}");
    }
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "2");
}

/// After an error that leaps out of statements within statements.
#[test]
fn times_are_in_order_after_an_error_deep_within() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int PRIMARY KEY REFERENCES t);
         SELECT dbguard.audit_enable('t'), dbguard.audit_enable('u');
         CREATE FUNCTION deeper() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
           BEGIN
             INSERT INTO u VALUES (NEW.id + 1000);
           EXCEPTION WHEN foreign_key_violation THEN
             INSERT INTO u VALUES (NEW.id);
           END;
           RETURN NULL;
         END $$;
         CREATE TRIGGER deeper AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION deeper();
         INSERT INTO t SELECT i FROM generate_series(1, 5) i;
         INSERT INTO t SELECT i FROM generate_series(6, 9) i",
    );
    // the rows of a statement have one time, those its triggers made later ones
    let times =
        "SELECT table_name, count(*), count(DISTINCT at) FROM dbguard.audit_log GROUP BY 1 ORDER BY 1";
    assert_eq!(db.lines(times), ["t | 9 | 2", "u | 9 | 9"]);
    assert_eq!(
        db.value(
            "SELECT count(*) FROM dbguard.audit_log t JOIN dbguard.audit_log u ON u.key = t.key AND u.table_name = 'u'
             WHERE t.table_name = 't' AND u.at <= t.at"
        ),
        "0"
    );
    assert_eq!(db.value("SELECT count(DISTINCT at) FROM dbguard.audit_log WHERE table_name = 't'"), "2");
}
