//! The configuration lives through dump and restore, and DROP EXTENSION.

use dbguard_tests::Db;

#[test]
fn dump_and_restore_keep_the_sets() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA \"odd one\";
         CREATE TABLE \"odd one\".\"T\" (at timestamptz) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('\"odd one\".\"T\"', '1 week', 3, 'Europe/Berlin',
           storage_options => '{fillfactor=70}', unique_on => '{at}', policies => true);
         CREATE TABLE d (at date) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('d', '1 day', 2, sub_by => 'at', sub_count => 2)",
    );
    let status =
        "SELECT schema_name, table_name, every, ahead, zone, state, partitions, missing, covered_until
                  FROM dbguard.partition_status()";
    let before = db.lines(status);
    let dump = db.cluster().run("pg_dump", &[&db.name]);
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let mut copy = Db::empty_in(db.cluster());
    // other tables first, so that OIDs mean something else
    copy.exec("CREATE TABLE filler (at date) PARTITION BY RANGE (at); DROP TABLE filler");
    let file = db.cluster().dir().join(format!("{}.sql", db.name));
    std::fs::write(&file, &dump.stdout).unwrap();
    let restored = db
        .cluster()
        .run("psql", &["-qXv", "ON_ERROR_STOP=1", "-d", &copy.name, "-f", file.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(copy.lines(status), before);
    copy.exec("UPDATE dbguard.partition_set SET ahead = 5");
    copy.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        copy.lines("SELECT DISTINCT state, missing, partitions FROM dbguard.partition_status()"),
        ["ok | 0 | 6"]
    );
    let extra = "SELECT table_name, storage_options, unique_on, policies, sub_by, sub_count FROM dbguard.partition_set ORDER BY 1";
    assert_eq!(copy.lines(extra), db.lines(extra));
    assert_eq!(
        copy.lines("SELECT relkind, count(*) FROM pg_class WHERE relispartition AND relkind IN ('r', 'p') GROUP BY 1 ORDER BY 1"),
        ["p | 6", "r | 18"]
    );
    // from now on the OID is this database's own again, and a rename is followed
    copy.exec("ALTER TABLE d RENAME TO e; UPDATE dbguard.partition_set SET ahead = 6");
    copy.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        copy.lines("SELECT table_name, partitions FROM dbguard.partition_status()"),
        ["T | 7", "e | 7"]
    );
}

#[test]
fn the_extension_goes_and_the_partitions_stay() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('t', '1 day', 2);
         DROP EXTENSION dbguard",
    );
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "3");
    db.exec("INSERT INTO t VALUES (now()); CREATE EXTENSION dbguard; SELECT dbguard.partition_enable('t', '1 day', 3)");
    assert_eq!(db.value("SELECT partitions FROM dbguard.partition_status()"), "4");
}
