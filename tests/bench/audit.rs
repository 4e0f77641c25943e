//! What the audit trigger adds to a write, beside a careful PL/pgSQL row trigger that logs the same
//! facts into a log with the same indexes, Debian's tablelog, and a bare INSERT of the very records
//! the trigger writes: the floor.

use crate::measure::{median, Session};
use dbguard_tests::Cluster;
use postgres::Client;

const ROWS: usize = 100_000;
const SINGLE: usize = 3_000;

const VARIANTS: [&str; 5] = ["none", "plpgsql", "tablelog", "rows", "pack"];
const WORK: [&str; 4] = ["INSERT, 100k rows", "UPDATE, 100k rows", "DELETE, 100k rows", "single-row UPDATE"];
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

    let empty = || Measured { cost: Default::default(), floor: vec![] };
    let mut measured: Vec<Measured> = WORK.iter().map(|_| empty()).collect();
    let mut bytes = [vec![], vec![], vec![]];
    // the first round warms caches and plans
    for round in 0..=rounds {
        for (v, variant) in VARIANTS.iter().enumerate().filter(|(_, variant)| with(variant)) {
            let table = format!("t_{variant}");
            let mut note = |w: usize, cost: f64| {
                if round > 0 {
                    measured[w].cost[v].push(cost);
                }
            };
            clean(&mut session.client, tablelog.is_ok());
            session.client.batch_execute(&format!("TRUNCATE {table}")).unwrap();
            let statements = [
                format!("INSERT INTO {table} SELECT * FROM source"),
                format!("UPDATE {table} SET status = 'done', amount = amount + 1"),
                format!("DELETE FROM {table} WHERE id > {SINGLE}"),
            ];
            let mut floors = vec![];
            for (w, statement) in statements.iter().enumerate() {
                clean(&mut session.client, tablelog.is_ok());
                session.client.batch_execute("CHECKPOINT").unwrap();
                let rows = if w == 2 { ROWS - SINGLE } else { ROWS } as f64;
                note(w, session.cost(|c| c.batch_execute(statement).unwrap()) / rows);
                match *variant {
                    "plpgsql" if w == 1 => {
                        bytes[0].push(log_size(&mut session.client, &["plain_log"]) / rows)
                    }
                    "rows" => {
                        if w == 1 {
                            bytes[1].push(log_size(&mut session.client, &["dbguard.audit_change"]) / rows);
                        }
                        floors.push((w, bare_insert(&mut session) / rows));
                    }
                    "pack" if w == 1 => bytes[2].push(
                        log_size(&mut session.client, &["dbguard.audit_change", "dbguard.audit_pack"]) / rows,
                    ),
                    _ => {}
                }
            }
            clean(&mut session.client, tablelog.is_ok());
            session.client.batch_execute(&format!("VACUUM {table}")).unwrap();
            let update = format!("UPDATE {table} SET status = 'single', version = version + 1 WHERE id = $1");
            let update = session.client.prepare(&update).unwrap();
            let single = session.cost(|c| {
                for id in 1..=SINGLE as i64 {
                    c.execute(&update, &[&id]).unwrap();
                }
            });
            note(3, single / SINGLE as f64);
            if round > 0 {
                floors.into_iter().for_each(|(w, cost)| measured[w].floor.push(cost));
            }
        }
    }
    print(rounds, &measured, &bytes);
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
    let size = "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::float8 FROM pg_partition_tree($1::text::regclass) WHERE isleaf";
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
