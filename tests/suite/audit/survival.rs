//! Dump and restore, DROP EXTENSION, a killed server.

use dbguard_tests::{Cluster, Db};

#[test]
fn a_killed_server_keeps_what_was_committed() {
    let mut cluster = Cluster::start(&[]);
    let name = {
        let mut db = Db::new_in(&cluster);
        db.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); INSERT INTO t SELECT generate_series(1, 1000)");
        let name = db.name.clone();
        std::mem::forget(db); // its session dies with the server
        name
    };
    let mut open = cluster.try_connect(&name, "postgres").unwrap();
    open.batch_execute("BEGIN; INSERT INTO t VALUES (5000)").unwrap();
    cluster.down(libc::SIGQUIT);
    cluster.up();
    let mut client = cluster.try_connect(&name, "postgres").unwrap();
    let row = client
        .query_one("SELECT count(*), count(*) FILTER (WHERE key = '5000') FROM dbguard.audit_log", &[])
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1000, 0));
    client.batch_execute("INSERT INTO t VALUES (5001)").unwrap();
    assert!(cluster.log().contains("not properly shut down"), "{}", cluster.log());
}

#[test]
fn drop_extension_is_refused_while_the_log_exists() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1); SELECT dbguard.audit_disable('t')");
    let error = db.error("DROP EXTENSION dbguard");
    assert_eq!(error.code, "2BP01");
    assert!(error.detail.contains("dbguard.audit_change"), "{}", error.detail);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "1");
    // whoever means it says CASCADE
    db.exec("DROP EXTENSION dbguard CASCADE; INSERT INTO t VALUES (2); CREATE EXTENSION dbguard; SELECT dbguard.audit_enable('t')");
    let mut other = Db::new();
    other.exec("DROP EXTENSION dbguard");
}

#[test]
fn an_existing_schema_of_that_name_stops_the_install() {
    let mut db = Db::empty_in(Cluster::shared());
    db.exec("CREATE SCHEMA dbguard");
    assert_eq!(db.error("CREATE EXTENSION dbguard").code, "42P06");
}

#[test]
fn the_log_without_its_tables_is_a_clear_error() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); DROP TABLE dbguard.audit_change CASCADE");
    let mut fresh = db.connect();
    let error = fresh.error("INSERT INTO t VALUES (1)");
    assert_eq!(error.code, "55000");
    assert_ne!(error.hint, "");
}

#[test]
fn the_log_is_a_partition_set_with_a_net() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1)",
    );
    assert_eq!(
        db.lines("SELECT table_name, every, ahead, state, partitions, missing FROM dbguard.partition_status() ORDER BY 1"),
        ["audit_change | 1 mon | 4 | ok | 5 | 0", "audit_command | 1 mon | 4 | ok | 5 | 0", "audit_context | 1 mon | 4 | ok | 5 | 0", "audit_pack | 1 mon | 4 | ok | 5 | 0"]
    );
    let month = db.value("SELECT 'dbguard.audit_change_p' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')");
    assert_eq!(db.value(&format!("SELECT count(*) FROM {month}")), "1");
    // without its month a write goes to the default partition, and nothing fails
    db.exec(&format!("DROP TABLE {month}; INSERT INTO t VALUES (2)"));
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_change_default"), "1");
    assert_eq!(db.lines("SELECT op FROM dbguard.audit_history('t', '2')"), ["INSERT"]);
}
