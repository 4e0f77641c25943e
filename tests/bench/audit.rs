//! What the audit trigger adds to a write, beside a careful PL/pgSQL row trigger that logs the same
//! facts into a log with the same indexes, Debian's tablelog, and a bare INSERT of the very records
//! the trigger writes: the floor.

use crate::measure::{median, Session};
use dbguard_tests::Cluster;
use postgres::Client;

const ROWS: usize = 100_000;
/// Transactions of one row at a time, before it is the next variant's turn.
const SLICE: usize = 1_000;
const SLICES_A_ROUND: usize = 5;

const VARIANTS: [&str; 5] = ["none", "plpgsql", "tablelog", "rows", "pack"];
const WORK: [&str; 4] = ["INSERT, 100k rows", "UPDATE, 100k rows", "DELETE, 100k rows", "single-row UPDATE"];
const SINGLE: usize = 3;
/// The most that dbguard may add, as a share of what PL/pgSQL adds: row records, packed.
const BARS: [(f64, Option<f64>); 4] =
    [(0.35, Some(0.15)), (0.22, Some(0.10)), (0.33, Some(0.15)), (0.30, None)];

const SETUP: &str = "
    CREATE EXTENSION dbguard;
    CREATE TABLE source AS
    SELECT i::bigint AS id, md5((i % 50)::text)::uuid AS tenant_id, (i * 7919 % 100000)::bigint AS customer_id,
           (ARRAY['new', 'paid', 'packed', 'shipped'])[1 + i % 4] AS status, (i % 10000 / 100.0)::numeric(12,2) AS amount,
           'EUR'::char(3) AS currency, 'note ' || md5(i::text) || md5((i + 1)::text) AS notes,
           jsonb_build_object('sku', 'SKU-' || i, 'qty', i % 9, 'tags', jsonb_build_array('a', 'b'), 'text', repeat(md5(i::text), 4)) AS payload,
           now() - i * interval '1 minute' AS created_at, now() AS updated_at, NULL::timestamptz AS deleted_at,
           1 AS version, i % 2 = 0 AS gift
    FROM generate_series(1, 100000) i;

    CREATE TABLE plain_log (
      id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, xact xid8 NOT NULL, table_name text NOT NULL,
      op \"char\" NOT NULL, key text COLLATE \"C\", actor text, old jsonb, new jsonb);
    CREATE INDEX ON plain_log (table_name, key);
    CREATE INDEX ON plain_log USING brin (id, at);
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
    CREATE TABLE t_rows (LIKE source, PRIMARY KEY (id));
    CREATE TABLE t_pack (LIKE source, PRIMARY KEY (id));
    CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON t_plpgsql FOR EACH ROW EXECUTE FUNCTION plain_audit();
    SELECT dbguard.audit_enable('t_rows');
    SELECT dbguard.audit_enable('t_pack', bulk => 'pack');
    -- the same records, as an INSERT of a query puts them into the same kind of log
    CREATE TABLE raw_log (LIKE dbguard.audit_change);
    CREATE INDEX ON raw_log (relation, key);
    CREATE INDEX ON raw_log USING brin (id, at);
    CREATE TABLE records (LIKE dbguard.audit_change)";

const TABLELOG: &str = "
    CREATE EXTENSION table_log;
    CREATE TABLE t_tablelog (LIKE source, PRIMARY KEY (id));
    CREATE TABLE t_tablelog_log (LIKE source);
    ALTER TABLE t_tablelog_log ADD trigger_mode text NOT NULL, ADD trigger_tuple text NOT NULL,
      ADD trigger_changed timestamptz NOT NULL, ADD trigger_id bigserial;
    CREATE INDEX ON t_tablelog_log (id);
    CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON t_tablelog FOR EACH ROW EXECUTE FUNCTION table_log_basic('t_tablelog_log')";

/// What one kind of work cost, a row.
#[derive(Default)]
struct Measured {
    cost: [Vec<f64>; VARIANTS.len()],
    /// Of the bare INSERT of the records.
    floor: Vec<f64>,
}

/// Runs the benchmark and prints its table; `rounds` are counted, one more warms up.
pub fn run(rounds: usize) {
    let cluster = Cluster::start(&[
        "shared_buffers = 2GB",
        "synchronous_commit = off",
        "max_wal_size = 20GB",
        "checkpoint_timeout = 1h",
        "full_page_writes = off",
        "autovacuum = off",
        "jit = off",
    ]);
    let mut session = Session::new(cluster.try_connect("postgres", "postgres").unwrap());
    session.client.batch_execute(SETUP).unwrap();
    session.client.batch_execute("SET dbguard.actor = 'u-77'").unwrap();
    session.client.batch_execute("VACUUM ANALYZE source").unwrap();
    let tablelog = session.client.batch_execute(TABLELOG);
    if let Err(e) = &tablelog {
        println!("skipped: tablelog ({e}; the package is postgresql-<major>-tablelog)");
    }
    let with = |variant: &str| variant != "tablelog" || tablelog.is_ok();

    let mut measured: Vec<Measured> = WORK.iter().map(|_| Measured::default()).collect();
    let mut bytes = [vec![], vec![], vec![]];
    // the first round warms caches and plans
    for round in 0..=rounds {
        for (v, variant) in VARIANTS.iter().enumerate().filter(|(_, variant)| with(variant)) {
            let table = format!("t_{variant}");
            let statements = [
                format!("INSERT INTO {table} SELECT * FROM source"),
                format!("UPDATE {table} SET status = 'done', amount = amount + 1"),
                format!("DELETE FROM {table}"),
            ];
            session.client.batch_execute(&format!("TRUNCATE {table}")).unwrap();
            for (w, statement) in statements.iter().enumerate() {
                clean(&mut session.client, tablelog.is_ok());
                session.client.batch_execute("CHECKPOINT").unwrap();
                let cost = session.cost(|c| c.batch_execute(statement).unwrap()) / ROWS as f64;
                let floor = (*variant == "rows").then(|| bare_insert(&mut session) / ROWS as f64);
                if round > 0 {
                    measured[w].cost[v].push(cost);
                    measured[w].floor.extend(floor);
                }
                if w == 1 {
                    let logs: &[&str] = match *variant {
                        "plpgsql" => &["plain_log"],
                        "rows" | "pack" => &["dbguard.audit_change", "dbguard.audit_pack"],
                        _ => continue,
                    };
                    let log = ["plpgsql", "rows", "pack"].iter().position(|name| name == variant).unwrap();
                    bytes[log].push(log_size(&mut session.client, logs) / ROWS as f64);
                }
            }
        }
    }
    for (_, variant) in VARIANTS.iter().enumerate().filter(|(_, variant)| with(variant)) {
        let single = format!(
            "PREPARE single_{variant}(bigint) AS UPDATE t_{variant} SET status = 'single', version = version + 1 WHERE id = $1"
        );
        session.client.batch_execute(&single).unwrap();
    }
    for round in 0..=rounds {
        single(&mut session, &with, |v, cost| {
            if round > 0 {
                measured[SINGLE].cost[v].push(cost);
            }
        });
    }
    print(rounds, &measured, &bytes);
}

/// Transactions that update one row each by a prepared statement, a slice of them for each variant in
/// turn; tells what one transaction cost. They go to the server together: what it costs to sleep and to
/// be woken between two of them is many times what is measured, and never the same.
fn single(session: &mut Session, with: &impl Fn(&str) -> bool, mut note: impl FnMut(usize, f64)) {
    let variants = || VARIANTS.iter().enumerate().filter(|(_, variant)| with(variant));
    for (_, variant) in variants() {
        let fill = format!(
            "TRUNCATE t_{variant}; INSERT INTO t_{variant} SELECT * FROM source WHERE id <= {SLICE}; VACUUM t_{variant}"
        );
        fill.split(';').for_each(|statement| session.client.batch_execute(statement).unwrap());
    }
    for slice in 0..=SLICES_A_ROUND {
        for (v, variant) in variants() {
            let transactions: String =
                (1..=SLICE).map(|id| format!("BEGIN; EXECUTE single_{variant}({id}); COMMIT;")).collect();
            let cost = session.cost(|c| c.batch_execute(&transactions).unwrap());
            // the first slice fills caches that TRUNCATE and VACUUM emptied
            if slice > 0 {
                note(v, cost / SLICE as f64);
            }
        }
    }
}

fn clean(client: &mut Client, tablelog: bool) {
    client
        .batch_execute("SET session_replication_role = replica; TRUNCATE plain_log, dbguard.audit_change, dbguard.audit_pack; RESET session_replication_role")
        .unwrap();
    if tablelog {
        client.batch_execute("TRUNCATE t_tablelog_log").unwrap();
    }
}

/// Bytes of these tables with their indexes and partitions.
fn log_size(client: &mut Client, tables: &[&str]) -> f64 {
    let size = "SELECT coalesce(sum(pg_total_relation_size(relid)), pg_total_relation_size($1::text::regclass))::float8
                FROM pg_partition_tree($1::text::regclass) WHERE isleaf";
    tables.iter().map(|table| client.query_one(size, &[table]).unwrap().get::<_, f64>(0)).sum()
}

fn bare_insert(session: &mut Session) -> f64 {
    session
        .client
        .batch_execute(
            "TRUNCATE raw_log, records; INSERT INTO records SELECT * FROM dbguard.audit_change ORDER BY id",
        )
        .unwrap();
    session.client.batch_execute("CHECKPOINT").unwrap();
    session.cost(|c| c.batch_execute("INSERT INTO raw_log SELECT * FROM records").unwrap())
}

fn print(rounds: usize, measured: &[Measured], bytes: &[Vec<f64>; 3]) {
    println!("Backend CPU in microseconds a row (a transaction in the last line), medians of {rounds} interleaved rounds.");
    println!("13 columns; the logs have an index by table and key and a BRIN index. Figures are what each adds over no trigger;");
    println!("in brackets the share of what PL/pgSQL adds, and the most it may be.\n");
    println!(
        "{:<20} {:>7} {:>9} {:>9} {:>20} {:>20} {:>12}",
        "", "none", "plpgsql", "tablelog", "dbguard rows", "dbguard packed", "bare INSERT"
    );
    for ((work, m), (most_rows, most_pack)) in WORK.iter().zip(measured).zip(BARS) {
        let [none, plpgsql, tablelog, rows, pack] = [0, 1, 2, 3, 4].map(|v| median(&m.cost[v]));
        let adds = |v: f64| if v.is_nan() { "-".to_owned() } else { format!("{:.2}", v - none) };
        let share = |v: f64, most: f64| {
            let share = (v - none) / (plpgsql - none);
            format!("{:.2} ({share:.2} of {most:.2}{})", v - none, if share > most { "!" } else { "" })
        };
        println!(
            "{work:<20} {none:>7.2} {:>9} {:>9} {:>20} {:>20} {:>12}",
            adds(plpgsql),
            adds(tablelog),
            share(rows, most_rows),
            most_pack.map_or_else(|| adds(pack), |most| share(pack, most)),
            if m.floor.is_empty() { "-".to_owned() } else { format!("{:.2}", median(&m.floor)) },
        );
    }
    let [plpgsql, rows, pack] = [0, 1, 2].map(|v| median(&bytes[v]));
    println!("\nLog bytes an update of two columns, indexes included: plpgsql {plpgsql:.0}, rows {rows:.0} (at most 260), packed {pack:.0} (at most 60)");
}
