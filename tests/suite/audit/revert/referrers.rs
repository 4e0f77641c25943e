//! What refers to a row that is to be deleted.

use dbguard_tests::Db;

const PLAN: &str = "SELECT table_name, key, action, conflict FROM dbguard.audit_revert_plan(";

/// A parent made in one transaction, and children put under it in another.
fn family(action: &str) -> (Db<'static>, String) {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE p (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('p');
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p {action}); SELECT dbguard.audit_enable('c');
         CREATE TABLE g (id int PRIMARY KEY, c int REFERENCES c ON DELETE CASCADE)"
    ));
    db.exec("INSERT INTO p VALUES (1, 1), (2, 1)");
    let xact = db.value("SELECT max(xact::text) FROM dbguard.audit_log");
    (db, xact)
}

#[test]
fn rows_that_would_go_along_are_a_conflict() {
    for (action, why) in [
        ("ON DELETE CASCADE", "2 rows of table \"c\" refer to it: they would be deleted with it"),
        ("ON DELETE SET NULL", "2 rows of table \"c\" refer to it: they would be changed with it"),
        ("ON DELETE SET DEFAULT", "2 rows of table \"c\" refer to it: they would be changed with it"),
        ("", "2 rows of table \"c\" refer to it"),
    ] {
        let (mut db, xact) = family(action);
        db.exec("INSERT INTO c VALUES (1, 1), (2, 1)");
        assert_eq!(
            db.lines(&format!("{PLAN}xact => '{xact}') ORDER BY key")),
            [format!("p | 1 | DELETE | {why}"), "p | 2 | DELETE | <null>".to_owned()],
            "{action}"
        );
        let error = db.error(&format!("SELECT * FROM dbguard.audit_revert(xact => '{xact}')"));
        assert_eq!(
            (error.code.as_str(), error.detail.as_str()),
            ("55000", &*format!("Table \"p\" key 1: {why}."))
        );
        db.exec(&format!("SELECT * FROM dbguard.audit_revert(xact => '{xact}', on_conflict => 'skip')"));
        assert_eq!(db.lines("SELECT id FROM p"), ["1"]);
        assert_eq!(db.lines("SELECT id, p FROM c ORDER BY id"), ["1 | 1", "2 | 1"]);
    }
}

#[test]
fn force_takes_them_along_where_the_foreign_key_does() {
    for (action, left) in [("ON DELETE CASCADE", vec![]), ("ON DELETE SET NULL", vec!["1 | <null>"])] {
        let (mut db, xact) = family(action);
        db.exec("INSERT INTO c VALUES (1, 1)");
        let note = db.value(&format!(
            "SELECT note FROM dbguard.audit_revert(xact => '{xact}', on_conflict => 'force') WHERE key = '1'"
        ));
        assert!(note.starts_with("forced: 1 row of table \"c\" refers to it"), "{note}");
        assert_eq!(db.lines("SELECT id, p FROM c"), left);
    }
}

#[test]
fn rows_that_are_undone_too_are_none() {
    for action in ["ON DELETE CASCADE", "ON DELETE SET NULL", ""] {
        let (mut db, _) = family(action);
        let since = db.value("SELECT clock_timestamp()");
        db.exec("INSERT INTO p VALUES (3, 1), (4, 1)");
        db.exec("INSERT INTO c VALUES (1, 3), (2, 2), (3, 2)");
        db.exec("UPDATE c SET p = 3 WHERE id = 2");
        let since = format!("since => '{since}'");
        let conflicts = format!("SELECT count(conflict) FROM dbguard.audit_revert_plan({since})");
        assert_eq!(db.value(&conflicts), "0", "{action}");
        // only the move of 2 away from 3, and what came after it
        let other = db.value("SELECT count(*) FROM c WHERE p = 3");
        assert_eq!(other, "2");
        db.exec(&format!("SELECT * FROM dbguard.audit_revert({since})"));
        assert_eq!(db.lines("SELECT id FROM p ORDER BY 1"), ["1", "2"], "{action}");
        assert_eq!(db.value("SELECT count(*) FROM c"), "0", "{action}");
    }
}

#[test]
fn a_row_that_stays_keeps_the_row_it_refers_to() {
    let (mut db, _) = family("ON DELETE CASCADE");
    let since = db.value("SELECT clock_timestamp()");
    db.exec("INSERT INTO p VALUES (3, 1); INSERT INTO c VALUES (1, 3)");
    // not audited
    db.exec("INSERT INTO g VALUES (1, 1)");
    assert_eq!(
        db.lines(&format!("{PLAN}since => '{since}') ORDER BY 1")),
        [
            "c | 1 | DELETE | 1 row of table \"g\" refers to it: it would be deleted with it",
            "p | 3 | DELETE | 1 row of table \"c\" refers to it: it would be deleted with it"
        ]
    );
    db.exec(&format!("SELECT * FROM dbguard.audit_revert(since => '{since}', on_conflict => 'skip')"));
    assert_eq!(
        db.lines("SELECT p.id, c.id, g.id FROM p JOIN c ON c.p = p.id JOIN g ON g.c = c.id"),
        ["3 | 1 | 1"]
    );
}

#[test]
fn partitions_odd_names_other_unique_keys_and_tables_the_caller_may_not_see() {
    let mut db = Db::new();
    let mut clerk = db.connect_as("revert_clerk");
    db.exec(
        "CREATE TABLE \"P\"\"x\" (\"i d\" int PRIMARY KEY, \"C o\" text UNIQUE, n numeric, UNIQUE (\"C o\", n));
         SELECT dbguard.audit_enable('\"P\"\"x\"');
         CREATE TABLE \"k i d\" (a int, b text REFERENCES \"P\"\"x\" (\"C o\") ON DELETE CASCADE, PRIMARY KEY (a)) PARTITION BY RANGE (a);
         CREATE TABLE k1 PARTITION OF \"k i d\" FOR VALUES FROM (0) TO (10);
         CREATE TABLE two (b text, n numeric, FOREIGN KEY (b, n) REFERENCES \"P\"\"x\" (\"C o\", n) ON DELETE CASCADE);
         GRANT ALL ON \"P\"\"x\" TO revert_clerk; GRANT SELECT ON dbguard.audit_log TO revert_clerk",
    );
    clerk.exec("INSERT INTO \"P\"\"x\" VALUES (1, 'a', 1.0), (2, 'b', 2.00), (3, 'c', 3)");
    db.exec("INSERT INTO \"k i d\" VALUES (1, 'a'), (2, 'a'); INSERT INTO two VALUES ('b', 2)");
    assert_eq!(
        clerk.lines(
            "SELECT key, conflict FROM dbguard.audit_revert_plan(actor => NULL, since => '-infinity') ORDER BY key"
        ),
        [
            "1 | 2 rows of table \"k i d\" refer to it: they would be deleted with it",
            "2 | 1 row of table \"two\" refers to it: it would be deleted with it",
            "3 | <null>"
        ]
    );
    assert_eq!(clerk.error("SELECT * FROM two").code, "42501");
}
