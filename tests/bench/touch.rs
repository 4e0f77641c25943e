//! What keeping updated_at costs: beside no trigger, contrib's moddatetime and one in PL/pgSQL. And what a DELETE that
//! keeps its rows costs, beside the UPDATE one would write.

use crate::measure::{median, Session};
use dbguard_tests::Cluster;

const ROWS: i32 = 100_000;
const SINGLE: i32 = 5_000;

/// One column more than moddatetime can do: it sets the time whatever was changed.
const WAYS: [(&str, &str); 5] = [
    ("no trigger", ""),
    ("dbguard", "SELECT dbguard.touch_enable('t')"),
    ("moddatetime", "CREATE TRIGGER m BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION moddatetime(updated_at)"),
    ("PL/pgSQL", "CREATE TRIGGER p BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION set_updated_at()"),
    (
        "PL/pgSQL, if changed",
        "CREATE TRIGGER p BEFORE UPDATE ON t FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION set_updated_at()",
    ),
];

const SETUP: &str = "
    CREATE EXTENSION dbguard; CREATE EXTENSION moddatetime;
    CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
    CREATE FUNCTION soft_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      UPDATE t SET deleted_at = now() WHERE id = OLD.id AND deleted_at IS NULL; RETURN NULL; END $$";

fn fill(session: &mut Session, trigger: &str) {
    let sql = format!(
        "DROP TABLE IF EXISTS t;
         CREATE TABLE t (id int PRIMARY KEY, tenant uuid, status text, amount numeric(12,2), notes text, payload jsonb, at timestamptz,
                         gift bool, n int, updated_at timestamptz DEFAULT now()) WITH (fillfactor = 45, autovacuum_enabled = off);
         INSERT INTO t SELECT i, md5((i % 50)::text)::uuid, 'new', i % 10000 / 100.0, 'note ' || md5(i::text),
                              jsonb_build_object('sku', 'SKU-' || i, 'qty', i % 9), now(), i % 2 = 0, 0 FROM generate_series(1, {ROWS}) i;
         VACUUM ANALYZE t; {trigger}"
    );
    for statement in sql.split(';') {
        session.client.batch_execute(statement).unwrap();
    }
}

/// Each deletes all rows softly.
const DELETES: [(&str, &str, &str); 3] = [
    ("UPDATE by hand", "", "UPDATE t SET deleted_at = now() WHERE deleted_at IS NULL"),
    ("dbguard", "SELECT dbguard.soft_delete_enable('t')", "DELETE FROM t"),
    (
        "PL/pgSQL",
        "CREATE TRIGGER s BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION soft_delete()",
        "DELETE FROM t",
    ),
];

fn soft_delete(session: &mut Session, rounds: usize) {
    let mut bulk = vec![vec![]; DELETES.len()];
    let mut single = vec![vec![]; DELETES.len()];
    for _ in 0..rounds {
        for (n, (_, trigger, sql)) in DELETES.iter().enumerate() {
            fill(session, "ALTER TABLE t ADD COLUMN deleted_at timestamptz");
            session.client.batch_execute(trigger).unwrap();
            let and = if sql.contains("WHERE") { "AND" } else { "WHERE" };
            let one = session.client.prepare(&format!("{sql} {and} id = $1")).unwrap();
            let cost =
                session.cost(|c| (1..=SINGLE).for_each(|id| _ = c.execute(&one, &[&(id * 17)]).unwrap()));
            single[n].push(cost / f64::from(SINGLE));
            session.client.batch_execute("VACUUM t").unwrap();
            bulk[n].push(session.cost(|c| c.batch_execute(sql).unwrap()) / 1000.0);
            let left =
                session.client.query_one("SELECT count(*) FROM t WHERE deleted_at IS NULL", &[]).unwrap();
            assert_eq!(left.get::<_, i64>(0), 0);
        }
    }
    println!("\n| soft delete | all, ms | by hand x | a transaction of one row, us |");
    println!("|---|---|---|---|");
    let by_hand = median(&bulk[0]);
    for (n, (way, ..)) in DELETES.iter().enumerate() {
        let (all, one) = (median(&bulk[n]), median(&single[n]));
        println!("| {way} | {all:.0} | {:.2} | {one:.1} |", all / by_hand);
    }
}

/// Runs the benchmark and prints its tables.
pub fn run(rounds: usize) {
    let cluster =
        Cluster::start(&["shared_buffers = 1GB", "max_wal_size = 20GB", "jit = off", "fsync = off"]);
    let mut session = Session::new(cluster.try_connect("postgres", "postgres").unwrap());
    session.client.batch_execute(SETUP).unwrap();
    let mut bulk = vec![vec![]; WAYS.len()];
    let mut single = vec![vec![]; WAYS.len()];
    for _ in 0..rounds {
        for (n, (_, trigger)) in WAYS.iter().enumerate() {
            fill(&mut session, trigger);
            let whole = "UPDATE t SET n = n + 1";
            bulk[n].push(session.cost(|c| c.batch_execute(whole).unwrap()) / 1000.0);
            session.client.batch_execute("VACUUM t").unwrap();
            let one = session.client.prepare("UPDATE t SET n = n + 1 WHERE id = $1").unwrap();
            let cost =
                session.cost(|c| (1..=SINGLE).for_each(|id| _ = c.execute(&one, &[&(id * 17)]).unwrap()));
            single[n].push(cost / f64::from(SINGLE));
        }
    }
    println!("{ROWS} rows of 10 columns, {rounds} rounds, medians of the backend's CPU.\n");
    println!(
        "| | UPDATE of all, ms | over no trigger, ms | a transaction of one row, us | over no trigger, us |"
    );
    println!("|---|---|---|---|---|");
    let (bare, bare_one) = (median(&bulk[0]), median(&single[0]));
    for (n, (way, _)) in WAYS.iter().enumerate() {
        let (all, one) = (median(&bulk[n]), median(&single[n]));
        println!("| {way} | {all:.0} | {:.1} | {one:.1} | {:.2} |", all - bare, one - bare_one);
    }
    soft_delete(&mut session, rounds);
}
