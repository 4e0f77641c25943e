//! What the audit trigger asks of a backend's memory: for a statement of many rows, and for many
//! audited tables in one session.

use dbguard_tests::Cluster;
use postgres::Client;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const TABLES: usize = 1_000;

/// Private memory of a process, in kB.
fn private(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The most private memory the backend had while `statement` ran, in MB.
fn peak(client: &mut Client, statement: &str) -> f64 {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let (most, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(private(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        client.batch_execute(statement).unwrap();
        done.store(true, Ordering::Relaxed);
    });
    most.load(Ordering::Relaxed) as f64 / 1024.0
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
        let mut session = connect();
        let most = peak(&mut session, "UPDATE big SET v = 1");
        if empty == 0.0 {
            empty = most;
        }
        println!("  {what:<30} {most:>8.1}   {:+.1} over the first (at most +20)", most - empty);
        drop(session);
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
    let mut session = connect();
    let plain = peak(&mut session, &writes);
    for i in 0..TABLES {
        client
            .batch_execute(&format!(
                "TRUNCATE w{i}; SET client_min_messages = warning; SELECT dbguard.audit_enable('w{i}')"
            ))
            .unwrap();
    }
    let mut session = connect();
    let audited = peak(&mut session, &writes);
    println!("\n{TABLES} tables written in one session, MB: {plain:.1} plain, {audited:.1} audited, {:+.1} (at most +20)", audited - plain);
}
