//! How long reading takes when the log is large: a table of a million rows, ten million changes to it
//! in the last twenty days, put straight into the log's tables.

use crate::measure::{median, Session};
use dbguard_tests::Cluster;

const ROWS: u32 = 1_000_000;
const CHANGES: u32 = 10_000_000;
const DAYS: u32 = 20;

/// Each change finds another status and amount; a tenth of the keys gets half of the changes.
fn setup() -> String {
    format!(
        "CREATE EXTENSION dbguard;
         CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, status text, amount numeric(12,2), note text, created_at timestamptz);
         INSERT INTO orders SELECT i, i % 5000, 'paid', i % 1000, md5(i::text), now() - interval '90 days' FROM generate_series(1, {ROWS}) i;
         SELECT dbguard.audit_enable('orders');
         UPDATE orders SET status = 'new' WHERE id = 1;
         SET session_replication_role = replica;
         UPDATE dbguard.audit_relation SET since = now() - interval '{DAYS} days 1 hour';
         INSERT INTO dbguard.audit_context (id, at, actor, session_user_name, current_user_name)
         SELECT i, now() - interval '{DAYS} days' + i * interval '1 hour', 'u-' || i % 50, 'app', 'app' FROM generate_series(0, {DAYS} * 24) i;
         INSERT INTO dbguard.audit_change (id, at, xact, context, relation, op, tenant, key, old, new)
         SELECT i, now() - interval '{DAYS} days' + i * interval '{DAYS} days' / {CHANGES}, (i / 10)::text::xid8, i::bigint * {DAYS} * 24 / {CHANGES}, 1, 'U', 'tenant ' || i % 50,
                CASE WHEN i % 2 = 0 THEN 1 + (i::bigint * 7919) % {ROWS} ELSE 1 + (i::bigint * 104729) % ({ROWS} / 10) END,
                jsonb_build_object('amount', i % 777, 'status', 'new'), jsonb_build_object('amount', i % 776, 'status', 'paid')
         FROM generate_series(1, {CHANGES}) i;
         SELECT setval('dbguard.audit_change_id_seq', ({CHANGES} / 1000 + 2) * 1000);
         RESET session_replication_role;
         VACUUM ANALYZE"
    )
}

const QUERIES: [(&str, &str); 8] = [
    (
        "audit_as_of, one hour back",
        "SELECT count(*), sum(amount) FROM dbguard.audit_as_of(NULL::orders, now() - interval '1 hour')",
    ),
    (
        "audit_as_of, one day back",
        "SELECT count(*), sum(amount) FROM dbguard.audit_as_of(NULL::orders, now() - interval '1 day')",
    ),
    (
        "audit_as_of, ten days back",
        "SELECT count(*), sum(amount) FROM dbguard.audit_as_of(NULL::orders, now() - interval '10 days')",
    ),
    (
        "audit_as_of of one row, ten days back",
        "SELECT * FROM dbguard.audit_as_of(NULL::orders, now() - interval '10 days', '77777')",
    ),
    ("audit_history", "SELECT * FROM dbguard.audit_history('orders', '77777')"),
    ("audit_diff", "SELECT * FROM dbguard.audit_diff('orders', '77777')"),
    ("audit_transaction", "SELECT * FROM dbguard.audit_transaction('500000')"),
    (
        "audit_changes, an actor within a day",
        "SELECT count(*) FROM dbguard.audit_changes('orders', actor => 'u-7', since => now() - interval '1 day')",
    ),
];

/// Runs the benchmark and prints its table.
pub fn run(rounds: usize) {
    let cluster = Cluster::start(&[
        "shared_buffers = 1GB",
        "synchronous_commit = off",
        "max_wal_size = 20GB",
        "checkpoint_timeout = 1h",
        "full_page_writes = off",
        "jit = off",
        "max_parallel_workers_per_gather = 0",
    ]);
    let mut session = Session::new(cluster.try_connect("postgres", "postgres").unwrap());
    for statement in setup().split(";\n") {
        session.client.batch_execute(statement).unwrap();
    }
    println!("{ROWS} rows, {CHANGES} changes in {DAYS} days; milliseconds of the backend's CPU, median of {rounds} rounds.\n");
    for (name, query) in QUERIES {
        let mut took = vec![];
        for _ in 0..rounds {
            took.push(session.cost(|client| client.batch_execute(query).unwrap()) / 1000.0);
        }
        println!("{name:<40} {:>10.1}", median(&took));
    }
}
