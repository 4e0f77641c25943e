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
