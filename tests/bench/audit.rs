//! What the audit trigger adds to a write, beside a careful PL/pgSQL row trigger that logs the same
//! facts into a log with the same indexes.

use crate::measure::{median, Session};
use dbguard_tests::Cluster;

const ROUNDS: usize = 7;
const ROWS: usize = 100_000;
const SINGLE: usize = 2_000;

const VARIANTS: [&str; 3] = ["none", "plpgsql", "dbguard"];
const WORK: [&str; 4] =
    ["INSERT, 100k rows", "UPDATE, 100k rows", "DELETE, 100k rows", "single-row transaction"];

const SETUP: &str = "
    CREATE EXTENSION dbguard;
    CREATE TABLE source AS
    SELECT i::bigint AS id, md5((i % 50)::text)::uuid AS tenant_id, (i * 7919 % 100000)::bigint AS customer_id,
           (ARRAY['new', 'paid', 'packed', 'shipped'])[1 + i % 4] AS status, (i % 10000 / 100.0)::numeric(12,2) AS amount,
           'EUR'::char(3) AS currency, 'note ' || md5(i::text) || md5((i + 1)::text) AS notes,
           jsonb_build_object('sku', 'SKU-' || i, 'qty', i % 9, 'tags', jsonb_build_array('a', 'b')) AS payload,
           now() - i * interval '1 minute' AS created_at, now() AS updated_at, NULL::timestamptz AS deleted_at,
           1 AS version, i % 2 = 0 AS gift
    FROM generate_series(1, 100000) i;

    CREATE TABLE plain_log (
      id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, xact xid8 NOT NULL, table_name text NOT NULL,
      op \"char\" NOT NULL, key text COLLATE \"C\", actor text, old jsonb, new jsonb, PRIMARY KEY (id, at));
    CREATE INDEX ON plain_log (table_name, key, id);
    CREATE FUNCTION plain_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'INSERT' THEN
        INSERT INTO plain_log (at, xact, table_name, op, key, actor, new)
        VALUES (now(), pg_current_xact_id(), TG_TABLE_NAME, 'I', NEW.id::text, current_setting('dbguard.actor', true), to_jsonb(NEW));
      ELSIF TG_OP = 'UPDATE' THEN
        IF NEW IS DISTINCT FROM OLD THEN
          INSERT INTO plain_log (at, xact, table_name, op, key, actor, old, new)
          VALUES (now(), pg_current_xact_id(), TG_TABLE_NAME, 'U', NEW.id::text, current_setting('dbguard.actor', true), to_jsonb(OLD), to_jsonb(NEW));
        END IF;
      ELSE
        INSERT INTO plain_log (at, xact, table_name, op, key, actor, old)
        VALUES (now(), pg_current_xact_id(), TG_TABLE_NAME, 'D', OLD.id::text, current_setting('dbguard.actor', true), to_jsonb(OLD));
      END IF;
      RETURN NULL;
    END $$;

    CREATE TABLE t_none (LIKE source, PRIMARY KEY (id));
    CREATE TABLE t_plpgsql (LIKE source, PRIMARY KEY (id));
    CREATE TABLE t_dbguard (LIKE source, PRIMARY KEY (id));
    CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON t_plpgsql FOR EACH ROW EXECUTE FUNCTION plain_audit();
    SELECT dbguard.audit_enable('t_dbguard')";

/// Runs the benchmark and prints its table.
pub fn run() {
    let cluster = Cluster::start(&[
        "shared_buffers = 1GB",
        "synchronous_commit = off",
        "max_wal_size = 20GB",
        "checkpoint_timeout = 1h",
        "full_page_writes = off",
        "jit = off",
    ]);
    let mut session = Session::new(cluster.try_connect("postgres", "postgres").unwrap());
    session.client.batch_execute(SETUP).unwrap();
    session.client.batch_execute("SET dbguard.actor = 'u-77'").unwrap();
    session.client.batch_execute("VACUUM ANALYZE source").unwrap();

    let mut cost = vec![vec![vec![]; VARIANTS.len()]; WORK.len()];
    // the first round warms caches and plans
    for round in 0..=ROUNDS {
        for (v, variant) in VARIANTS.iter().enumerate() {
            let table = format!("t_{variant}");
            for statement in [&*format!("TRUNCATE {table}, plain_log, dbguard.audit_change"), "CHECKPOINT"] {
                session.client.batch_execute(statement).unwrap();
            }
            let mut measured = vec![];
            for (statement, per) in [
                (format!("INSERT INTO {table} SELECT * FROM source"), ROWS),
                (format!("UPDATE {table} SET status = 'done', amount = amount + 1"), ROWS),
                (format!("DELETE FROM {table} WHERE id > {SINGLE}"), ROWS - SINGLE),
            ] {
                measured.push(session.cost(|c| c.batch_execute(&statement).unwrap()) / per as f64);
            }
            session.client.batch_execute(&format!("VACUUM {table}")).unwrap();
            let update = format!("UPDATE {table} SET status = 'single', version = version + 1 WHERE id = $1");
            let update = session.client.prepare(&update).unwrap();
            let single = session.cost(|c| {
                for id in 1..=SINGLE as i64 {
                    c.execute(&update, &[&id]).unwrap();
                }
            });
            measured.push(single / SINGLE as f64);
            if round > 0 {
                for (w, value) in measured.into_iter().enumerate() {
                    cost[w][v].push(value);
                }
            }
        }
    }

    println!("Backend CPU in microseconds per row (per transaction in the last line), median of {ROUNDS} interleaved rounds.");
    println!("13 columns; both logs have a primary key and an index by table and key. \"adds\" is over no trigger.\n");
    println!(
        "{:<24} {:>8} {:>10} {:>10} {:>12} {:>12} {:>16}",
        "", "none", "plpgsql", "dbguard", "plpgsql adds", "dbguard adds", "dbguard/plpgsql"
    );
    for (w, work) in WORK.iter().enumerate() {
        let [none, plpgsql, dbguard] = [0, 1, 2].map(|v| median(&cost[w][v]));
        println!(
            "{work:<24} {none:>8.2} {plpgsql:>10.2} {dbguard:>10.2} {:>12.2} {:>12.2} {:>16.2}",
            plpgsql - none,
            dbguard - none,
            (dbguard - none) / (plpgsql - none)
        );
    }
}
