//! Foreign keys, unique values, cascades.

use super::{all, plan, revert, transaction};
use dbguard_tests::Db;

/// Does `changes` in a transaction, undoes it, and does and undoes that again: all as before each time.
#[track_caller]
fn there_and_back(db: &mut Db, tables: &[&str], changes: &str) {
    let state = |db: &mut Db| tables.iter().map(|t| all(db, t)).collect::<Vec<_>>();
    let before = state(db);
    let x = transaction(db, changes);
    let after = state(db);
    assert_ne!(before, after, "{changes}");
    let y = transaction(db, &format!("SELECT FROM dbguard.audit_revert(xact => '{x}')"));
    assert_eq!(state(db), before, "{changes}");
    let z = transaction(db, &format!("SELECT FROM dbguard.audit_revert(xact => '{y}')"));
    assert_eq!(state(db), after, "again: {changes}");
    revert(db, &format!("xact => '{z}'"));
    assert_eq!(state(db), before, "back again: {changes}");
}

fn family(action: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE p (id int PRIMARY KEY, name text UNIQUE);
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p {action}, v int);
         CREATE TABLE g (id int PRIMARY KEY, c int REFERENCES c {action}, v int);
         INSERT INTO p SELECT i, 'p' || i FROM generate_series(1, 10) i;
         INSERT INTO c SELECT i, i % 10 + 1, 0 FROM generate_series(1, 40) i;
         INSERT INTO g SELECT i, i % 40 + 1, 0 FROM generate_series(1, 80) i;
         SELECT dbguard.audit_enable('p'); SELECT dbguard.audit_enable('c'); SELECT dbguard.audit_enable('g')"
    ));
    db
}

const FAMILY: &[&str] = &["p", "c", "g"];

#[test]
fn parents_and_children() {
    let mut db = family("");
    for changes in [
        "INSERT INTO p VALUES (11, 'x'); INSERT INTO c VALUES (41, 11, 1); INSERT INTO g VALUES (81, 41, 1)",
        "DELETE FROM g; DELETE FROM c; DELETE FROM p",
        "DELETE FROM g WHERE c IN (SELECT id FROM c WHERE p = 1); DELETE FROM c WHERE p = 1; DELETE FROM p WHERE id = 1",
        // children move to a new parent, the old one goes
        "INSERT INTO p VALUES (11, 'x'); UPDATE c SET p = 11 WHERE p = 2; DELETE FROM p WHERE id = 2",
        // and are changed before and after
        "UPDATE p SET name = 'y' WHERE id = 2; INSERT INTO p VALUES (11, 'x'); UPDATE c SET p = 11 WHERE p = 2; UPDATE p SET name = 'z' WHERE id = 11;
         DELETE FROM p WHERE id = 2; INSERT INTO p VALUES (12, 'y'); UPDATE c SET p = 12 WHERE p = 11; DELETE FROM p WHERE id = 11; UPDATE c SET v = 1 WHERE p = 12",
    ] {
        there_and_back(&mut db, FAMILY, changes);
    }
}

#[test]
fn cascades() {
    let mut db = family("ON DELETE CASCADE ON UPDATE CASCADE");
    for changes in [
        "DELETE FROM p WHERE id = 1",
        "DELETE FROM p",
        "UPDATE p SET id = 100 WHERE id = 1",
        "UPDATE p SET id = id + 100",
        "UPDATE c SET id = id + 100, v = 5; UPDATE p SET id = id + 100 WHERE id < 5; DELETE FROM p WHERE id = 101",
    ] {
        there_and_back(&mut db, FAMILY, changes);
    }
    let mut db = family("ON DELETE SET NULL");
    for changes in ["DELETE FROM p WHERE id = 1", "DELETE FROM p", "DELETE FROM c; DELETE FROM p"] {
        there_and_back(&mut db, FAMILY, changes);
    }
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p ON UPDATE CASCADE ON DELETE CASCADE, n int, v int, PRIMARY KEY (p, n));
         INSERT INTO p VALUES (1), (2); INSERT INTO c SELECT p, n, 0 FROM generate_series(1, 2) p, generate_series(1, 3) n;
         SELECT dbguard.audit_enable('p'); SELECT dbguard.audit_enable('c')",
    );
    for changes in [
        "UPDATE p SET id = 3 WHERE id = 1",
        "UPDATE c SET v = 1; UPDATE p SET id = id + 10; UPDATE c SET v = 2 WHERE n = 1",
    ] {
        there_and_back(&mut db, &["p", "c"], changes);
    }
}

#[test]
fn rows_that_refer_to_rows_of_their_own_table() {
    for action in ["", "ON DELETE CASCADE", "ON DELETE SET NULL", "DEFERRABLE"] {
        let mut db = Db::new();
        db.exec(&format!(
            "CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree {action}, v int);
             INSERT INTO tree SELECT i, nullif(i / 2, 0), 0 FROM generate_series(1, 31) i; SELECT dbguard.audit_enable('tree')"
        ));
        there_and_back(&mut db, &["tree"], "DELETE FROM tree");
        there_and_back(
            &mut db,
            &["tree"],
            "DELETE FROM tree WHERE id > 15; UPDATE tree SET v = 1; DELETE FROM tree WHERE id > 7",
        );
        there_and_back(&mut db, &["tree"], "INSERT INTO tree VALUES (32, 16), (33, 32); UPDATE tree SET up = 33 WHERE id = 31; UPDATE tree SET v = 1 WHERE id = 32");
        if action.contains("DELETE") {
            there_and_back(&mut db, &["tree"], "DELETE FROM tree WHERE id = 2");
        }
    }
}

#[test]
fn tables_that_refer_to_each_other() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a DEFERRABLE);
         ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE INITIALLY DEFERRED;
         SELECT dbguard.audit_enable('a'); SELECT dbguard.audit_enable('b');
         INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1",
    );
    there_and_back(&mut db, &["a", "b"], "SET CONSTRAINTS ALL DEFERRED; DELETE FROM a; DELETE FROM b");
    there_and_back(&mut db, &["a", "b"], "UPDATE a SET b = NULL; DELETE FROM b; DELETE FROM a");
    there_and_back(&mut db, &["a", "b"], "INSERT INTO a VALUES (2, 2); INSERT INTO b VALUES (2, 2)");
    // what was immediate is so afterwards
    let x = transaction(&mut db, "SET CONSTRAINTS ALL DEFERRED; DELETE FROM a; DELETE FROM b");
    db.exec("BEGIN");
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(db.error("INSERT INTO b VALUES (5, 5)").code, "23503");
    db.exec("ROLLBACK");
}

#[test]
fn unique_values_change_hands() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE u (id int PRIMARY KEY, code text UNIQUE, n int, EXCLUDE USING btree (n WITH =));
         INSERT INTO u VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3); SELECT dbguard.audit_enable('u')",
    );
    for changes in [
        "DELETE FROM u WHERE id = 1; INSERT INTO u VALUES (4, 'a', 1)",
        "DELETE FROM u WHERE id = 1; UPDATE u SET code = 'a', n = 1 WHERE id = 2",
        "UPDATE u SET code = 'x', n = 9 WHERE id = 1; UPDATE u SET code = 'a', n = 1 WHERE id = 2; UPDATE u SET code = 'b', n = 2 WHERE id = 1",
        "UPDATE u SET code = 'x' WHERE id = 1; INSERT INTO u VALUES (5, 'a', 5); DELETE FROM u WHERE id = 2; UPDATE u SET code = 'b' WHERE id = 3",
    ] {
        there_and_back(&mut db, &["u"], changes);
    }
}

#[test]
fn partitions() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE p2 (junk int, v text, k int NOT NULL, id int NOT NULL); ALTER TABLE p2 DROP COLUMN junk;
         ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
         CREATE TABLE ref (id int PRIMARY KEY, pid int, pk int, FOREIGN KEY (pid, pk) REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);
         INSERT INTO p VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 12, 'c'); INSERT INTO ref VALUES (1, 1, 1), (2, 3, 12);
         SELECT dbguard.audit_enable('p'); SELECT dbguard.audit_enable('ref')",
    );
    for changes in [
        "UPDATE p SET v = v || 'x'",
        "UPDATE p SET k = 11 WHERE id = 2",
        "UPDATE p2 SET v = 'direct'; DELETE FROM p1 WHERE id = 2; INSERT INTO p2 (id, k) VALUES (9, 19)",
        "UPDATE p SET k = k + 1 WHERE id = 3",
        "DELETE FROM p",
    ] {
        there_and_back(&mut db, &["p", "ref"], changes);
    }
    // a partition's changes are its root's
    let since = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE p1 SET v = 'direct' WHERE id = 1");
    let key = r#"{"id": 1, "k": 1}"#;
    assert_eq!(revert(&mut db, &format!("relation => 'p1', key => '{key}', since => '{since}'")), 1);
    assert_eq!(db.value("SELECT v FROM p WHERE id = 1"), "a");
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE bare (k int, v text) PARTITION BY LIST (k); CREATE TABLE b1 PARTITION OF bare FOR VALUES IN (1);
         CREATE TABLE b2 PARTITION OF bare FOR VALUES IN (2); SELECT dbguard.audit_enable('bare');
         INSERT INTO bare VALUES (1, 'a'), (1, 'a'), (2, 'a')",
    );
    there_and_back(&mut db, &["bare"], "UPDATE bare SET k = 2 WHERE k = 1");
    there_and_back(&mut db, &["bare"], "UPDATE bare SET v = 'b' WHERE k = 1; DELETE FROM bare WHERE k = 2");
}

#[test]
fn inheritance_is_not_followed() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE base (id int PRIMARY KEY, v int); CREATE TABLE heir () INHERITS (base);
         SELECT dbguard.audit_enable('base'); INSERT INTO base VALUES (1, 1); INSERT INTO heir VALUES (1, 1)",
    );
    let x = transaction(&mut db, "UPDATE ONLY base SET v = 2");
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(db.lines("SELECT tableoid::regclass, v FROM base ORDER BY 1"), ["base | 1", "heir | 1"]);
    let x = transaction(&mut db, "DELETE FROM ONLY base");
    assert_eq!(plan(&mut db, &format!("xact => '{x}'")), ["INSERT | base | 1 | {\"v\": 1, \"id\": 1}"]);
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(db.value("SELECT count(*) FROM ONLY base"), "1");
}

#[test]
fn triggers_fire() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA app; SET search_path = app; CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE seen (what text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (TG_OP || '' '' || current_schema); RETURN NULL; END';
         CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
         SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1), (2, 2)",
    );
    let x = transaction(&mut db, "UPDATE t SET v = 5 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 3); TRUNCATE seen");
    revert(&mut db, &format!("xact => '{x}'"));
    // under the caller's search_path, as for any write
    assert_eq!(db.lines("SELECT what FROM seen ORDER BY 1"), ["DELETE app", "INSERT app", "UPDATE app"]);
    // one that keeps a row from being changed is not passed over in silence
    db.exec(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER keep BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep()",
    );
    let x = transaction(&mut db, "INSERT INTO t VALUES (4, 4)");
    let error = db.error(&format!("SELECT * FROM dbguard.audit_revert(xact => '{x}')"));
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("55000", "0 of 1 rows of table \"t\" were changed")
    );
}
