//! Sets of pg_partman taken over, from a real one.

mod meanwhile;
mod refused;
mod shapes;
mod taken;

use dbguard_tests::Db;

/// A database with both extensions; `None` where there is no pg_partman.
fn database() -> Option<Db<'static>> {
    let mut db = Db::new();
    if !db.offers(&["pg_partman"]) {
        return None;
    }
    db.exec(
        "CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman; SET client_min_messages = error",
    );
    Some(db)
}

/// Makes `table`, which must be empty of dots and stand in schema public, a set of pg_partman with 4 ahead.
fn set(db: &mut Db, table: &str, kind: &str, every: &str, epoch: &str) {
    db.exec(&format!(
        "CREATE TABLE public.\"{table}\" (id bigint, at {kind} NOT NULL, v text) PARTITION BY RANGE (at)"
    ));
    hand_over(db, &format!("public.{table}"), every, epoch);
}

fn hand_over(db: &mut Db, name: &str, every: &str, epoch: &str) {
    db.exec(&format!(
        "SELECT partman.create_parent(p_parent_table := '{name}', p_control := 'at', p_interval := '{every}', p_epoch := '{epoch}',
                  p_premake := 4, p_jobmon := false, p_type := CASE WHEN extversion LIKE '4.%' THEN 'native' ELSE 'range' END)
         FROM pg_extension WHERE extname = 'pg_partman';
         UPDATE partman.part_config SET infinite_time_partitions = true WHERE parent_table = '{name}'"
    ));
}

/// Has pg_partman make what it finds missing. In the afternoon it counts the partitions ahead as one fewer than
/// in the morning (it rounds the time to the last one), so a set made in the afternoon gets one more at once.
fn settle(db: &mut Db) {
    db.exec("SELECT partman.run_maintenance()");
}

/// How many partitions a table has, and a digest of their names and bounds.
fn partitions(db: &mut Db, table: &str) -> String {
    db.lines(&format!(
        "SELECT count(*), md5(string_agg(c.oid || c.relname || c.relpartbound::text, ',' ORDER BY c.oid))
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '{table}'::regclass"
    ))
    .remove(0)
}

const CONFIG: &str = "SELECT c::text FROM partman.part_config c ORDER BY parent_table";
