//! What others did meanwhile is never lost unasked.

use super::{all, plan, revert, transaction};
use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int); SELECT dbguard.audit_enable('t');
         INSERT INTO t SELECT i, 0, 0 FROM generate_series(1, 5) i",
    );
    db
}

/// Every kind of conflict, and one row without.
fn troubled(db: &mut Db) -> String {
    let x = transaction(
        db,
        "UPDATE t SET a = 1 WHERE id <= 3; DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (6, 6, 6), (7, 7, 7)",
    );
    db.exec(
        "UPDATE t SET a = 2 WHERE id = 1; UPDATE t SET b = 2 WHERE id = 2; DELETE FROM t WHERE id = 3;
         INSERT INTO t VALUES (4, 44, 44); UPDATE t SET b = 66 WHERE id = 6; DELETE FROM t WHERE id = 7",
    );
    x
}

#[test]
fn each_is_named() {
    let mut db = db();
    let x = troubled(&mut db);
    let mut told = plan(&mut db, &format!("xact => '{x}'"));
    told.sort();
    assert_eq!(
        told,
        [
            "DELETE | t | 6 | conflict: column \"b\" is 66, but the change left 6",
            "DELETE | t | 7 | conflict: row is gone or not visible",
            "INSERT | t | 4 | {\"a\": 0, \"b\": 0, \"id\": 4} | conflict: row is there already",
            "UPDATE | t | 1 | {\"a\": 0} | conflict: column \"a\" is 2, but the change left 1",
            "UPDATE | t | 2 | {\"a\": 0}",
            "UPDATE | t | 3 | {\"a\": 0} | conflict: row is gone or not visible",
        ]
    );
}

#[test]
fn by_default_nothing_is_done() {
    let mut db = db();
    let x = troubled(&mut db);
    let before = all(&mut db, "t");
    let error = db.error(&format!("SELECT * FROM dbguard.audit_revert(xact => '{x}')"));
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("55000", "cannot undo: 5 of 6 rows have conflicts")
    );
    assert!(
        error.detail.contains("Table \"t\" key 1: column \"a\" is 2, but the change left 1."),
        "{}",
        error.detail
    );
    assert!(error.hint.contains("'skip'"), "{}", error.hint);
    assert_eq!(all(&mut db, "t"), before);
}

#[test]
fn they_can_be_left_alone() {
    let mut db = db();
    let x = troubled(&mut db);
    assert_eq!(revert(&mut db, &format!("xact => '{x}', on_conflict => 'skip'")), 6);
    assert_eq!(all(&mut db, "t"), ["(1,2,0)", "(2,0,2)", "(4,44,44)", "(5,0,0)", "(6,6,66)"]);
}

#[test]
fn they_can_be_overridden() {
    let mut db = db();
    let x = troubled(&mut db);
    let mut told = plan(&mut db, &format!("xact => '{x}', on_conflict => 'force'"));
    told.sort();
    assert_eq!(
        told,
        [
            "DELETE | t | 6 | note: forced: column \"b\" is 66, but the change left 6",
            "DELETE | t | 7 | conflict: row is gone or not visible",
            "UPDATE | t | 1 | {\"a\": 0} | note: forced: column \"a\" is 2, but the change left 1",
            "UPDATE | t | 2 | {\"a\": 0}",
            "UPDATE | t | 3 | {\"a\": 0} | conflict: row is gone or not visible",
            "UPDATE | t | 4 | {\"a\": 0, \"b\": 0, \"id\": 4} | note: forced: row is there already",
        ]
    );
    assert_eq!(
        db.value(&format!("SELECT sql FROM dbguard.audit_revert_plan(xact => '{x}', on_conflict => 'force') WHERE key = '4'")),
        "UPDATE ONLY public.t SET id = 4, a = 0, b = 0 WHERE id = 4;"
    );
    revert(&mut db, &format!("xact => '{x}', on_conflict => 'force'"));
    assert_eq!(all(&mut db, "t"), ["(1,0,0)", "(2,0,2)", "(4,0,0)", "(5,0,0)"]);
}

#[test]
fn what_came_in_between_is_a_conflict() {
    let mut db = db();
    db.exec(
        "SET dbguard.actor = 'ann'; UPDATE t SET a = 1, b = 1 WHERE id = 1;
         SET dbguard.actor = 'bob'; UPDATE t SET a = 2 WHERE id = 1;
         SET dbguard.actor = 'ann'; UPDATE t SET a = 3 WHERE id = 1",
    );
    assert_eq!(
        plan(&mut db, "actor => 'ann'"),
        ["UPDATE | t | 1 | {\"a\": 0, \"b\": 0} | conflict: something that is not selected changed \"a\" in between"]
    );
    revert(&mut db, "actor => 'ann', on_conflict => 'force'");
    assert_eq!(all(&mut db, "t")[0], "(1,0,0)");
}

#[test]
fn the_same_instant_in_another_zone_is_no_conflict() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE z (id int PRIMARY KEY, at timestamptz, r tstzrange); SELECT dbguard.audit_enable('z');
         SET timezone = 'UTC'; INSERT INTO z VALUES (1, '2026-01-01 00:00Z', '[2026-01-01 00:00Z,)')",
    );
    let x = transaction(&mut db, "SET LOCAL timezone = 'Asia/Tokyo'; UPDATE z SET at = '2026-02-01 00:00Z', r = '[2026-02-01 00:00Z,)'");
    db.exec("SET timezone = 'America/Lima'");
    assert_eq!(revert(&mut db, &format!("xact => '{x}'")), 1);
    db.exec("SET timezone = 'UTC'");
    assert_eq!(db.lines("SELECT * FROM z"), ["1 | 2026-01-01 00:00:00+00 | [\"2026-01-01 00:00:00+00\",)"]);
}

#[test]
fn truncate_cannot_be_undone() {
    let mut db = db();
    let x = transaction(&mut db, "TRUNCATE t");
    assert_eq!(
        plan(&mut db, &format!("xact => '{x}'")),
        ["t | conflict: TRUNCATE cannot be undone: the log does not hold the rows it removed"]
    );
    assert_eq!(db.error(&format!("SELECT * FROM dbguard.audit_revert(xact => '{x}')")).code, "55000");
    assert_eq!(revert(&mut db, &format!("xact => '{x}', on_conflict => 'force'")), 1);
    assert_eq!(all(&mut db, "t"), Vec::<String>::new());
}

#[test]
fn two_sessions() {
    let mut db = db();
    let mut other = db.connect();
    let x = transaction(&mut db, "UPDATE t SET a = 1 WHERE id = 1");
    // the other session holds the row when the revert comes, and changes it
    other.exec("BEGIN; UPDATE t SET a = 9 WHERE id = 1");
    let mut third = db.connect();
    let waiting = std::thread::spawn(move || {
        third.error(&format!("SELECT * FROM dbguard.audit_revert(xact => '{x}')"))
    });
    while db.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) OR NOT granted AND locktype = 'transactionid'") == "0" {}
    other.exec("COMMIT");
    let error = waiting.join().unwrap();
    assert!(error.detail.contains("column \"a\" is 9, but the change left 1"), "{error:?}");
    // and a revert that has looked keeps others out until it is done
    let x = transaction(&mut db, "UPDATE t SET a = 2 WHERE id = 2");
    db.exec("BEGIN");
    revert(&mut db, &format!("xact => '{x}'"));
    other.exec("SET lock_timeout = '100ms'");
    assert_eq!(other.error("UPDATE t SET a = 3 WHERE id = 2").code, "55P03");
    db.exec("COMMIT");
}
