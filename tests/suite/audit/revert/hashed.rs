//! A value that is a keyed hash in the log is not known, like one that is masked: it never gets back
//! into the table.

use super::{all, plan, revert, transaction};
use dbguard_tests::Db;

/// A table with hashed columns, one of them no text.
fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "SET dbguard.redact_key = 'k';
         CREATE TABLE s (id int PRIMARY KEY, v int, name text, pin int DEFAULT 7);
         SELECT dbguard.audit_enable('s', redact => '{name,pin}', redact_with => 'hash');
         INSERT INTO s VALUES (1, 1, 's1', 11), (2, 2, 's2', 22), (3, 3, NULL, NULL), (4, 4, 's4', 44)",
    );
    db
}

#[test]
fn it_is_left_as_it_is_or_gets_its_default() {
    let mut db = db();
    let x = transaction(
        &mut db,
        "UPDATE s SET v = 10, name = 'x', pin = 12 WHERE id = 1; DELETE FROM s WHERE id = 2; UPDATE s SET name = 'y' WHERE id = 3",
    );
    db.exec("UPDATE s SET name = 'later' WHERE id = 1");
    let mut told = plan(&mut db, &format!("xact => '{x}'"));
    told.sort();
    assert_eq!(
        told,
        [
            "INSERT | s | 2 | {\"v\": 2, \"id\": 2} | note: column name is redacted in the log: set to NULL; column pin is redacted in the log: set to its default",
            "UPDATE | s | 1 | {\"v\": 1} | note: column name is redacted in the log: left as it is; column pin is redacted in the log: left as it is",
            "UPDATE | s | 3 | {\"name\": null}",
        ]
    );
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(all(&mut db, "s"), ["(1,1,later,12)", "(2,2,,7)", "(3,3,,)", "(4,4,s4,44)"]);
    // nothing but such a column
    let x = transaction(&mut db, "UPDATE s SET name = 'z' WHERE id = 4");
    assert_eq!(
        plan(&mut db, &format!("xact => '{x}'")),
        ["UPDATE | s | 4 | {} | conflict: nothing can be restored: column name is redacted in the log: left as it is"]
    );
}

#[test]
fn force_does_not_set_it_either() {
    let mut db = db();
    let since = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE s SET name = 'x', pin = 12, v = 9 WHERE id = 1; UPDATE s SET name = 'x' WHERE id = 2; DELETE FROM s WHERE id IN (1, 2)");
    revert(&mut db, &format!("relation => 's', since => '{since}', on_conflict => 'force'"));
    assert_eq!(all(&mut db, "s"), ["(1,1,,7)", "(2,2,,7)", "(3,3,,)", "(4,4,s4,44)"]);
    // over a row that is there again
    let x = transaction(&mut db, "DELETE FROM s WHERE id = 4");
    db.exec("INSERT INTO s VALUES (4, 5, 'mine', 55)");
    revert(&mut db, &format!("xact => '{x}', on_conflict => 'force'"));
    assert_eq!(db.lines("SELECT * FROM s WHERE id = 4"), ["4 | 4 | mine | 55"]);
    // a row that was inserted goes, whatever is in such a column
    let x = transaction(&mut db, "INSERT INTO s VALUES (5, 5, 'five', 5)");
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(db.value("SELECT count(*) FROM s WHERE id = 5"), "0");
}

#[test]
fn a_table_of_the_past_does_not_show_it() {
    let mut db = db();
    let then = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE s SET name = 'x', pin = 12 WHERE id = 1; DELETE FROM s WHERE id = 2; UPDATE s SET name = 'y' WHERE id = 3");
    assert_eq!(
        db.lines(&format!("SELECT * FROM dbguard.audit_as_of(NULL::s, '{then}') ORDER BY id")),
        ["1 | 1 | <null> | <null>", "2 | 2 | <null> | <null>", "3 | 3 | <null> | <null>", "4 | 4 | s4 | 44"]
    );
}
