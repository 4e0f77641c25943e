//! Cases 33 and 35: whose new partitions are, and what they take over. Names (28 to 32) are in
//! `names` and `rights`.

use dbguard_tests::Db;

/// The relations made for `t` last: its newest partition, and the parts of that.
const NEWEST: &str = "(SELECT max(inhrelid) FROM pg_inherits WHERE inhparent = 't'::regclass)";

#[test]
fn case_33_owner_rights_and_policies_and_no_default_privileges() {
    let mut db = Db::new();
    for role in ["case33_app", "case33_reader", "case33_runner"] {
        db.connect_as(role);
    }
    db.exec(
        "GRANT CREATE ON SCHEMA public TO case33_app;
         CREATE TABLE t (at date NOT NULL, tenant text, secret text) PARTITION BY RANGE (at);
         ALTER TABLE t OWNER TO case33_app;
         GRANT SELECT, INSERT ON t TO case33_reader; GRANT UPDATE (secret) ON t TO case33_reader;
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
         CREATE SCHEMA tools;
         CREATE FUNCTION tools.\"it's me\"() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
         GRANT USAGE ON SCHEMA tools TO PUBLIC;
         CREATE POLICY \"own rows\" ON t FOR SELECT TO case33_reader, case33_app
           USING (tenant = tools.\"it's me\"() AND secret <> E'it''s \\\\ so');
         CREATE POLICY adding ON t AS RESTRICTIVE FOR INSERT WITH CHECK (tenant <> 'nobody');
         CREATE POLICY everyone ON t FOR INSERT WITH CHECK (true);
         ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO case33_reader;
         ALTER DEFAULT PRIVILEGES FOR ROLE case33_app GRANT TRUNCATE ON TABLES TO case33_reader;
         ALTER DEFAULT PRIVILEGES FOR ROLE case33_runner GRANT TRIGGER ON TABLES TO case33_reader;
         GRANT EXECUTE ON PROCEDURE dbguard.partition_maintain() TO case33_runner",
    );
    db.exec(
        "SET ROLE case33_app; SELECT dbguard.partition_enable('t', '1 day', 1, policies => true); RESET ROLE",
    );
    db.exec("UPDATE dbguard.partition_set SET ahead = 2");
    db.exec("CALL dbguard.partition_maintain()");
    db.exec("UPDATE dbguard.partition_set SET ahead = 3");
    db.connect_as("case33_runner").exec("CALL dbguard.partition_maintain()");
    let partitions = "FROM pg_class c JOIN pg_inherits ON inhrelid = c.oid WHERE inhparent = 't'::regclass";
    assert_eq!(db.value(&format!("SELECT count(*) {partitions}")), "4");
    let shape = "c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity,
        (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a),
        (SELECT array_agg(a.attname || a.attacl::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND attacl IS NOT NULL),
        (SELECT array_agg((polname, polpermissive, polcmd, (SELECT array_agg(r ORDER BY r) FROM unnest(polroles) r),
                pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))::text ORDER BY polname)
         FROM pg_policy WHERE polrelid = c.oid)";
    assert_eq!(
        db.lines(&format!("SELECT DISTINCT {shape} {partitions}")),
        db.lines(&format!("SELECT {shape} FROM pg_class c WHERE c.oid = 't'::regclass"))
    );
    db.exec("ALTER TABLE t NO FORCE ROW LEVEL SECURITY");
    db.exec("SET ROLE case33_app; INSERT INTO t SELECT now(), r, '' FROM unnest('{case33_app,case33_reader}'::text[]) r; RESET ROLE");
    // the same rows whichever way they are reached
    let mut reader = db.connect_as("case33_reader");
    let today = db.value("SELECT tableoid::regclass FROM t LIMIT 1");
    for table in ["t", &today] {
        assert_eq!(reader.lines(&format!("SELECT tenant FROM {table}")), ["case33_reader"], "{table}");
        assert_eq!(reader.error(&format!("INSERT INTO {table} VALUES (now(), 'nobody')")).code, "42501");
        assert_eq!(reader.error(&format!("DELETE FROM {table}")).code, "42501");
    }
}

/// A column of everything, what it is on the parent, and the same question put to a partition.
#[test]
fn case_35_a_partition_has_what_its_parent_has() {
    let mut db = Db::new();
    db.exec("SET allow_in_place_tablespaces = on");
    db.exec(&format!("CREATE TABLESPACE space_{} LOCATION ''", db.name));
    db.exec(&format!(
        "CREATE TABLE was_here (x int);
         CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, gone int, at timestamptz NOT NULL,
           tenant int DEFAULT 7 CHECK (tenant > 0), body text, twice int GENERATED ALWAYS AS (tenant * 2) STORED)
           PARTITION BY RANGE (at) TABLESPACE space_{};
         ALTER TABLE t DROP COLUMN gone;
         CREATE UNIQUE INDEX t_identity ON t (id, at) WITH (fillfactor = 71);
         ALTER TABLE t ALTER id SET NOT NULL;
         ALTER TABLE t REPLICA IDENTITY USING INDEX t_identity;
         CREATE INDEX ON t (tenant) WITH (deduplicate_items = off);
         ALTER TABLE t ALTER tenant SET STATISTICS 321, ALTER tenant SET (n_distinct = -0.25, n_distinct_inherited = 12),
           ALTER body SET STORAGE EXTERNAL, ALTER body SET COMPRESSION pglz;
         CREATE STATISTICS s (ndistinct, dependencies) ON tenant, twice FROM t;
         COMMENT ON TABLE t IS 'it''s \\ all'; COMMENT ON COLUMN t.body IS 'what was said';
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
         CREATE TRIGGER each_row BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
         CREATE TRIGGER always AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
         CREATE TRIGGER never AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f();
         CREATE TRIGGER each_statement AFTER INSERT ON t EXECUTE FUNCTION f();
         ALTER TABLE t ENABLE ALWAYS TRIGGER always; ALTER TABLE t DISABLE TRIGGER never;
         CREATE PUBLICATION p FOR TABLE t;
         SELECT dbguard.partition_enable('t', '1 day', 1,
           storage_options => '{{fillfactor=70, autovacuum_enabled=false, toast.autovacuum_vacuum_threshold=99}}',
           unique_on => '{{\"body, \\\"at\\\"\"}}')",
        db.name
    ));
    db.exec("UPDATE dbguard.partition_set SET ahead = 2");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "0");
    // what both can hold, asked of both
    for (what, sql) in [
        ("tablespace", "SELECT spcname FROM pg_class c JOIN pg_tablespace s ON s.oid = reltablespace WHERE c.oid = {}"),
        ("replica identity", "SELECT relreplident FROM pg_class WHERE oid = {}"),
        ("comment", "SELECT obj_description({}, 'pg_class')"),
        (
            "columns",
            "SELECT attname, attstattarget, ARRAY(SELECT o FROM unnest(attoptions) o WHERE o LIKE 'n\\_%'), attstorage, attcompression, attgenerated, attnotnull,
                    col_description(attrelid, attnum)
             FROM pg_attribute WHERE attrelid = {} AND attnum > 0 AND NOT attisdropped ORDER BY attname",
        ),
        ("defaults", "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = {} ORDER BY 1"),
        ("checks", "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {} AND contype = 'c'"),
        ("statistics", "SELECT stxkind, array_length(stxkeys::int2[], 1) FROM pg_statistic_ext WHERE stxrelid = {}"),
        (
            "row triggers",
            "SELECT tgname, tgenabled, tgtype FROM pg_trigger
             WHERE tgrelid = {} AND NOT tgisinternal AND tgname <> 'each_statement' ORDER BY 1",
        ),
    ] {
        let of = |relation: &str| sql.replace("{}", relation);
        let parent = db.lines(&of("'t'::regclass"));
        assert!(!parent.is_empty(), "{what}");
        assert_eq!(db.lines(&of(NEWEST)), parent, "{what}");
    }
    // what only partitions can hold
    assert_eq!(
        db.lines(&format!(
            "SELECT c.reloptions, t.reloptions FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.oid = {NEWEST}"
        )),
        ["{fillfactor=70,autovacuum_enabled=false} | {autovacuum_vacuum_threshold=99}"]
    );
    assert_eq!(
        db.lines(&format!(
            "SELECT indisunique, indisreplident, reloptions, i.inhparent::regclass, pg_get_indexdef(x.indexrelid) ~ '\\(body, at\\)'
             FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
             WHERE indrelid = {NEWEST} ORDER BY 4"
        )),
        [
            "t | t | {fillfactor=71} | t_identity | f",
            "f | f | {deduplicate_items=off} | t_tenant_idx | f",
            "t | f | <null> | <null> | t",
        ]
    );
    // what works through the parent, and is not a partition's own
    assert_eq!(
        db.value("SELECT count(*) FROM pg_publication_tables WHERE pubname = 'p'"),
        db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass")
    );
    assert_eq!(
        db.value(&format!(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = {NEWEST} AND tgname = 'each_statement'"
        )),
        "0"
    );
    db.exec("INSERT INTO t (at) SELECT now() + n * interval '1 day' FROM generate_series(0, 2) n");
    assert_eq!(db.value("SELECT string_agg(id || '-' || twice, ' ' ORDER BY id) FROM t"), "1-14 2-14 3-14");
    let name = db.name.clone();
    db.exec("DROP TABLE t");
    db.exec(&format!("DROP TABLESPACE space_{name}"));
}

#[test]
fn options_that_would_fail_later_are_refused_now() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, tenant int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE u (id int, tenant int, at date) PARTITION BY RANGE (at)",
    );
    let cases = [
        ("'t'", "storage_options => '{fillfactr=70}'", "22023"),
        ("'t'", "storage_options => '{fillfactor=7000}'", "22023"),
        ("'t'", "storage_options => '{fillfactor}'", "22023"),
        ("'t'", "storage_options => '{\"fillfactor=70) ; DROP TABLE u; --\"}'", "22023"),
        ("'t'", "storage_options => '{NULL}'", "22004"),
        ("'t'", "unique_on => '{absent}'", "42703"),
        ("'t'", "unique_on => '{lower(id)}'", "22023"),
        ("'t'", "unique_on => '{\"\"}'", "22023"),
        ("'t'", "sub_by => 'tenant'", "22023"),
        ("'t'", "sub_count => 4", "22023"),
        ("'u'", "sub_by => 'tenant', sub_count => 1", "22023"),
        ("'u'", "sub_by => 'tenant', sub_count => 1000", "22023"),
        ("'u'", "sub_by => 'absent', sub_count => 4", "42703"),
        // the primary key knows nothing of the tenant
        ("'t'", "sub_by => 'tenant', sub_count => 4", "0A000"),
        ("'u'", "sub_by => 'tenant', sub_count => 4, unique_on => '{id}'", "0A000"),
    ];
    for (table, options, code) in cases {
        for dry_run in [true, false] {
            let call = format!(
                "SELECT dbguard.partition_enable({table}, '1 day', 2, dry_run => {dry_run}, {options})"
            );
            let e = db.error(&call);
            assert_eq!(e.code, code, "{call}: {e:?}");
        }
    }
    assert_eq!(
        db.value("SELECT count(*) FROM pg_inherits WHERE inhparent IN ('t'::regclass, 'u'::regclass)"),
        "0"
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set"), "0");
    // the same call again, and a change of options only
    db.exec("SELECT dbguard.partition_enable('u', '1 day', 2, storage_options => '{fillfactor=70}')");
    db.error("SELECT dbguard.partition_enable('u', '1 day', 2, storage_options => '{fillfactor=7}')");
    assert_eq!(db.value("SELECT storage_options FROM dbguard.partition_set"), "{fillfactor=70}");
    // what is not given stays, '{}' takes away
    db.exec("SELECT dbguard.partition_enable('u', '1 day', 2)");
    assert_eq!(db.value("SELECT storage_options FROM dbguard.partition_set"), "{fillfactor=70}");
    db.exec("SELECT dbguard.partition_enable('u', '1 day', 2, storage_options => '{}')");
    assert_eq!(db.value("SELECT storage_options FROM dbguard.partition_set"), "{}");
}

#[test]
fn policies_with_subqueries() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE members (tenant int, who name);
         CREATE TABLE t (at date, tenant int) PARTITION BY RANGE (at);
         CREATE POLICY mine ON t USING (tenant IN (SELECT m.tenant FROM members m WHERE m.who = current_user));
         SELECT dbguard.partition_enable('t', '1 day', 1, policies => true)",
    );
    let text = "SELECT DISTINCT pg_get_expr(polqual, polrelid) FROM pg_policy";
    assert_eq!(db.lines(text).len(), 1);
    db.exec("CREATE POLICY named ON t USING (EXISTS (SELECT FROM members m WHERE m.tenant = t.tenant))");
    let e = db.error("SELECT dbguard.partition_enable('t', '1 day', 2, policies => true)");
    assert_eq!((e.code.as_str(), e.hint.contains("tenant IN (SELECT")), ("42P01", true), "{e:?}");
}

/// Case 49: a row of the configuration that cannot be read stays the trouble of its own set.
#[test]
fn a_broken_row_stops_no_other_set() {
    let mut db = Db::new();
    for table in ["a_broken", "b_good"] {
        db.exec(&format!(
            "CREATE TABLE {table} (at date) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('{table}', '1 day', 1)"
        ));
    }
    db.exec("UPDATE dbguard.partition_set SET ahead = 2");
    db.exec("UPDATE dbguard.partition_set SET storage_options = '{nonsense}' WHERE table_name = 'a_broken'");
    assert_eq!(
        db.lines("SELECT table_name, state FROM dbguard.partition_status() ORDER BY 1"),
        ["a_broken | broken", "b_good | due"]
    );
    assert_eq!(
        db.lines("SELECT parent_table, action, message IS NULL FROM dbguard.partition_plan()"),
        ["a_broken | blocked | f", "b_good | make | t"]
    );
    assert_eq!(db.error("SELECT * FROM dbguard.partition_plan('a_broken')").code, "22023");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines(
            "SELECT table_name, state, sqlstate FROM dbguard.partition_run
             WHERE action = 'make' AND run = (SELECT max(run) FROM dbguard.partition_run) ORDER BY 1"
        ),
        ["a_broken | failed | 22023", "b_good | done | <null>"]
    );
}
