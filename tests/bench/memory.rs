//! What the audit trigger asks of a backend's memory: for a statement of many rows, and for many
//! audited tables in one session.

use crate::measure::Session;
use dbguard_tests::Cluster;
use postgres::Client;

const TABLES: usize = 1_000;

/// What was logged, so that what is measured is known to have happened.
fn changes(client: &mut Client) -> i64 {
    let count = "SELECT (SELECT count(*) FROM dbguard.audit_change) + (SELECT coalesce(sum(changes), 0) FROM dbguard.audit_pack)";
    client.query_one(count, &[]).unwrap().get(0)
}

/// `millions` of rows in one UPDATE; a trigger that does nothing shows what the server's own queue
/// of trigger events takes.
pub fn run(millions: usize) {
    let cluster = Cluster::start(&[
        "shared_buffers = 1GB",
        "synchronous_commit = off",
        "max_wal_size = 20GB",
        "jit = off",
        "fsync = off",
    ]);
    let connect = || cluster.try_connect("postgres", "postgres").unwrap();
    let mut client = connect();
    client
        .batch_execute(
            "CREATE EXTENSION dbguard;
             CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        )
        .unwrap();
    println!("UPDATE of {millions} M rows, private memory of the backend at most, MB:");
    let mut empty = 0.0;
    for (what, enable) in [
        (
            "a trigger that does nothing",
            "CREATE TRIGGER n AFTER UPDATE ON big FOR EACH ROW EXECUTE FUNCTION nothing()",
        ),
        ("dbguard, rows", "SELECT dbguard.audit_enable('big')"),
        ("dbguard, packed", "SELECT dbguard.audit_enable('big', bulk => 'pack')"),
    ] {
        client
            .batch_execute(&format!(
                "DROP TABLE IF EXISTS big; CREATE TABLE big AS SELECT i::bigint AS id, 0 AS v FROM generate_series(1, {millions} * 1000000) i;
                 ALTER TABLE big ADD PRIMARY KEY (id); {enable}"
            ))
            .unwrap();
        let (_, most) =
            Session::new(connect()).cost_and_peak(|c| c.batch_execute("UPDATE big SET v = 1").unwrap());
        if empty == 0.0 {
            empty = most;
        }
        println!("  {what:<30} {most:>8.1}   {:+.1} over the first (at most +20)", most - empty);
        if what.starts_with("dbguard") {
            assert_eq!(changes(&mut client), millions as i64 * 1_000_000);
        }
        client.batch_execute("SET session_replication_role = replica; TRUNCATE dbguard.audit_change, dbguard.audit_pack; RESET session_replication_role").ok();
    }

    let make: Vec<String> = (0..TABLES)
        .map(|i| format!("CREATE TABLE w{i} (id int PRIMARY KEY, a text, b text, c int, d jsonb, e timestamptz, f numeric, g uuid)"))
        .collect();
    for statements in make.chunks(100) {
        client.batch_execute(&statements.join(";")).unwrap();
    }
    let writes: String =
        (0..TABLES).map(|i| format!("INSERT INTO w{i} VALUES (1); UPDATE w{i} SET c = 1;")).collect();
    let written = || Session::new(connect()).cost_and_peak(|c| c.batch_execute(&writes).unwrap()).1;
    let plain = written();
    for i in 0..TABLES {
        client
            .batch_execute(&format!(
                "TRUNCATE w{i}; SET client_min_messages = warning; SELECT dbguard.audit_enable('w{i}')"
            ))
            .unwrap();
    }
    let audited = written();
    assert_eq!(changes(&mut client), 2 * TABLES as i64);
    println!("\n{TABLES} tables written in one session, MB: {plain:.1} plain, {audited:.1} audited, {:+.1} (at most +20)", audited - plain);
}
