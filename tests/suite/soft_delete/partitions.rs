//! Partitioned tables, and rows that move between partitions.

use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, k int, v text, deleted_at timestamptz, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
         CREATE TABLE t1 (deleted_at timestamptz, gone int, k int NOT NULL, v text, id int NOT NULL); ALTER TABLE t1 DROP COLUMN gone;
         ALTER TABLE t ATTACH PARTITION t1 FOR VALUES IN (1); SELECT dbguard.soft_delete_enable('t');
         CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2) PARTITION BY LIST (id); CREATE TABLE t2a PARTITION OF t2 DEFAULT;
         INSERT INTO t VALUES (1, 1), (2, 2), (3, 1), (4, 2)",
    );
    db
}

const ROWS: &str = "SELECT tableoid::regclass, id, deleted_at IS NOT NULL FROM t ORDER BY id";

#[test]
fn deletes_from_the_table_and_from_partitions() {
    let mut db = db();
    assert_eq!(db.client().execute("DELETE FROM t WHERE id <= 2", &[]).unwrap(), 2);
    assert_eq!(db.client().execute("DELETE FROM t1", &[]).unwrap(), 1);
    assert_eq!(db.client().execute("DELETE FROM t2a WHERE id = 4", &[]).unwrap(), 1);
    assert_eq!(db.lines(ROWS), ["t1 | 1 | t", "t2a | 2 | t", "t1 | 3 | t", "t2a | 4 | t"]);
}

#[test]
fn rows_that_move_are_not_deleted() {
    let mut db = db();
    db.exec("UPDATE t SET k = 3 - k");
    assert_eq!(db.lines(ROWS), ["t2a | 1 | f", "t1 | 2 | f", "t2a | 3 | f", "t1 | 4 | f"]);
    let merge = "MERGE INTO t USING generate_series(1, 4) s (id) ON t.id = s.id
                 WHEN MATCHED AND t.id % 2 = 1 THEN UPDATE SET k = 3 - k WHEN MATCHED THEN DELETE";
    assert_eq!(db.client().execute(merge, &[]).unwrap(), 4);
    assert_eq!(db.lines(ROWS), ["t1 | 1 | f", "t1 | 2 | t", "t1 | 3 | f", "t1 | 4 | t"]);
    db.exec("UPDATE t SET k = 2");
    assert_eq!(db.lines(ROWS), ["t2a | 1 | f", "t2a | 2 | t", "t2a | 3 | f", "t2a | 4 | t"]);
    // updated, and then deleted
    db.exec("UPDATE t SET v = 'x' WHERE id = 1; DELETE FROM t WHERE id = 1");
    assert_eq!(db.lines(ROWS)[0], "t2a | 1 | t");
    db.exec(
        "CREATE FUNCTION also() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM t WHERE id = 3; RETURN new; END';
         CREATE TABLE other (id int); CREATE TRIGGER also BEFORE UPDATE ON other FOR EACH ROW EXECUTE FUNCTION also();
         INSERT INTO other VALUES (1); UPDATE other SET id = 2",
    );
    assert_eq!(db.lines(ROWS)[2], "t2a | 3 | t");
}

#[test]
fn a_table_with_soft_delete_becomes_a_partition() {
    let mut db = db();
    db.exec(
        "CREATE TABLE t3 (LIKE t INCLUDING ALL); SELECT dbguard.soft_delete_enable('t3'); INSERT INTO t3 VALUES (5, 3); DELETE FROM t3 WHERE id = 6",
    );
    // its own trigger is in the way of the table's
    assert_eq!(db.error("ALTER TABLE t ATTACH PARTITION t3 FOR VALUES IN (3)").code, "42710");
    db.exec("SELECT dbguard.soft_delete_disable('t'); ALTER TABLE t ATTACH PARTITION t3 FOR VALUES IN (3)");
    let e = db.error("DELETE FROM t WHERE id = 5");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("55000", "\"t3\" has become a partition since soft delete was enabled")
    );
    assert_eq!(db.error("SELECT dbguard.soft_delete_enable('t3')").code, "42809");
    db.exec("ALTER TABLE t DETACH PARTITION t3; SELECT dbguard.soft_delete_disable('t3'); ALTER TABLE t ATTACH PARTITION t3 FOR VALUES IN (3); SELECT dbguard.soft_delete_enable('t')");
    db.exec("DELETE FROM t WHERE id = 5");
    assert_eq!(db.lines(ROWS)[4], "t3 | 5 | t");
    // a partition of its own takes the trigger's copy off
    db.exec("ALTER TABLE t DETACH PARTITION t1; DELETE FROM t1 WHERE id = 1");
    assert_eq!(db.value("SELECT count(*) FROM t1"), "1");
}

#[test]
fn children_of_partitioned_tables_and_partitioned_children() {
    let mut db = db();
    db.exec(
        "CREATE TABLE c (id int, tid int, tk int, deleted_at timestamptz, FOREIGN KEY (tid, tk) REFERENCES t ON DELETE CASCADE) PARTITION BY LIST (id);
         CREATE TABLE c1 PARTITION OF c FOR VALUES IN (1); CREATE TABLE c2 PARTITION OF c DEFAULT;
         INSERT INTO c VALUES (1, 1, 1), (2, 2, 2), (3, 3, 1), (4, NULL, 1);
         SELECT dbguard.soft_delete_enable('c'), dbguard.soft_delete_enable('t', children => 'follow');
         DELETE FROM t WHERE id = 1; DELETE FROM t2 WHERE id = 2",
    );
    let live = "SELECT string_agg(id::text, ',' ORDER BY id) FROM c WHERE deleted_at IS NULL";
    assert_eq!(db.value(live), "3,4");
    assert_eq!(
        db.lines("SELECT * FROM dbguard.soft_delete_restore('t', '{\"id\": 2, \"k\": 2}')"),
        ["t | 1", "c | 1"]
    );
    assert_eq!(db.value(live), "2,3,4");
    db.exec("SET dbguard.hard_delete = on; DELETE FROM t WHERE id IN (1, 3); RESET dbguard.hard_delete");
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM c"), "2,4");
    // the row referred to is there, and goes for good: by a plain foreign key at work
    db.exec("SELECT dbguard.soft_delete_disable('t'); DELETE FROM t WHERE id = 2");
    assert_eq!(db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM c"), "4");
}

/// An UPDATE that a trigger has suppressed is no move, though it was under way.
#[test]
fn an_update_that_does_not_happen() {
    let mut db = db();
    db.exec("CREATE TRIGGER z BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()");
    db.exec("WITH u AS (UPDATE t SET v = v WHERE id = 1 RETURNING 1) DELETE FROM t WHERE id = 1 AND (SELECT count(*) FROM u) >= 0");
    assert_eq!(db.lines(ROWS)[0], "t1 | 1 | t");
    // one that does, within a DELETE
    db.exec("WITH u AS (UPDATE t SET k = 2 WHERE id = 3 RETURNING 1) DELETE FROM t WHERE id = 2 AND (SELECT count(*) FROM u) >= 0");
    assert_eq!(db.lines(ROWS)[1..3], ["t2a | 2 | t", "t2a | 3 | f"]);
    // a trigger that comes later moves it
    db.exec(
        "CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.k := 1; RETURN NEW; END';
         DROP TRIGGER z ON t; CREATE TRIGGER z BEFORE UPDATE ON t2a FOR EACH ROW EXECUTE FUNCTION away(); UPDATE t SET v = 'x' WHERE id = 4",
    );
    assert_eq!(db.lines(ROWS)[3], "t1 | 4 | f");
}
