//! The readers' own queries, and the indexes they use.

use dbguard_tests::Db;

const CHANGES: &str = include_str!("../../../src/audit/read/changes.sql");
const TRANSACTION: &str = include_str!("../../../src/audit/read/transaction.sql");
const EVENTS: &str = include_str!("../../../src/audit/read/events.sql");

/// A log of 200,000 changes over forty days, of which the session can tell the last.
fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t');
         INSERT INTO dbguard.audit_context (id, at, actor, session_user_name, current_user_name)
         SELECT i, now() - interval '40 days' + i * interval '1 hour', 'u-' || i % 100, 'x', 'x' FROM generate_series(1, 960) i;
         INSERT INTO dbguard.audit_change (id, at, xact, context, relation, op, key, new)
         SELECT i, now() - interval '40 days' + i * interval '17 seconds', (i / 10)::text::xid8, i * 17 / 3600, 1, 'I', i, '{}' FROM generate_series(1000, 200000) i",
    );
    db.exec("VACUUM ANALYZE");
    db.exec("SET plan_cache_mode = force_custom_plan");
    db
}

fn plan(db: &mut Db, types: &str, query: &str, args: &str) -> String {
    db.exec(&format!("DEALLOCATE ALL; PREPARE q ({types}) AS {query}"));
    db.lines(&format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE q ({args})")).join("\n")
}

#[test]
fn a_transaction_is_found_by_its_brin_index() {
    let mut db = db();
    let plan = plan(&mut db, "xid8", TRANSACTION, "'15000'");
    assert!(plan.contains("Bitmap Index Scan on audit_change") && plan.contains("_id_at_xact_idx"), "{plan}");
    // but where there is nothing to find
    let month = db.value("SELECT to_char(now() AT TIME ZONE 'UTC', '\"audit_change_p\"YYYYMM')");
    for large in ["audit_change_default", &month] {
        assert!(!plan.contains(&format!("Seq Scan on {large}")), "{plan}");
    }
}

#[test]
fn a_stretch_of_time_is_found_by_its_partitions_and_brin_index() {
    let mut db = db();
    let types = "int, text, text, timestamptz, timestamptz";
    let day = "now() - interval '1 day', now() - interval '23 hours'";
    let found = plan(&mut db, types, CHANGES, &format!("NULL, NULL, NULL, {day}"));
    assert!(
        found.contains("Bitmap Index Scan on audit_change") || found.contains("Subplans Removed"),
        "{found}"
    );
    assert!(!found.contains("Seq Scan on audit_change_default"), "{found}");
}

#[test]
fn an_actor_is_looked_up_first() {
    let mut db = db();
    db.exec("SET session_replication_role = replica; UPDATE dbguard.audit_context SET actor = 'rare' WHERE id = 500; RESET session_replication_role");
    let types = "int, text, text, timestamptz, timestamptz";
    let found = plan(&mut db, types, CHANGES, "NULL, 'rare', NULL, NULL, NULL");
    assert!(found.contains("InitPlan") && found.contains("Bitmap Index Scan on audit_change"), "{found}");
}

#[test]
fn the_changes_since_a_moment_are_read_alone() {
    let mut db = db();
    let found = plan(&mut db, "int[], timestamptz", EVENTS, "'{1}', now() - interval '5 minutes'");
    assert!(!found.contains("Seq Scan on audit_change_default"), "{found}");
}
