//! bump_version: optimistic locking.

use dbguard_tests::Db;
use std::thread;
use std::time::Duration;

fn db(kind: &str, options: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, v text, seen int, version {kind});
         SELECT dbguard.touch_enable('t', what => 'version', options => '{options}'); INSERT INTO t VALUES (1, 'a'); INSERT INTO t VALUES (2, 'b', 0, 9)"
    ));
    db
}

const VERSIONS: &str = "SELECT string_agg(coalesce(version::text, '-'), ',' ORDER BY id) FROM t";

#[test]
fn one_more_at_every_change() {
    let mut db = db("int", "{ignore=seen}");
    assert_eq!(db.value(VERSIONS), "1,9");
    db.exec(
        "UPDATE t SET v = 'x'; UPDATE t SET v = v, seen = 3; UPDATE t SET v = 'y', version = 2 WHERE id = 1",
    );
    assert_eq!(db.value(VERSIONS), "3,10");
    assert_eq!(db.value("UPDATE t SET v = 'z' WHERE id = 1 RETURNING version"), "4");
    db.exec(
        "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET v = 'c';
             MERGE INTO t USING (VALUES (2)) s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 'm'",
    );
    assert_eq!(db.value(VERSIONS), "5,11");
}

#[test]
fn another_version_than_the_stored_one() {
    let mut db = db("bigint", "{}");
    for given in ["7", "10"] {
        let e = db.error(&format!("UPDATE t SET v = 'x', version = {given} WHERE id = 2"));
        assert_eq!(
            (e.code.as_str(), e.message),
            ("40001", format!("row of relation \"t\" has version 9, not {given}"))
        );
        assert!(!e.hint.is_empty());
    }
    assert_eq!(db.error("UPDATE t SET v = 'x', version = NULL WHERE id = 2").code, "22004");
    // nothing else changed: a stale reader all the same
    assert_eq!(db.error("UPDATE t SET version = 8 WHERE id = 2").code, "40001");
    assert_eq!(db.value(VERSIONS), "1,9");
    // libraries that count themselves
    db.exec("SELECT dbguard.touch_enable('t', what => 'version', options => '{next=accept}')");
    db.exec("UPDATE t SET v = 'x', version = version + 1 WHERE id = 2 AND version = 9; UPDATE t SET v = 'y' WHERE id = 2");
    assert_eq!(db.value(VERSIONS), "1,11");
    assert_eq!(db.error("UPDATE t SET v = 'x', version = version + 2 WHERE id = 2").code, "40001");
}

#[test]
fn two_sessions_at_once() {
    let mut db = db("int", "{}");
    let mut other = db.connect();
    // both have read version 9
    db.exec("BEGIN; UPDATE t SET v = 'mine', version = 9 WHERE id = 2");
    let waiting = thread::spawn(move || {
        let result = other.try_exec("UPDATE t SET v = 'theirs', version = 9 WHERE id = 2");
        result.err().map(|e| e.code)
    });
    thread::sleep(Duration::from_millis(300));
    db.exec("COMMIT");
    assert_eq!(waiting.join().unwrap(), Some("40001".to_owned()));
    assert_eq!(db.lines("SELECT v, version FROM t WHERE id = 2"), ["mine | 10"]);
}

#[test]
fn the_end_of_the_numbers_and_none() {
    let mut db = db("smallint", "{}");
    db.exec("UPDATE t SET version = 1 WHERE false; ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET version = CASE id WHEN 1 THEN 32767 END; ALTER TABLE t ENABLE TRIGGER ALL");
    let e = db.error("UPDATE t SET v = 'x' WHERE id = 1");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("22003", "column \"version\" of relation \"t\" is out of range")
    );
    db.exec("UPDATE t SET v = 'x' WHERE id = 2");
    assert_eq!(db.value(VERSIONS), "32767,1");
    db.exec("ALTER TABLE t ALTER version TYPE bigint; UPDATE t SET v = 'y'");
    assert_eq!(db.value(VERSIONS), "32768,2");
    db.exec("CREATE TABLE u (id int, version numeric)");
    assert_eq!(db.error("SELECT dbguard.touch_enable('u', what => 'version')").code, "42804");
}
