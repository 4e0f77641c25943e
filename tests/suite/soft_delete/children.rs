//! Rows that refer to a deleted one: what the foreign key says of a DELETE holds.

use dbguard_tests::Db;

fn db(children: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE, deleted_at timestamptz);
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, deleted_at timestamptz);
         CREATE TABLE g (id int PRIMARY KEY, c int REFERENCES c ON DELETE CASCADE, gone timestamptz);
         INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (11, 1), (12, 1), (21, 2); INSERT INTO g VALUES (111, 11), (211, 21);
         SELECT dbguard.soft_delete_enable('g', 'gone', '{children}'), dbguard.soft_delete_enable('c', children => '{children}'), dbguard.soft_delete_enable('p', children => '{children}')"
    ));
    db
}

const LIVE: &str = "SELECT concat_ws(' ', (SELECT string_agg(id::text, ',' ORDER BY id) FROM p WHERE deleted_at IS NULL),
    (SELECT string_agg(id::text, ',' ORDER BY id) FROM c WHERE deleted_at IS NULL), (SELECT string_agg(id::text, ',' ORDER BY id) FROM g WHERE gone IS NULL))";

#[test]
fn they_go_and_come_back_with_it() {
    let mut db = db("follow");
    db.exec("DELETE FROM c WHERE id = 12");
    assert_eq!(db.client().execute("DELETE FROM p WHERE id = 1", &[]).unwrap(), 1);
    assert_eq!(db.value(LIVE), "2 21 211");
    assert_eq!(db.value("SELECT count(DISTINCT t) FROM (SELECT deleted_at FROM p WHERE id = 1 UNION ALL SELECT deleted_at FROM c WHERE id = 11 UNION ALL SELECT gone FROM g WHERE id = 111) x (t)"), "1");
    // what was deleted before stays so
    db.exec("UPDATE p SET deleted_at = NULL WHERE id = 1");
    assert_eq!(db.value(LIVE), "1,2 11,21 111,211");
    // and an UPDATE that deletes does the same
    db.exec("UPDATE p SET deleted_at = '2020-01-01' WHERE id = 2");
    assert_eq!(db.value(LIVE), "1 11 111");
    assert_eq!(db.value("SELECT gone = '2020-01-01' FROM g WHERE id = 211"), "t");
}

#[test]
fn or_stay() {
    let mut db = db("keep");
    db.exec("DELETE FROM p WHERE id = 1");
    assert_eq!(db.value(LIVE), "2 11,12,21 111,211");
}

/// Where the row a foreign key refers to is really gone, nothing may stay behind that refers to it.
#[test]
fn a_real_delete_takes_them_for_good() {
    for children in ["follow", "keep"] {
        let mut db = db(children);
        db.exec("DELETE FROM c WHERE id = 11; SET dbguard.hard_delete = on; DELETE FROM p WHERE id = 1");
        assert_eq!(db.value("SELECT string_agg(id::text, ',') FROM c"), "21");
        assert_eq!(db.value("SELECT string_agg(id::text, ',') FROM g"), "211");
        db.exec("RESET dbguard.hard_delete; SELECT dbguard.soft_delete_disable('p'); DELETE FROM p");
        assert_eq!(db.value("SELECT count(*) FROM c"), "0", "{children}");
        assert_eq!(db.value("SELECT count(*) FROM g"), "0", "{children}");
    }
}

#[test]
fn what_refuses_a_delete_refuses_this_one() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY, a int, b int, deleted_at timestamptz, UNIQUE (a, b));
         CREATE TABLE plain (id int, x int, y int, FOREIGN KEY (x, y) REFERENCES p (a, b) ON DELETE RESTRICT);
         CREATE TABLE soft (id int, p int REFERENCES p, deleted_at timestamptz);
         CREATE TABLE loose (id int, p int REFERENCES p ON DELETE SET NULL);
         INSERT INTO p VALUES (1, 10, 20), (2, 10, 21), (3, 11, 20), (4, NULL, 1);
         INSERT INTO plain VALUES (1, 10, 21), (2, NULL, 20); INSERT INTO soft VALUES (1, 1); INSERT INTO loose VALUES (1, 3), (2, 4);
         SELECT dbguard.soft_delete_enable('soft'), dbguard.soft_delete_enable('p', children => 'follow')",
    );
    let e = db.error("DELETE FROM p WHERE id = 2");
    assert_eq!(e.code, "23503");
    assert_eq!(
        e.message,
        "delete on table \"p\" violates foreign key constraint \"plain_x_y_fkey\" on table \"plain\""
    );
    assert_eq!(
        db.error("DELETE FROM p WHERE id = 1").detail,
        "The row is still referred to from table \"soft\"."
    );
    // those that are deleted are in nobody's way, and in one statement the order does not matter
    db.exec("DELETE FROM soft; DELETE FROM p WHERE id IN (1, 3, 4)");
    assert_eq!(db.value("SELECT string_agg(id::text, ',') FROM p WHERE deleted_at IS NULL"), "2");
    assert_eq!(db.value("SELECT string_agg(p::text, ',' ORDER BY id) FROM loose"), "3,4");
}

#[test]
fn a_tree_in_one_table() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t ON DELETE CASCADE, deleted_at timestamptz);
         INSERT INTO t VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, NULL), (6, 6);
         SELECT dbguard.soft_delete_enable('t', children => 'follow')",
    );
    let live = "SELECT string_agg(id::text, ',' ORDER BY id) FROM t WHERE deleted_at IS NULL";
    assert_eq!(db.client().execute("DELETE FROM t WHERE id IN (1, 2, 3)", &[]).unwrap(), 3);
    assert_eq!(db.value(live), "5,6");
    assert_eq!(db.lines("SELECT * FROM dbguard.soft_delete_restore('t', '2')"), ["t | 3"]);
    assert_eq!(db.value(live), "2,3,4,5,6");
    db.exec("DELETE FROM t WHERE id = 6");
    assert_eq!(db.value(live), "2,3,4,5");
}

#[test]
fn keys_and_columns_that_change_later() {
    let mut db = db("follow");
    db.exec("DELETE FROM p WHERE id = 1; SELECT dbguard.soft_delete_restore('p', '1')");
    // a table more, by another key and of another type
    db.exec(
        "CREATE TABLE d (code varchar REFERENCES p (code) ON DELETE CASCADE ON UPDATE CASCADE, deleted_at timestamptz);
         INSERT INTO d VALUES ('a'), ('b'); SELECT dbguard.soft_delete_enable('d'); ALTER TABLE p RENAME code TO \"Code\"; ALTER TABLE d RENAME code TO \"the.code\";
         DELETE FROM p WHERE id = 1",
    );
    assert_eq!(db.lines("SELECT \"the.code\" FROM d WHERE deleted_at IS NULL"), ["b"]);
    db.exec("SELECT dbguard.soft_delete_disable('c'); DELETE FROM p WHERE id = 2");
    assert_eq!(db.value(LIVE), "21 211");
    assert_eq!(
        db.value("SELECT problem FROM dbguard.soft_delete_status() WHERE \"table\" = 'p'::regclass"),
        "rows of \"c\" do not follow: soft delete is not enabled there"
    );
}

#[test]
fn types_that_differ() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY, deleted_at timestamptz);
         CREATE TABLE c (p int REFERENCES p ON DELETE CASCADE, deleted_at timestamp);
         SELECT dbguard.soft_delete_enable('c')",
    );
    let e = db.error("SELECT dbguard.soft_delete_enable('p', children => 'follow')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        (
            "42804",
            "column \"deleted_at\" of table \"c\" is of another type or precision than that of table \"p\""
        )
    );
    db.exec("SELECT dbguard.soft_delete_disable('c'); SELECT dbguard.soft_delete_enable('p', children => 'follow')");
    assert_eq!(db.error("SELECT dbguard.soft_delete_enable('c')").code, "42804");
    db.exec("ALTER TABLE c ALTER deleted_at TYPE timestamptz; SELECT dbguard.soft_delete_enable('c'); ALTER TABLE c ALTER deleted_at TYPE timestamp; INSERT INTO p VALUES (1)");
    assert_eq!(db.error("DELETE FROM p").code, "42804");
    assert_eq!(db.error("SELECT dbguard.soft_delete_enable('c', children => 'date')").code, "22023");
    // a time that a child would round is not the same; one that the parent rounds is
    db.exec("ALTER TABLE c ALTER deleted_at TYPE timestamptz(0)");
    assert_eq!(db.error("DELETE FROM p").code, "42804");
    assert_eq!(db.error("SELECT dbguard.soft_delete_enable('p', children => 'follow')").code, "42804");
    assert_eq!(db.error("SELECT dbguard.soft_delete_enable('c')").code, "42804");
    db.exec(
        "CREATE DOMAIN seconds AS timestamptz(0); ALTER TABLE c ALTER deleted_at TYPE timestamptz; SELECT dbguard.soft_delete_disable('p'); ALTER TABLE p ALTER deleted_at TYPE seconds; SELECT dbguard.soft_delete_enable('p', children => 'follow');
         INSERT INTO c VALUES (1); DELETE FROM p; SELECT dbguard.soft_delete_restore('p', '1')",
    );
    assert_eq!(
        db.value(
            "SELECT count(*) FROM p JOIN c ON p.id = c.p WHERE p.deleted_at IS NULL AND c.deleted_at IS NULL"
        ),
        "1"
    );
    db.exec("CREATE TABLE d (id int PRIMARY KEY, deleted_at date)");
    assert_eq!(db.error("SELECT dbguard.soft_delete_enable('d', children => 'follow')").code, "42804");
}

/// A trigger made by hand, without the column's name.
#[test]
fn a_child_with_a_trigger_made_by_hand() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY, deleted_at timestamptz); CREATE TABLE c (p int REFERENCES p ON DELETE CASCADE, deleted_at timestamptz);
         CREATE TRIGGER h BEFORE DELETE ON c FOR EACH ROW EXECUTE FUNCTION dbguard.soft_delete();
         SELECT dbguard.soft_delete_enable('p', children => 'follow'); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1); DELETE FROM p",
    );
    assert_eq!(db.value("SELECT deleted_at IS NOT NULL FROM c"), "t");
}
