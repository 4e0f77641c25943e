//! What is the user's is never taken for ours; what the server says of our statements is not the user's to read.

use super::convert_described::described;
use dbguard_tests::Db;

const TABLE: &str = "
    CREATE TABLE t (id int CONSTRAINT t_key PRIMARY KEY, at timestamptz);
    INSERT INTO t SELECT g, now() - g * interval '1 minute' FROM generate_series(1, 100) g";
const EXTEND: &str = "CALL dbguard.partition_convert('t', 'at', '1 day', extend_keys => true)";
const PLAN: &str = "SELECT message FROM dbguard.partition_convert_plan('t', 'at', '1 day', extend_keys => true) WHERE kind = 'blocked'";

#[test]
fn what_the_user_called_like_ours_stays() {
    let mut db = Db::new();
    db.exec(TABLE);
    for (make, message, rename) in [
        (
            "ALTER TABLE t ADD CONSTRAINT dbguard_convert CHECK (id > 0)",
            "constraint \"dbguard_convert\" has the name",
            "ALTER TABLE t RENAME CONSTRAINT dbguard_convert TO kept",
        ),
        (
            "CREATE INDEX t_key_dbguard_convert ON t (at, id)",
            "relation \"t_key_dbguard_convert\" has the name",
            "ALTER INDEX t_key_dbguard_convert RENAME TO mine_dbguard_convert",
        ),
    ] {
        db.exec(make);
        let before = described(&mut db, "t", false);
        let blocked = db.lines(PLAN);
        assert!(blocked.len() == 1 && blocked[0].starts_with(message), "{blocked:?}");
        assert_eq!(db.error(EXTEND).code, "55000");
        assert_eq!(db.value("SELECT dbguard.partition_convert_cancel('t')"), "f");
        assert_eq!(described(&mut db, "t", false), before);
        db.exec(rename);
    }
    // a name that only ends like ours is the user's
    db.exec(EXTEND);
    assert_eq!(
        db.lines("SELECT relname FROM pg_class WHERE relname LIKE '%mine%' ORDER BY 1"),
        ["mine_dbguard_convert", "mine_dbguard_convert_p_old"]
    );
    db.exec("ALTER TABLE t RENAME CONSTRAINT kept TO dbguard_convert");
    // nor is a name taken from it on the way back
    db.exec("CREATE VIEW t_key_dbguard_convert AS SELECT 1 AS one");
    let e = db.error("CALL dbguard.partition_unconvert('t')");
    assert_eq!((e.code.as_str(), e.detail.contains("\"t_key_dbguard_convert\"")), ("55000", true), "{e:?}");
    db.exec("DROP VIEW t_key_dbguard_convert");
    // one that fails on the way back takes nothing of the user's with it
    db.exec("INSERT INTO t SELECT 1, now() - interval '3 days'");
    assert_eq!(db.error("CALL dbguard.partition_unconvert('t')").code, "23505");
    assert_eq!(db.value("SELECT count(*) FROM pg_constraint WHERE conname = 'dbguard_convert'"), "5");
    db.exec("DELETE FROM t WHERE at < now() - interval '2 days'");
    db.exec("CALL dbguard.partition_unconvert('t')");
    assert_eq!(
        db.lines(
            "SELECT conname FROM pg_constraint WHERE conrelid = 't'::regclass AND contype <> 'n' ORDER BY 1"
        ),
        ["dbguard_convert", "t_key"]
    );
    assert_eq!(
        db.lines("SELECT relname FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid WHERE i.indrelid = 't'::regclass ORDER BY 1"),
        ["mine_dbguard_convert", "t_key"]
    );
}

/// Keys that are built anew go where the old ones are, whatever the session's default is.
#[test]
fn a_new_index_lies_where_the_old_one_does() {
    let mut db = Db::new();
    let dir = db.cluster().dir().join(format!("space_{}", db.name));
    std::fs::create_dir(&dir).unwrap();
    let parent = std::fs::metadata(db.cluster().dir()).unwrap();
    use std::os::unix::fs::MetadataExt;
    std::os::unix::fs::chown(&dir, Some(parent.uid()), Some(parent.gid())).unwrap();
    let space = format!("space_{}", db.name);
    db.exec(&format!("CREATE TABLESPACE {space} LOCATION '{}'", dir.display()));
    db.exec(TABLE);
    db.exec(&format!("SET default_tablespace = {space}"));
    let places = "SELECT DISTINCT reltablespace FROM pg_class WHERE relname LIKE 't%' AND relkind IN ('r', 'i', 'p', 'I')";
    db.exec(EXTEND);
    assert_eq!(db.lines(places), ["0"]);
    db.exec("CALL dbguard.partition_unconvert('t')");
    assert_eq!(db.lines(places), ["0"]);
    db.exec(&format!("RESET default_tablespace; ALTER INDEX t_key SET TABLESPACE {space}"));
    db.exec(EXTEND);
    let of_key = "SELECT DISTINCT s.spcname FROM pg_class c LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace WHERE relname LIKE 't_key%'";
    assert_eq!(db.lines(of_key), [space.as_str()]);
    db.exec("CALL dbguard.partition_unconvert('t')");
    assert_eq!(db.lines(of_key), [space.as_str()]);
    db.exec("DROP TABLE t");
    db.exec(&format!("DROP TABLESPACE {space}"));
}

#[test]
fn only_our_notices_are_shown() {
    let mut db = Db::new();
    db.exec(TABLE);
    let (mut user, heard) = db.connect_listening();
    for call in [EXTEND, "CALL dbguard.partition_unconvert('t')"] {
        user.exec(call);
        let heard = heard.lines();
        let of_server: Vec<_> = heard.iter().filter(|line| !line.contains(" of \"t\": ")).collect();
        assert_eq!((of_server, heard.is_empty()), (vec![], false), "{call}");
    }
}
