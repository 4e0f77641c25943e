//! A standby answers whatever only reads, and refuses the rest by its right name.

use dbguard_tests::{Cluster, Db};

/// Every function that changes nothing, with arguments that make it read.
const READS: &[&str] = &[
    "audit_status()",
    "audit_coverage('public')",
    "audit_history('t', '1')",
    "audit_diff('t', '1')",
    "audit_transaction('3'::xid8)",
    "audit_changes('t')",
    "audit_as_of(NULL::t, now())",
    "audit_as_of(NULL::t, now(), '1')",
    "audit_export(relation => 't')",
    "audit_ddl_status()",
    "audit_seal_export()",
    "audit_verify()",
    "audit_revert_plan(relation => 't', key => '1')",
    "audit_enable_all('public', dry_run => true)",
    "touch_status()",
    "touch_enable_all('public', dry_run => true)",
    "soft_delete_plan('t')",
    "soft_delete_status()",
    "soft_delete_purge_plan('s', '0')",
    "standard_columns_plan('t', '{id,created_at,updated_at,deleted_at,tenant_id}')",
    "tenant_plan('t')",
    "tenant_enable_all('public', dry_run => true)",
    "tenant_status()",
    "tenant_check()",
    "tenant_usage()",
    "tenant_usage(exact => true)",
    "tenant_export_plan('1')",
    "tenant_export('1')",
    "tenant_erase_plan('1')",
    "tenant_erase_plan('1', audit => 'redact')",
    "tenant_uuid('app.x')",
    "tenant_bigint('app.x')",
    "tenant_int('app.x')",
    "tenant_text('app.x')",
    "partition_plan()",
    "partition_status()",
    "partition_health()",
    "partition_drain_plan('p')",
    "partition_regrain_plan('p', (SELECT max(inhrelid) FROM pg_inherits WHERE inhparent = 'p'::regclass)::regclass)",
    "partition_convert_plan('c', 'at', '1 day')",
    "lint()",
    "lint(profile => 'production')",
    "lint_table('t')",
    "lint_summary('schema')",
    "lint_check('never')",
    "lint_report('sarif', '{}')",
    "lint_fix_script()",
    "lint_tap()",
    "lint_baseline_diff('mine')",
    "lint_baseline_export('mine')",
    "lint_score()",
    "lint_explain('IDX001')",
    "version()",
];

fn failures(db: &mut Db) -> Vec<String> {
    let mut failures = vec![];
    for call in READS {
        if let Err(e) = db.try_exec(&format!("BEGIN READ ONLY; SELECT * FROM dbguard.{call}; COMMIT")) {
            failures.push(format!("{call}: {} {}", e.code, e.message));
            db.exec("ROLLBACK");
        }
    }
    failures
}

#[test]
fn what_only_reads_is_answered_and_what_writes_is_refused() {
    let primary = Cluster::start(&[]);
    let mut db = Db::new_in(&primary);
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, tenant_id int, b text, updated_at timestamptz, deleted_at timestamptz);
         CREATE TABLE s (id int PRIMARY KEY, deleted_at timestamptz); INSERT INTO s VALUES (1, now()), (2, NULL);
         CREATE TABLE g (id int PRIMARY KEY, tenant_id int); INSERT INTO g VALUES (1, 1), (2, 2); CREATE TABLE of_g (g int REFERENCES g); INSERT INTO of_g VALUES (1);
         CREATE TABLE p (at timestamptz) PARTITION BY RANGE (at); CREATE TABLE p_rest PARTITION OF p DEFAULT;
         CREATE TABLE c (id int, at timestamptz NOT NULL, PRIMARY KEY (id, at));
         SELECT dbguard.audit_enable('t'), dbguard.audit_enable('g', tenant => 'tenant_id'), dbguard.touch_enable('t'), dbguard.soft_delete_enable('s'), dbguard.tenant_enable('g');
         SELECT dbguard.partition_enable('p', '1 day', 3); SELECT dbguard.lint_baseline_save('mine');
         INSERT INTO t VALUES (1, 1, 'x'); UPDATE t SET b = 'y'; INSERT INTO g VALUES (3, 1)",
    );
    db.exec("INSERT INTO p VALUES (now() - interval '9 days'); SELECT dbguard.audit_seal()");
    let standby = Cluster::standby_of(&primary);
    let mut there = Db::existing_in(&standby, &db.name);
    // as on the primary, in a transaction that writes nothing
    assert_eq!((failures(&mut db), failures(&mut there)), (vec![], vec![]));
    let reading = there.lines(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'dbguard'::regnamespace AND proname !~ '^_' AND provolatile <> 'v'
           AND prorettype <> ALL ('{trigger,event_trigger}'::regtype[])",
    );
    let missing: Vec<&String> =
        reading.iter().filter(|f| !READS.iter().any(|c| c.starts_with(&format!("{f}(")))).collect();
    assert_eq!(missing, Vec::<&String>::new());
    let writes = [
        "audit_enable('c')",
        "audit_disable('t')",
        "touch_enable('c', 'at')",
        "touch_disable('t')",
        "soft_delete_enable('t')",
        "soft_delete_disable('s')",
        "soft_delete_restore('s', '1')",
        "standard_columns('t', '{created_at}')",
        "tenant_enable('t')",
        "tenant_disable('g')",
        "tenant_erase('1')",
        "partition_enable('c', '1 day')",
        "partition_disable('p')",
        "lint_configure('TYP001', false)",
    ];
    let refusals: Vec<String> = writes
        .iter()
        .map(|call| (call, there.error(&format!("SELECT * FROM dbguard.{call}"))))
        .filter(|(_, e)| e.code != "25006")
        .map(|(call, e)| format!("{call}: {} {}", e.code, e.message))
        .collect();
    assert_eq!(refusals, Vec::<String>::new());
}
