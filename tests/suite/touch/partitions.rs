//! Rows that move from one partition to another.

use dbguard_tests::Db;

/// Partitions of different layouts, one of them partitioned itself.
const TABLE: &str = "
    CREATE TABLE p (id int, k int, v text, created_at timestamptz, created_by text, updated_by text, updated_at timestamptz, version int) PARTITION BY LIST (k);
    CREATE TABLE p1 (version int, created_by text, k int, gone int, id int, v text, updated_by text, created_at timestamptz, updated_at timestamptz);
    ALTER TABLE p1 DROP COLUMN gone;
    ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);
    CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY LIST (k); CREATE TABLE p2a PARTITION OF p2 DEFAULT;
    CREATE TABLE p3 PARTITION OF p DEFAULT";

#[test]
fn a_row_that_moves_is_no_new_row() {
    let mut db = Db::new();
    db.exec(TABLE);
    db.exec(
        "SELECT dbguard.touch_enable('p', what => 'created_at', options => '{given=overwrite}'), dbguard.touch_enable('p', what => 'created_by', options => '{change=error}'),
                dbguard.touch_enable('p', what => 'updated_by', options => '{ignore=k}'), dbguard.touch_enable('p', what => 'version');
         SET dbguard.actor = 'ann'; INSERT INTO p (id, k) VALUES (1, 1), (2, 2), (3, 3)",
    );
    let rows = "SELECT tableoid::regclass, id, created_by, updated_by, version FROM p ORDER BY id";
    let made = "SELECT count(DISTINCT created_at) FROM p";
    db.exec("SET dbguard.actor = 'bob'; UPDATE p SET k = k % 3 + 1");
    assert_eq!(
        db.lines(rows),
        ["p2a | 1 | ann | ann | 2", "p3 | 2 | ann | ann | 2", "p1 | 3 | ann | ann | 2"]
    );
    db.exec("UPDATE p SET k = k % 3 + 1, v = 'x'");
    assert_eq!(
        db.lines(rows),
        ["p3 | 1 | ann | bob | 3", "p1 | 2 | ann | bob | 3", "p2a | 3 | ann | bob | 3"]
    );
    db.exec("MERGE INTO p USING (VALUES (1)) s (id) ON p.id = s.id WHEN MATCHED THEN UPDATE SET k = 1");
    assert_eq!(db.value(made), "1");
    assert_eq!(db.lines(rows)[0], "p1 | 1 | ann | bob | 4");
    // a row that is new in the same statement is new
    db.exec("WITH u AS (UPDATE p SET v = 'y' WHERE id = 1 RETURNING id) INSERT INTO p (id, k) SELECT id + 100, 1 FROM u");
    assert_eq!(db.lines(rows)[3], "p1 | 101 | bob | bob | 1");
    db.exec("RESET dbguard.actor; UPDATE p SET k = 3 WHERE id = 101");
    assert_eq!(db.lines(rows)[3], "p3 | 101 | bob | bob | 2");
}

#[test]
fn updated_at_moves_along() {
    let mut db = Db::new();
    db.exec(TABLE);
    db.exec("SELECT dbguard.touch_enable('p', options => '{ignore=k}'); INSERT INTO p (id, k, updated_at) VALUES (1, 1, '2000-01-01')");
    db.exec("UPDATE p SET k = 2");
    assert_eq!(db.value("SELECT updated_at = '2000-01-01' FROM p2a"), "t");
    db.exec("UPDATE p SET k = 1, v = 'x'");
    assert_eq!(db.value("SELECT updated_at > '2020-01-01' FROM p1"), "t");
}
