//! Every function is immune to what an attacker puts in front of the server's own objects.

use dbguard_tests::Db;

/// Every function users can call, with arguments that make it work.
const CALLS: &[&str] = &[
    "SELECT * FROM dbguard.audit_enable('mine.t'::regclass, exclude => '{b}')",
    "SELECT * FROM dbguard.audit_enable_all('mine', skip => '{p}', dry_run => true)",
    "SELECT * FROM dbguard.audit_status()",
    "SELECT * FROM dbguard.audit_coverage('mine')",
    "SELECT dbguard.audit_pause('mine.t'::regclass, 'x')",
    "SELECT dbguard.audit_resume('mine.t'::regclass)",
    "SELECT dbguard.audit_auto_enable('mine', exclude => '{b}')",
    "CREATE TABLE mine.made (id int, b text) PARTITION BY RANGE (id)",
    "CREATE TABLE mine.made1 PARTITION OF mine.made FOR VALUES FROM (0) TO (9)",
    "TRUNCATE mine.made1",
    "SELECT dbguard.audit_auto_disable('mine')",
    "DROP TABLE mine.made",
    "SELECT * FROM dbguard.touch_enable('mine.t'::regclass)",
    "SELECT * FROM dbguard.touch_enable_all('mine')",
    "SELECT dbguard.touch_auto_enable('mine')",
    "CREATE TABLE mine.made (id int, updated_at timestamptz)",
    "SELECT dbguard.touch_auto_disable('mine')",
    "DROP TABLE mine.made",
    "SELECT * FROM dbguard.touch_status()",
    "SELECT * FROM dbguard.soft_delete_plan('mine.s'::regclass, live_view => 'live'::text)",
    "SELECT * FROM dbguard.soft_delete_enable('mine.s2'::regclass)",
    "SELECT * FROM dbguard.soft_delete_enable('mine.s'::regclass, children => 'follow'::text, live_view => 'live'::text)",
    "DELETE FROM mine.live",
    "SELECT * FROM dbguard.soft_delete_restore('mine.s'::regclass, '1'::text)",
    "SELECT * FROM dbguard.soft_delete_status()",
    "DELETE FROM mine.s",
    "SELECT * FROM dbguard.soft_delete_purge_plan('mine.s'::regclass, '0'::interval)",
    "CALL dbguard.soft_delete_purge('mine.s'::regclass, '0'::interval)",
    "SELECT dbguard.soft_delete_disable('mine.s'::regclass)",
    "INSERT INTO mine.s VALUES (1), (2)",
    "CREATE TABLE mine.tenants_rows (id int PRIMARY KEY, tenant_id int)",
    "SELECT * FROM dbguard.tenant_enable('mine.tenants_rows'::regclass)",
    "SELECT * FROM dbguard.tenant_export_plan('1', 'mine')",
    "SELECT * FROM dbguard.tenant_export('1', 'mine')",
    "SELECT * FROM dbguard.tenant_erase_plan('1', 'mine')",
    "SELECT * FROM dbguard.tenant_erase('1', 'mine')",
    "DROP TABLE mine.tenants_rows",
    "CREATE TABLE mine.made (b text)",
    "INSERT INTO mine.made VALUES ('x')",
    "SELECT * FROM dbguard.standard_columns_plan('mine.made'::regclass, '{id,created_at,updated_at,deleted_at,tenant_id}')",
    "SELECT * FROM dbguard.standard_columns('mine.made'::regclass, '{id,created_at,updated_at,deleted_at,tenant_id}')",
    "DROP TABLE mine.made",
    "SELECT * FROM dbguard.tenant_plan('mine.g'::regclass)",
    "SELECT * FROM dbguard.tenant_enable('mine.g'::regclass)",
    "SELECT * FROM dbguard.tenant_enable_all('mine')",
    "CREATE TABLE mine.g2 PARTITION OF mine.g DEFAULT",
    "SELECT pg_catalog.set_config('app.tenant_id', '1', false)",
    "INSERT INTO mine.g VALUES (1, 1)",
    "SELECT * FROM mine.g WHERE id OPERATOR(pg_catalog.=) 1",
    "SELECT dbguard.tenant_uuid('app.x'), dbguard.tenant_bigint('app.x'), dbguard.tenant_int('app.x'), dbguard.tenant_text('app.x')",
    "SELECT * FROM dbguard.tenant_status()",
    "SELECT * FROM dbguard.tenant_check('mine')",
    "SELECT * FROM dbguard.tenant_usage('mine')",
    "SELECT * FROM dbguard.tenant_usage('mine', true)",
    "SELECT dbguard.tenant_disable('mine.g'::regclass)",
    "DROP TABLE mine.g2",
    "INSERT INTO mine.t (id, b) VALUES (1, 'x')",
    "UPDATE mine.t SET c = 'y'",
    "ALTER TABLE mine.t RENAME b TO bb",
    "SELECT * FROM dbguard.audit_history('mine.t'::regclass, '1')",
    "SELECT * FROM dbguard.audit_diff('mine.t'::regclass, '1')",
    "SELECT * FROM dbguard.audit_transaction('3'::xid8)",
    "SELECT * FROM dbguard.audit_changes('mine.t'::regclass, 'me'::text, 'x'::text, '2020-01-01'::pg_catalog.timestamptz, '2020-01-01'::pg_catalog.timestamptz)",
    "SELECT * FROM dbguard.audit_as_of(NULL::mine.t, pg_catalog.clock_timestamp())",
    "SELECT * FROM dbguard.audit_as_of(NULL::mine.t, pg_catalog.clock_timestamp(), '1'::text)",
    "SELECT dbguard.audit_export(relation => 'mine.t'::regclass)",
    "SELECT * FROM dbguard.audit_ddl_status()",
    "SELECT * FROM dbguard.audit_redact('mine.t'::regclass, '1', '{c}'::text[], 'asked to')",
    "SELECT * FROM dbguard.audit_seal()",
    "SELECT dbguard.audit_seal_export()",
    "SELECT * FROM dbguard.audit_verify()",
    "SELECT * FROM dbguard.audit_revert_plan(relation => 'mine.t'::regclass, key => '1')",
    "SELECT * FROM dbguard.audit_revert(relation => 'mine.t'::regclass, key => '1', on_conflict => 'force')",
    "DELETE FROM mine.t",
    "TRUNCATE mine.t",
    "SELECT * FROM dbguard.partition_enable('mine.p'::regclass, '1 day'::interval, 3)",
    "SELECT * FROM dbguard.partition_retain('mine.p', '1 day', retire => 'drop')",
    "SELECT * FROM dbguard.partition_plan()",
    "SELECT * FROM dbguard.partition_fence('mine.p'::regclass, dry_run => true)",
    "CREATE TABLE mine.p_rest PARTITION OF mine.p DEFAULT",
    "ALTER TABLE mine.p_rest OWNER TO path_owner",
    "INSERT INTO mine.p VALUES (pg_catalog.now() OPERATOR(pg_catalog.-) '3 days'::pg_catalog.interval)",
    "SELECT * FROM dbguard.partition_drain_plan('mine.p'::regclass)",
    "CALL dbguard.partition_drain('mine.p'::regclass)",
    "SELECT * FROM dbguard.partition_regrain_plan('mine.p'::regclass, (SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent OPERATOR(pg_catalog.=) 'mine.p'::regclass AND inhrelid OPERATOR(pg_catalog.<>) 'mine.p_rest'::regclass LIMIT 1)::regclass)",
    "DROP TABLE mine.p_rest",
    "SELECT dbguard.partition_drain_cancel('mine.p'::regclass)",
    "SELECT * FROM dbguard.partition_status()",
    "SELECT * FROM dbguard.partition_health()",
    "DO $$ BEGIN PERFORM dbguard.partition_import_partman(dry_run => true);
           EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$",
    "SELECT * FROM dbguard.partition_convert_plan('mine.c', 'at', '1 day'::interval)",
    "CALL dbguard.partition_convert('mine.c', 'at', '1 day'::interval)",
    "CALL dbguard.partition_unconvert('mine.c')",
    "SELECT dbguard.partition_convert_cancel('mine.c')",
    "SELECT * FROM dbguard.lint()",
    "SELECT * FROM dbguard.lint('{mine}'::text[], '{indexes}'::text[], min_severity => 'info')",
    "SELECT * FROM dbguard.lint_table('mine.t'::regclass)",
    "SELECT * FROM dbguard.lint_summary('schema')",
    "SELECT dbguard.lint_check('never')",
    "SELECT dbguard.lint_report('sarif', '{}'::pg_catalog.jsonb)",
    "SELECT dbguard.lint_fix_script()",
    "SELECT * FROM dbguard.lint_tap()",
    "SELECT * FROM dbguard.lint_configure('TYP001', false)",
    "SELECT dbguard.lint_ignore('TYP007', 'mine.*', 'x'), dbguard.lint_unignore('TYP007', 'mine.*')",
    "SELECT dbguard.lint_baseline_save('mine')",
    "SELECT * FROM dbguard.lint_baseline_diff('mine')",
    "SELECT dbguard.lint_baseline_prune('mine')",
    "SELECT dbguard.lint_baseline_import('mine2', dbguard.lint_baseline_export('mine'))",
    "SELECT dbguard.lint_register('OWN001', 'rules.v', 'x')",
    "SELECT * FROM dbguard.lint(rules => '{OWN001}')",
    "SELECT dbguard.lint_unregister('OWN001')",
    "SELECT * FROM dbguard.lint_score()",
    "SELECT * FROM dbguard.lint_rules",
    "SELECT dbguard.lint_explain('IDX001')",
    "SELECT dbguard.version()",
    "SELECT dbguard.partition_disable('mine.p'::regclass)",
    "SELECT dbguard.touch_disable('mine.t'::regclass)",
    "SELECT dbguard.audit_disable('mine.t'::regclass)",
];

/// What only the owner of the log may call.
const OF_THE_LOGS_OWNER: &[&str] = &[
    "CALL dbguard.partition_maintain()",
    "SELECT * FROM dbguard.audit_log_set('closed', true, true, '1 year'::interval)",
    "SELECT * FROM dbguard.audit_maintain()",
    "SELECT * FROM dbguard.audit_log_set('key', false, false, '0'::interval)",
    "SELECT * FROM dbguard.audit_ddl_enable(true, '{mine}')",
    "CREATE TABLE mine.d (id int)",
    "DROP TABLE mine.d",
    "SELECT dbguard.audit_ddl_disable()",
    "SELECT dbguard.audit_init()",
    "SELECT dbguard.audit_publication('path')",
    "DROP PUBLICATION path",
    "INSERT INTO theirs.record_version VALUES (1, 'INSERT', pg_catalog.now(), 'mine', 'other', '{}', NULL)",
    "SELECT * FROM dbguard.audit_import('theirs.record_version'::regclass)",
];

/// Fakes of one- and two-argument functions and of operators that catalog queries use. Each notes who
/// called it.
const FAKES: &str = "
    CREATE TABLE evil.called (what text, who text);
    GRANT ALL ON evil.called TO PUBLIC;
    CREATE FUNCTION evil.note(what text) RETURNS void LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO evil.called VALUES (what, CURRENT_USER); END $$;
    DO $$
    DECLARE t text; u text; o text; f text;
    BEGIN
      FOREACH t IN ARRAY ARRAY['oid', 'name', 'text', 'int4', 'int8', '\"char\"', 'int2', 'timestamptz', 'bool'] LOOP
        FOREACH f IN ARRAY ARRAY['upper', 'lower', 'format_type', 'quote_ident', 'length', 'now', 'max', 'count', 'hashtext',
                                 'pg_get_expr', 'pg_get_indexdef', 'has_table_privilege', 'unnest', 'coalesce_', 'to_regclass',
                                 'nextval', 'current_setting', 'array_agg', 'jsonb_object_agg', 'pg_sleep', 'starts_with'] LOOP
          EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM evil.note(%L); RETURN NULL; END $f$', f, t, t, f);
        END LOOP;
        EXECUTE format('CREATE FUNCTION evil.op(%1$s, %1$s) RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN PERFORM evil.note(''operator''); RETURN true; END $f$', t);
        FOREACH o IN ARRAY ARRAY['=', '<>', '<', '>', '<=', '>=', '~', '||', '~~'] LOOP
          EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = evil.op)', o, t);
        END LOOP;
      END LOOP;
      FOREACH t IN ARRAY ARRAY['pg_class', 'pg_trigger', 'pg_namespace', 'pg_attribute', 'pg_index', 'pg_constraint', 'pg_proc', 'pg_extension',
                               'pg_inherits', 'audit_change', 'audit_log', 'partition_set', 'pg_type', 'pg_policy'] LOOP
        EXECUTE format('CREATE TEMP TABLE %I (oid oid)', t);
        EXECUTE format('CREATE VIEW evil.%I AS SELECT NULL::oid AS oid, evil.note(%L)::text AS note', t, t);
      END LOOP;
    END $$";

#[test]
fn nothing_of_an_attackers_is_ever_called() {
    let mut db = Db::new();
    let mut owner = db.connect_as("path_owner");
    db.exec(
        "CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO PUBLIC;
         CREATE SCHEMA mine AUTHORIZATION path_owner; SET ROLE path_owner;
         CREATE TABLE mine.t (id int PRIMARY KEY, b text, c text, updated_at timestamptz);
         CREATE TABLE mine.g (id int, tenant_id int) PARTITION BY LIST (id);
         CREATE TABLE mine.p (at timestamptz) PARTITION BY RANGE (at);
         CREATE TABLE mine.c (id int, at timestamptz, PRIMARY KEY (id, at)); CREATE VIEW mine.v AS SELECT * FROM mine.c;
         CREATE TABLE mine.s (id int PRIMARY KEY, deleted_at timestamptz); INSERT INTO mine.s VALUES (1), (2), (3);
         CREATE TABLE mine.s2 (s int REFERENCES mine.s ON DELETE CASCADE, deleted_at timestamptz); INSERT INTO mine.s2 VALUES (1), (2);
         RESET ROLE;
         CREATE SCHEMA rules; CREATE VIEW rules.v AS SELECT 'x' AS message;
         GRANT USAGE ON SCHEMA rules TO path_owner; GRANT SELECT ON rules.v TO path_owner;
         CREATE SCHEMA theirs; CREATE TABLE theirs.record_version (id bigserial, op text, ts timestamptz, table_schema text, table_name text, record jsonb, old_record jsonb);
         SELECT dbguard.audit_enable('mine.t'); SELECT dbguard.audit_disable('mine.t');
         GRANT ALL ON ALL TABLES IN SCHEMA dbguard TO path_owner;
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA dbguard TO path_owner",
    );
    // planted, then used: as the owner, then by a superuser who is careless about his path
    owner.exec(FAKES);
    for path in ["evil, pg_temp, pg_catalog", "pg_temp, evil, mine, pg_catalog", ""] {
        owner.exec(&format!("SELECT pg_catalog.set_config('search_path', '{path}', false)"));
        db.exec(&format!("SELECT pg_catalog.set_config('search_path', '{path}', false)"));
        for (who, session) in [("owner", &mut owner), ("superuser", &mut db)] {
            for call in CALLS {
                session.try_exec(call).unwrap_or_else(|e| panic!("{who}, path {path:?}, {call}: {e:?}"));
                let called = session.lines("SELECT what, who FROM evil.called");
                assert_eq!(called, Vec::<String>::new(), "{who}, path {path:?}, {call}");
            }
            session.exec("ALTER TABLE mine.t RENAME bb TO b");
        }
        assert_eq!(
            db.lines("SELECT DISTINCT what, who FROM evil.called"),
            Vec::<String>::new(),
            "path {path:?}"
        );
    }
    let functions = db.lines(
        "SELECT p.proname FROM pg_catalog.pg_proc p
         WHERE p.pronamespace OPERATOR(pg_catalog.=) 'dbguard'::pg_catalog.regnamespace AND p.proname !~ '^_'
           AND p.prorettype OPERATOR(pg_catalog.<>) ALL ('{trigger,event_trigger}'::pg_catalog.regtype[]) AND p.prokind::text OPERATOR(pg_catalog.=) 'f'",
    );
    let uncalled: Vec<&String> = functions
        .iter()
        .filter(|f| !CALLS.iter().chain(OF_THE_LOGS_OWNER).any(|c| c.contains(&format!("dbguard.{f}("))))
        .collect();
    assert_eq!(uncalled, Vec::<&String>::new());
}
