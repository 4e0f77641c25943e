//! Lint asks for nothing but to read: any role, any search_path, READ ONLY, no transaction id.

use dbguard_core::lint::rules;
use dbguard_tests::Db;

const ALL: &str = "SELECT severity, code, object, message, fix_sql, status, fingerprint FROM dbguard.lint()";

/// One database with as many of the firing cases as live beside each other, a schema each.
fn crowded() -> Db<'static> {
    let mut db = Db::new();
    for (n, case) in rules::all().iter().flat_map(|r| r.fires).enumerate() {
        db.exec(&format!("CREATE SCHEMA \"c {n}\"; SET search_path = \"c {n}\", pg_catalog"));
        // some cannot be made twice in a database (a schema of the same name): fewer will do
        let _ = db.try_exec(case.sql);
    }
    db.exec("RESET search_path");
    db
}

#[test]
fn in_a_read_only_transaction_without_a_transaction_id() {
    let mut db = crowded();
    let wanted = db.lines(ALL);
    assert!(wanted.len() > 100, "{}", wanted.len());
    db.exec("BEGIN READ ONLY; SET LOCAL search_path = ''");
    assert_eq!(db.lines(ALL), wanted, "read only, empty search_path");
    assert_eq!(db.value("SELECT pg_current_xact_id_if_assigned()"), "<null>");
    assert_eq!(db.value("SHOW lock_timeout"), "0", "what a look sets is gone");
    db.exec("COMMIT");
    db.exec("SET datestyle = 'German'; SET timezone = 'Asia/Kathmandu'; SET quote_all_identifiers = on; SET intervalstyle = 'iso_8601'; SET standard_conforming_strings = off; SET bytea_output = 'escape'; SET row_security = on");
    assert_eq!(db.lines(ALL), wanted, "other settings");
}

#[test]
fn as_a_role_without_any_rights() {
    let mut db = crowded();
    // those look into sequences, partitions and what ANALYZE found
    let all = format!("{ALL} WHERE code NOT IN ('INT038', 'INT047', 'PAR003', 'TYP012', 'TYP024')");
    let wanted = db.lines(&all);
    let mut nobody = db.connect_as("lint_nobody");
    let seen = nobody.lines(&all);
    // what a sequence holds makes some of TYP011's severities
    let bare = |lines: &[String]| -> Vec<String> {
        let mut l: Vec<String> = lines.iter().map(|l| l.split_once(" | ").unwrap().1.to_owned()).collect();
        l.sort();
        l
    };
    assert_eq!(bare(&seen), bare(&wanted));
    let skipped = nobody.lines(
        "SELECT DISTINCT code, regexp_replace(message, '(sequence|schema) .*', '\\1')
         FROM dbguard.lint(rules => '{INT047,PAR003}') WHERE status = 'skipped' ORDER BY 1, 2",
    );
    let wanted = [
        "INT047 | not checked: permission denied for sequence",
        "PAR003 | not checked: permission denied for schema",
    ];
    assert_eq!(skipped, wanted);
}

#[test]
fn hostile_objects_in_front_of_the_catalogs_are_not_used() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE victim (id serial, at timestamp);
         CREATE SCHEMA evil;
         CREATE FUNCTION evil.eq(name, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''used''; END';
         CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.eq);
         CREATE FUNCTION evil.ne(name, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''used''; END';
         CREATE OPERATOR evil.<> (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.ne);
         CREATE OPERATOR evil.!~ (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.ne);
         CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''used''; END';
         CREATE VIEW evil.pg_class AS SELECT 1/0 AS oid;
         CREATE TEMP TABLE pg_class (oid int); CREATE TEMP TABLE pg_namespace (oid int);",
    );
    let plain = db.lines(ALL);
    db.exec("SET search_path = evil, pg_temp, pg_catalog, public");
    assert_eq!(db.lines(ALL), plain);
    assert!(plain.iter().any(|l| l.contains("INT002") && l.contains("public.victim")));
}

#[test]
fn a_locked_default_partition_is_skipped_with_the_reason() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE d PARTITION OF t DEFAULT; CREATE SEQUENCE s");
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE d");
    let seen = db.lines("SELECT code, status, object, message FROM dbguard.lint(rules => '{PAR003}')");
    assert_eq!(seen, ["PAR003 | skipped | public.d | not checked: canceling statement due to lock timeout"]);
    other.exec("ROLLBACK");
    assert!(db.lines("SELECT code FROM dbguard.lint(rules => '{PAR003}')").is_empty());
}

#[test]
fn a_locked_sequence_does_not_hide_the_others() {
    let mut db = Db::new();
    db.exec(
        "CREATE SEQUENCE a MAXVALUE 10; CREATE SEQUENCE b MAXVALUE 10; SELECT setval('a', 9), setval('b', 9)",
    );
    let mut other = db.connect();
    other.exec("BEGIN; ALTER SEQUENCE a CACHE 2");
    let seen = db.lines("SELECT status, object, message FROM dbguard.lint(rules => '{INT047}')");
    let wanted = [
        "open | public.b | sequence public.b has used 90.0 % of its 10 values",
        "skipped | public.a | not checked: canceling statement due to lock timeout",
    ];
    let mut seen = seen;
    seen.sort();
    assert_eq!(seen, wanted);
}

#[test]
fn row_security_does_not_pass_for_emptiness() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE d PARTITION OF t DEFAULT; INSERT INTO t VALUES (1);
             ALTER TABLE d ENABLE ROW LEVEL SECURITY");
    let mut nobody = db.connect_as("lint_nobody2");
    db.exec("GRANT SELECT ON t, d TO lint_nobody2");
    let seen = nobody.lines("SELECT status, message FROM dbguard.lint(rules => '{PAR003}')");
    assert_eq!(
        seen,
        ["skipped | not checked: query would be affected by row-level security policy for table \"d\""]
    );
}

#[test]
fn statistics_that_the_caller_may_not_see_are_not_used() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (status text, ref text); INSERT INTO t SELECT 'secret', gen_random_uuid() FROM generate_series(1, 50);
         CREATE TABLE u (status text); INSERT INTO u SELECT (ARRAY['a', 'b'])[i % 2 + 1] FROM generate_series(1, 400) i; ANALYZE t, u",
    );
    let found = "SELECT code, status, object, message, fix_sql IS NULL FROM dbguard.lint(rules => '{INT038,TYP012}') ORDER BY 1, 3";
    let open = "INT038 | open | public.u.status | column public.u.status takes any value; ANALYZE saw 2 different ones | f";
    let mut nobody = db.connect_as("lint_nobody3");
    let refused = "not checked: permission denied for its statistics";
    assert_eq!(
        nobody.lines(found),
        [
            "INT038 | open | public.t.status | column public.t.status takes any value | t",
            "INT038 | open | public.u.status | column public.u.status takes any value | t",
            &format!("TYP012 | skipped | public.t | {refused} | t"),
            &format!("TYP012 | skipped | public.u | {refused} | t"),
        ]
    );
    db.exec("GRANT SELECT ON u TO lint_nobody3; GRANT SELECT (status) ON t TO lint_nobody3; ALTER TABLE t ENABLE ROW LEVEL SECURITY");
    assert_eq!(
        nobody.lines(found),
        [
            "INT038 | open | public.t.status | column public.t.status takes any value | t",
            open,
            "TYP012 | skipped | public.t | not checked: row-level security hides its statistics | t",
        ]
    );
    assert_eq!(
        db.lines(found)[1..],
        [open, "TYP012 | open | public.t.ref | column public.t.ref is text and holds UUIDs | f"]
    );
}

#[test]
fn being_cancelled_is_not_skipped_over() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE d PARTITION OF t DEFAULT");
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE d");
    db.exec("SET statement_timeout = '100ms'");
    assert_eq!(db.error("SELECT * FROM dbguard.lint(rules => '{PAR003}')").code, "57014");
}

#[test]
fn an_index_that_failed_to_build_concurrently_is_found() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)");
    assert_eq!(db.error("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)").code, "23505");
    let seen = db.lines("SELECT object, fix_sql FROM dbguard.lint(rules => '{IDX007}')");
    assert_eq!(seen, ["public.i | REINDEX INDEX CONCURRENTLY public.i;"]);
    db.exec("DELETE FROM t; REINDEX INDEX i");
    assert!(db.lines("SELECT object FROM dbguard.lint(rules => '{IDX007}')").is_empty());
}

#[test]
fn a_locked_table_is_waited_for_a_moment_only() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, a int CHECK (a > 0)); CREATE INDEX ON t (a) WHERE a > 3");
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE t");
    let error = db.error("SELECT * FROM dbguard.lint()");
    assert_eq!(error.code, "55P03");
    assert_ne!(error.hint, "");
    other.exec("ROLLBACK");
    db.exec("SELECT * FROM dbguard.lint()");
}

#[test]
fn policies_and_views_of_a_locked_table_are_read_all_the_same() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (a name); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON t USING (a = current_user OR true);
         CREATE VIEW v AS SELECT * FROM t; GRANT SELECT ON v TO pg_monitor",
    );
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE t");
    let seen = db.lines("SELECT code, object FROM dbguard.lint(rules => '{SEC011,SEC015}')");
    assert_eq!(seen, ["SEC011 | public.v", "SEC015 | public.t.p"]);
}
