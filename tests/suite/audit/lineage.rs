//! A table's history belongs to it through renames, restores and re-creation.

use dbguard_tests::{Cluster, Db};

/// Lineages are told by the smallest id, so that a test can say which are the same.
const LOG: &str = "SELECT dense_rank() OVER (ORDER BY lineage), schema_name, table_name, key, op FROM dbguard.audit_log ORDER BY id";

fn restored(db: &Db) -> Db<'static> {
    let cluster = Cluster::shared();
    let file = cluster.dir().join(format!("{}.lineage", db.name));
    let file = file.to_str().unwrap();
    let dump = cluster.run("pg_dump", &["-F", "c", "-f", file, &db.name]);
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let copy = Db::empty_in(cluster);
    let restore = cluster.run("pg_restore", &["--exit-on-error", "-d", &copy.name, file]);
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    copy
}

#[test]
fn a_rename_is_noted_at_once() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA s; CREATE TABLE s.a (id int PRIMARY KEY); SELECT dbguard.audit_enable('s.a'); INSERT INTO s.a VALUES (1);
         ALTER TABLE s.a RENAME TO b",
    );
    let names =
        "SELECT schema_name || '.' || table_name FROM dbguard.audit_relation GROUP BY 1 ORDER BY min(id)";
    assert_eq!(db.lines(names), ["s.a", "s.b"]);
    db.exec("ALTER TABLE s.b SET SCHEMA public; ALTER TABLE b ADD COLUMN v int");
    assert_eq!(db.lines(names), ["s.a", "s.b", "public.b"]);
    db.exec("ALTER TABLE b SET SCHEMA s; ALTER SCHEMA s RENAME TO \"S 2\"");
    assert_eq!(db.lines(names)[3..], ["S 2.b"]);
    db.exec("BEGIN; ALTER TABLE \"S 2\".b RENAME TO c; ROLLBACK; INSERT INTO \"S 2\".b VALUES (2)");
    assert_eq!(db.lines(LOG), ["1 | s | a | 1 | INSERT", "1 | S 2 | b | 2 | INSERT"]);
}

#[test]
fn history_goes_along_when_names_are_swapped() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);
         SELECT dbguard.audit_enable('a'); SELECT dbguard.audit_enable('b');
         INSERT INTO a VALUES (1); INSERT INTO b VALUES (2);
         ALTER TABLE a RENAME TO tmp; ALTER TABLE b RENAME TO a; ALTER TABLE tmp RENAME TO b",
    );
    let expected = [
        "1 | public | a | 1 | INSERT",
        "2 | public | b | 2 | INSERT",
        "2 | public | a | 3 | INSERT",
        "1 | public | b | 4 | INSERT",
    ];
    // without a write in between the names alone must tell, in another database
    let mut copy = restored(&db);
    for db in [&mut db, &mut copy] {
        db.exec("INSERT INTO a VALUES (3); INSERT INTO b VALUES (4)");
        assert_eq!(db.lines(LOG), expected);
    }
}

#[test]
fn re_created_and_replaced() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (id int PRIMARY KEY); SELECT dbguard.audit_enable('a'); INSERT INTO a VALUES (1)",
    );
    // dropped and made again: it goes on
    db.exec("DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('a'); INSERT INTO a VALUES (2)");
    assert_eq!(db.lines(LOG), ["1 | public | a | 1 | INSERT", "1 | public | a | 2 | INSERT"]);
    // made while the old one lives under another name: it starts anew, the old one goes on
    db.exec(
        "ALTER TABLE a RENAME TO old; CREATE TABLE a (id int PRIMARY KEY); SELECT dbguard.audit_enable('a')",
    );
    let mut copy = restored(&db);
    for db in [&mut db, &mut copy] {
        db.exec("INSERT INTO a VALUES (3); INSERT INTO old VALUES (4)");
        assert_eq!(db.lines(LOG)[2..], ["2 | public | a | 3 | INSERT", "1 | public | old | 4 | INSERT"]);
    }
    // also when the old one has gone since
    db.exec("ALTER TABLE a RENAME TO older; DROP TABLE older; CREATE TABLE a (id int PRIMARY KEY); SELECT dbguard.audit_enable('a'); INSERT INTO a VALUES (5)");
    assert_eq!(db.lines(LOG)[4..], ["3 | public | a | 5 | INSERT"]);
}

#[test]
fn restored_and_renamed_before_anything_is_written() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, card text) PARTITION BY RANGE (id);
         CREATE TABLE s.t1 PARTITION OF s.t FOR VALUES FROM (0) TO (100);
         SELECT dbguard.audit_enable('s.t', redact => '{card}', operations => '{INSERT,DELETE,TRUNCATE}', tenant => 'id', bulk => 'pack', always => true);
         INSERT INTO s.t VALUES (1, 'x'); ALTER SCHEMA s RENAME TO s2",
    );
    let status = "SELECT * FROM dbguard.audit_status()";
    let before = db.lines(status);
    let mut copy = restored(&db);
    assert_eq!(copy.lines(status), before);
    copy.exec("ALTER SCHEMA s2 RENAME TO s3; ALTER TABLE s3.t RENAME TO u; INSERT INTO s3.u VALUES (2, 'y'); TRUNCATE s3.t1");
    assert_eq!(
        copy.lines(LOG),
        ["1 | s | t | 1 | INSERT", "1 | s3 | u | 2 | INSERT", "1 | s3 | u | <null> | TRUNCATE"]
    );
    // and once more, from there
    let mut second = restored(&copy);
    second.exec("INSERT INTO s3.u VALUES (3, 'z')");
    assert_eq!(second.lines(LOG)[3..], ["1 | s3 | u | 3 | INSERT"]);
}

/// The triggers of a schema that is restored first write nothing into the log, whose rows come later.
#[test]
fn a_restored_schema_leaves_the_log_empty() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1)",
    );
    let cluster = Cluster::shared();
    let mut copy = Db::empty_in(cluster);
    let file = cluster.dir().join(format!("{}.schema", db.name));
    let file = file.to_str().unwrap();
    assert!(cluster.run("pg_dump", &["--schema-only", "-f", file, &db.name]).status.success());
    let restore = cluster.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &copy.name, "-f", file]);
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    assert_eq!(copy.value("SELECT count(*) FROM dbguard.audit_relation"), "0");
    assert_eq!(copy.lines("SELECT \"table\", problem FROM dbguard.audit_status()"), ["t | <null>"]);
}
