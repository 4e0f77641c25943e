//! protect_created_at.

use dbguard_tests::Db;

fn db(options: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "SET timezone = 'UTC'; CREATE TABLE t (id int PRIMARY KEY, v text, created_at timestamptz);
         SELECT dbguard.touch_enable('t', what => 'created_at', options => '{options}');"
    ));
    db
}

#[test]
fn set_once_and_kept() {
    let mut db = db("{}");
    db.exec("BEGIN; INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', '1999-01-01')");
    assert_eq!(db.lines("SELECT created_at = now() FROM t ORDER BY id"), ["t", "f"]);
    db.exec("COMMIT; UPDATE t SET v = 'x', created_at = '1950-01-01'; UPDATE t SET created_at = NULL");
    assert_eq!(db.value("SELECT count(*) FROM t WHERE created_at > '1990-01-01' AND v = 'x'"), "2");
    db.exec("INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET created_at = '1950-01-01', v = 'y';
             MERGE INTO t USING (VALUES (2)) s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET created_at = '1950-01-01', v = 'z'");
    assert_eq!(db.lines("SELECT v, created_at > '1990-01-01' FROM t ORDER BY id"), ["y | t", "z | t"]);
    db.exec(r"COPY t FROM PROGRAM 'echo 3,,' (FORMAT csv)");
    assert_eq!(db.value("SELECT created_at = (SELECT max(created_at) FROM t) FROM t WHERE id = 3"), "t");
    // a row made before there was a column has none, and gets none
    db.exec("ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET created_at = NULL WHERE id = 1; ALTER TABLE t ENABLE TRIGGER ALL; UPDATE t SET created_at = now() WHERE id = 1");
    assert_eq!(db.value("SELECT created_at FROM t WHERE id = 1"), "<null>");
}

#[test]
fn an_attempt_is_an_error() {
    let mut db = db("{change=error,given=overwrite}");
    db.exec("BEGIN; INSERT INTO t VALUES (1, 'a', '1999-01-01')");
    assert_eq!(db.value("SELECT created_at = now() FROM t"), "t");
    db.exec("COMMIT; UPDATE t SET v = 'b', created_at = created_at");
    let e = db.error("UPDATE t SET created_at = now() + '1 day'");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("428C9", "column \"created_at\" of relation \"t\" cannot be changed")
    );
    assert!(!e.hint.is_empty());
}

#[test]
fn misuse() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int, created_at text); INSERT INTO t VALUES (1)");
    for (trigger, write, code) in [
        (
            "AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION dbguard.protect_created_at()",
            "INSERT INTO t VALUES (2)",
            "39P01",
        ),
        (
            "BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.protect_created_at()",
            "DELETE FROM t",
            "39P01",
        ),
        (
            "BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION dbguard.protect_created_at()",
            "UPDATE t SET id = 2",
            "39P01",
        ),
        (
            "BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.protect_created_at()",
            "UPDATE t SET id = 2",
            "42804",
        ),
        (
            "BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.protect_created_at('made')",
            "UPDATE t SET id = 2",
            "42703",
        ),
        (
            "BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.protect_created_at('id', 'clock=noon')",
            "UPDATE t SET id = 2",
            "22023",
        ),
    ] {
        db.exec(&format!("CREATE TRIGGER x {trigger}"));
        let e = db.error(write);
        assert_eq!(e.code, code, "{trigger}");
        assert_ne!(e.hint, "", "{trigger}");
        db.exec("DROP TRIGGER x ON t");
    }
}
