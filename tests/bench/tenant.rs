//! What a tenant's queries cost under our policies: beside the same with the WHERE written by hand, and beside the policy
//! that reads the setting for each row.

use crate::measure::{median, Session};
use dbguard_tests::Cluster;
use postgres::Client;

const ROWS: i32 = 1_000_000;
const TENANTS: i32 = 1_000;
/// md5('7') as a uuid.
const TENANT: &str = "8f14e45f-ceea-167a-5a36-dedd4bea2543";

/// The second schema has the same rows under the usual policy.
const SETUP: &str = "
    CREATE EXTENSION dbguard;
    CREATE ROLE app LOGIN; CREATE ROLE by_hand LOGIN BYPASSRLS;
    CREATE SCHEMA ours; CREATE SCHEMA usual; GRANT USAGE ON SCHEMA ours, usual TO app, by_hand";

fn fill(client: &mut Client, schema: &str) {
    let sql = format!(
        "SET search_path = {schema};
         CREATE TABLE customers (id int PRIMARY KEY, tenant_id uuid NOT NULL, name text);
         CREATE TABLE orders (id int PRIMARY KEY, tenant_id uuid NOT NULL, customer_id int NOT NULL, amount numeric(12,2), at timestamptz, note text);
         INSERT INTO customers SELECT i, md5((i % {TENANTS})::text)::uuid, 'customer ' || i FROM generate_series(1, {ROWS} / 10) i;
         INSERT INTO orders SELECT i, md5((i % {TENANTS})::text)::uuid, 1 + (i - 1) % ({ROWS} / 10), i % 10000 / 100.0, now(), 'note ' || i
         FROM generate_series(1, {ROWS}) i;
         CREATE INDEX ON customers (tenant_id); CREATE INDEX ON orders (tenant_id);
         GRANT SELECT ON customers, orders TO app, by_hand; RESET search_path"
    );
    client.batch_execute(&sql).unwrap();
}

const USUAL: &str = "
    CREATE POLICY tenant ON usual.orders USING (tenant_id = current_setting('app.tenant_id')::uuid);
    CREATE POLICY tenant ON usual.customers USING (tenant_id = current_setting('app.tenant_id')::uuid);
    ALTER TABLE usual.orders ENABLE ROW LEVEL SECURITY; ALTER TABLE usual.customers ENABLE ROW LEVEL SECURITY";

/// What is asked, how often a round, and what by hand has to be added.
const QUERIES: [(&str, &str, &str, i32); 5] = [
    ("a row by its key", "SELECT amount FROM orders o WHERE id = $1", " AND o.tenant_id = ", 5_000),
    (
        "count and sum, by index",
        "SELECT count(*), sum(amount) FROM orders o WHERE $1 > 0",
        " AND o.tenant_id = ",
        200,
    ),
    (
        "join of two tables",
        "SELECT count(*), sum(amount) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE $1 > 0",
        " AND o.tenant_id = ",
        100,
    ),
    (
        "count and sum, no index",
        "SELECT count(*), sum(amount) FROM orders o WHERE $1 > 0",
        " AND o.tenant_id = ",
        3,
    ),
    (
        "all rows of a tenant",
        "SELECT id, amount, note FROM orders o WHERE $1 > 0",
        " AND o.tenant_id = ",
        200,
    ),
];

fn query(n: usize, by_hand: bool) -> String {
    let (_, sql, and, _) = QUERIES[n];
    match by_hand {
        false => sql.to_owned(),
        true if sql.contains("customers") => format!("{sql}{and}'{TENANT}' AND c.tenant_id = '{TENANT}'"),
        true => format!("{sql}{and}'{TENANT}'"),
    }
}

/// Microseconds a query.
fn cost(session: &mut Session, n: usize, (role, schema, by_hand): (&str, &str, bool)) -> f64 {
    let index = if QUERIES[n].0.ends_with("no index") { "off" } else { "on" };
    let settings = format!(
        "SET ROLE {role}; SET search_path = {schema}; SET enable_indexscan = {index}; SET enable_bitmapscan = {index}; SET enable_indexonlyscan = {index}"
    );
    session.client.batch_execute(&settings).unwrap();
    let statement = session.client.prepare(&query(n, by_hand)).unwrap();
    let times = QUERIES[n].3;
    let ids: Vec<i32> = (0..times).map(|i| 7 + TENANTS * (i % (ROWS / TENANTS))).collect();
    // the first ones make the plan
    for id in ids.iter().take(8) {
        assert!(!session.client.query(&statement, &[id]).unwrap().is_empty());
    }
    session.cost(|c| ids.iter().for_each(|id| _ = c.query(&statement, &[id]).unwrap())) / f64::from(times)
}

/// Runs the benchmark and prints its table.
pub fn run(rounds: usize) {
    let cluster = Cluster::start(&[
        "shared_buffers = 1GB",
        "max_wal_size = 20GB",
        "jit = off",
        "fsync = off",
        "max_parallel_workers_per_gather = 0",
        "autovacuum = off",
    ]);
    let mut admin = cluster.try_connect("postgres", "postgres").unwrap();
    admin.batch_execute(SETUP).unwrap();
    fill(&mut admin, "ours");
    fill(&mut admin, "usual");
    admin.batch_execute(USUAL).unwrap();
    for table in ["ours.orders", "ours.customers"] {
        admin.batch_execute(&format!("SELECT dbguard.tenant_enable('{table}')")).unwrap();
    }
    admin.batch_execute("VACUUM ANALYZE").unwrap();
    // in one backend: two of them can differ by more than what is measured
    let mut client = cluster.try_connect("postgres", "postgres").unwrap();
    client.batch_execute(&format!("SET app.tenant_id = '{TENANT}'")).unwrap();
    let mut session = Session::new(client);
    let ways = [("by_hand", "ours", true), ("app", "ours", false), ("app", "usual", false)];
    println!("{ROWS} rows of {TENANTS} tenants, {rounds} rounds, medians of the backend's CPU in us.\n");
    println!("| | WHERE by hand | dbguard | ratio | the usual policy | ratio |\n|---|---|---|---|---|---|");
    for (n, (name, ..)) in QUERIES.iter().enumerate() {
        let mut costs = vec![vec![]; ways.len()];
        for _ in 0..rounds {
            for (way, of) in ways.into_iter().enumerate() {
                costs[way].push(cost(&mut session, n, of));
            }
        }
        let [by_hand, ours, usual] = [0, 1, 2].map(|way| median(&costs[way]));
        println!(
            "| {name} | {by_hand:.1} | {ours:.1} | {:.2} | {usual:.1} | {:.2} |",
            ours / by_hand,
            usual / by_hand
        );
    }
}
