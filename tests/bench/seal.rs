//! How fast the log is sealed and checked.

use crate::measure::Session;
use dbguard_tests::Cluster;

const ROWS: usize = 300_000;

const SETUP: &str = "
    CREATE EXTENSION dbguard;
    CREATE TABLE t (id bigint PRIMARY KEY, tenant uuid, status text, amount numeric(12,2), notes text, payload jsonb, at timestamptz, gift bool);
    SELECT dbguard.audit_enable('t');
    SET dbguard.actor = 'u-77';
    INSERT INTO t SELECT i, md5((i % 50)::text)::uuid, 'new', i % 10000 / 100.0, 'note ' || md5(i::text) || md5((i + 1)::text),
                         jsonb_build_object('sku', 'SKU-' || i, 'qty', i % 9, 'tags', jsonb_build_array('a', 'b')), now(), i % 2 = 0
    FROM generate_series(1, 150000) i;
    UPDATE t SET status = 'done', amount = amount + 1";

/// Runs the benchmark and prints its table.
pub fn run() {
    let cluster = Cluster::start(&["shared_buffers = 1GB", "max_wal_size = 20GB", "jit = off"]);
    let mut session = Session::new(cluster.try_connect("postgres", "postgres").unwrap());
    session.client.batch_execute(SETUP).unwrap();
    println!("{ROWS} changes, half of them of whole rows with 8 columns; backend CPU.\n");
    for (what, statement) in [
        ("audit_seal", "SELECT * FROM dbguard.audit_seal()"),
        ("audit_verify", "SELECT * FROM dbguard.audit_verify()"),
    ] {
        let (cost, peak) = session.cost_and_peak(|c| c.batch_execute(statement).unwrap());
        let (each, rate) = (cost / ROWS as f64, ROWS as f64 * 1e6 / cost);
        println!("{what:<14} {each:>6.2} us a change {rate:>12.0} changes a second, {peak:.0} MB at most");
    }
    let row = session.client.query_one(
        "SELECT pg_total_relation_size('dbguard.audit_seal_record') / $1::float8, pg_total_relation_size('dbguard.audit_change_p' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')) / $1::float8",
        &[&(ROWS as f64)],
    );
    let row = row.unwrap();
    println!(
        "{:<14} {:>6.1} bytes a change, beside {:.0} of the log itself",
        "digests",
        row.get::<_, f64>(0),
        row.get::<_, f64>(1)
    );
}
