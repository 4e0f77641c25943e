//! Partitioned tables and inheritance.

use dbguard_tests::Db;

const LOG: &str = "SELECT op, table_name, key, new ->> 'v' FROM dbguard.audit_log ORDER BY id";

#[test]
fn partitions_log_under_the_name_of_their_root() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE later (extra int, v text, k int NOT NULL, id int NOT NULL, PRIMARY KEY (id, k));
         ALTER TABLE later DROP COLUMN extra;
         SELECT dbguard.audit_enable('p');
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (k);
         CREATE TABLE p2d PARTITION OF p2 DEFAULT;
         ALTER TABLE p ATTACH PARTITION later FOR VALUES FROM (20) TO (30);
         INSERT INTO p VALUES (1, 1, 'a'), (2, 11, 'b'), (3, 21, 'c');
         UPDATE p1 SET v = 'direct';
         UPDATE p2d SET v = 'deep';
         UPDATE later SET v = 'other column order'",
    );
    assert_eq!(
        db.lines(LOG),
        [
            r#"INSERT | p | {"k": 1, "id": 1} | a"#,
            r#"INSERT | p | {"k": 11, "id": 2} | b"#,
            r#"INSERT | p | {"k": 21, "id": 3} | c"#,
            r#"UPDATE | p | {"k": 1, "id": 1} | direct"#,
            r#"UPDATE | p | {"k": 11, "id": 2} | deep"#,
            r#"UPDATE | p | {"k": 21, "id": 3} | other column order"#,
        ]
    );
    assert_eq!(db.lines("SELECT \"table\" FROM dbguard.audit_status()"), ["p"]);
}

#[test]
fn a_row_that_moves_is_one_update() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
         SELECT dbguard.audit_enable('p');
         INSERT INTO p VALUES (1, 1, 'a'), (2, 2, 'b');
         UPDATE p SET k = 11 WHERE id = 1;
         MERGE INTO p USING (SELECT 2 AS id) s ON p.id = s.id WHEN MATCHED THEN UPDATE SET k = 12",
    );
    assert_eq!(
        db.lines("SELECT op, key, old_key, old, new FROM dbguard.audit_log ORDER BY id")[2..],
        [
            r#"UPDATE | {"k": 11, "id": 1} | {"k": 1, "id": 1} | {"k": 1} | {"k": 11}"#,
            r#"UPDATE | {"k": 12, "id": 2} | {"k": 2, "id": 2} | {"k": 2} | {"k": 12}"#,
        ]
    );
}

#[test]
fn a_renamed_root_is_noticed_in_its_partitions() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA s;
         CREATE TABLE s.p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES FROM (0) TO (10);
         SELECT dbguard.audit_enable('s.p');
         INSERT INTO s.p VALUES (1);
         ALTER TABLE s.p RENAME TO q;
         INSERT INTO s.q VALUES (2);
         ALTER SCHEMA s RENAME TO \"S 2\";
         INSERT INTO \"S 2\".q VALUES (3)",
    );
    assert_eq!(
        db.lines("SELECT schema_name, table_name, key FROM dbguard.audit_log ORDER BY id"),
        ["s | p | 1", "s | q | 2", "S 2 | q | 3"]
    );
}

#[test]
fn inheritance_children_are_tables_of_their_own() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE parent (id int PRIMARY KEY, v text);
         CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (parent);
         SELECT dbguard.audit_enable('parent'); SELECT dbguard.audit_enable('child');
         INSERT INTO child VALUES (1, 'a', 5);
         UPDATE parent SET v = 'b'",
    );
    assert_eq!(db.lines(LOG), ["INSERT | child | 1 | a", "UPDATE | child | 1 | b"]);
}

const LISTED: &str = "CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
     CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
     CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3); SELECT dbguard.audit_enable('p');
     CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
     CREATE TRIGGER refuse BEFORE INSERT ON p2 FOR EACH ROW WHEN (NEW.id % 2 = 0) EXECUTE FUNCTION refuse()";

/// Where a trigger of the partition it comes to keeps the row out, it is gone.
#[test]
fn a_row_that_leaves_and_does_not_arrive_is_deleted() {
    let mut db = Db::new();
    db.exec(&format!(
        "{LISTED}; INSERT INTO p VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 1, 'c'), (4, 1, 'd'); UPDATE p SET k = 2, v = v || '!'"
    ));
    let moves = "SELECT left(op, 1), key::jsonb->'id', old_key::jsonb->'k', new->>'v' FROM dbguard.audit_log ORDER BY at, id";
    assert_eq!(
        db.lines(moves)[4..],
        ["U | 1 | 1 | a!", "D | 2 | <null> | <null>", "U | 3 | 1 | c!", "D | 4 | <null> | <null>"]
    );
    // nor is it taken for what the same statement inserts before
    db.exec("INSERT INTO p VALUES (6, 1, 'f'); WITH u AS (UPDATE p SET k = 2 WHERE id = 6) INSERT INTO p VALUES (7, 3, 'g')");
    let mut both = db.lines(moves)[9..].to_vec();
    both.sort();
    assert_eq!(both, ["D | 6 | <null> | <null>", "I | 7 | <null> | g"]);
    assert_eq!(db.lines("SELECT id, k FROM p ORDER BY 1"), ["1 | 2", "3 | 2", "7 | 3"]);
}

/// The halves of each move find each other, however many there are and whatever is written meanwhile.
#[test]
fn thousands_of_rows_move_at_once() {
    for bulk in ["rows", "pack"] {
        let mut db = Db::new();
        db.exec(&format!(
            "{LISTED}; SELECT dbguard.audit_enable('p', bulk => '{bulk}');
             INSERT INTO p SELECT i, 1 + 2 * (i % 2), repeat('x', i % 900) FROM generate_series(1, 3500) i"
        ));
        // also in a session that did not know of the log when the statement began
        let mut fresh = db.connect();
        fresh.exec("UPDATE p SET k = 4 - k");
        db.exec("UPDATE p SET k = 4 - k, v = 'twice'");
        assert_eq!(
            db.lines(
                "SELECT op, new ? 'v', count(*), count(DISTINCT key), bool_and(key::jsonb->'k' = new->'k' AND old_key::jsonb->'k' = old->'k')
                 FROM dbguard.audit_log GROUP BY 1, 2 ORDER BY 1, 2"
            ),
            ["INSERT | t | 3500 | 3500 | <null>", "UPDATE | f | 3500 | 3500 | t", "UPDATE | t | 3500 | 3500 | t"],
            "{bulk}"
        );
    }
}

#[test]
fn copy_and_conflicts_in_partitions() {
    let mut db = Db::new();
    db.exec(LISTED);
    db.exec("BEGIN");
    for (target, lines) in [("p", "1\t1\ta\n3\t3\tc\n8\t2\tkept out\n"), ("p1", "5\t1\te\n")] {
        let mut copy = db.client().copy_in(&format!("COPY {target} FROM STDIN")).unwrap();
        std::io::Write::write_all(&mut copy, lines.as_bytes()).unwrap();
        copy.finish().unwrap();
    }
    let seen =
        "SELECT left(op, 1), key::jsonb->'id', old->>'v', new->>'v' FROM dbguard.audit_log ORDER BY at, id";
    let copied = ["I | 1 | <null> | a", "I | 3 | <null> | c", "I | 5 | <null> | e"];
    // by the transaction itself, before it ends
    assert_eq!(db.lines(seen), copied);
    db.exec("COMMIT; INSERT INTO p VALUES (1, 1, 'again'), (7, 1, 'new') ON CONFLICT (id, k) DO UPDATE SET v = excluded.v");
    assert_eq!(db.lines(seen)[3..], ["U | 1 | a | again", "I | 7 | <null> | new"]);
}

/// A row that leaves and does not arrive, and right after it one that the same MERGE inserts elsewhere: the
/// server tells a trigger nothing that tells this from one row that moves. What the table holds is told right.
#[test]
fn a_row_that_does_not_arrive_and_one_the_same_merge_inserts_look_like_one() {
    let mut db = Db::new();
    db.exec(&format!("{LISTED}; INSERT INTO p VALUES (8, 1, 'eight')"));
    db.exec(
        "MERGE INTO p USING (VALUES (8), (11)) s(i) ON p.id = s.i
           WHEN MATCHED THEN UPDATE SET k = 2 WHEN NOT MATCHED THEN INSERT VALUES (s.i, 3, 'eleven')",
    );
    assert_eq!(db.lines("TABLE p"), ["11 | 3 | eleven"]);
    assert_eq!(
        db.lines("SELECT left(op, 1), old_key::jsonb->'id', key::jsonb->'id', old->>'v', new->>'v' FROM dbguard.audit_log ORDER BY at, id")
            [1..],
        ["U | 8 | 11 | eight | eleven"]
    );
}
