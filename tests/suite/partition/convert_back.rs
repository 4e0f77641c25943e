//! The way back carries what was put on the partitioned table since, or refuses before anything is changed.

use super::convert_described::{described, everything};
use dbguard_tests::Db;

const CONVERT: &str = "CALL dbguard.partition_convert('app.\"Orders\"', 'at', '1 day')";
const BACK: &str = "CALL dbguard.partition_unconvert('app.\"Orders\"')";

/// What `described` leaves out.
const MORE: &str = "
    SELECT pg_get_statisticsobjdef_columns(oid), stxkind, stxstattarget, obj_description(oid, 'pg_statistic_ext')
    FROM pg_statistic_ext WHERE stxrelid = 'app.\"Orders\"'::regclass
    UNION ALL
    SELECT a.attrelid::regclass || '.' || a.attnum, NULL, a.attstattarget, NULL
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indexrelid
    WHERE i.indrelid = 'app.\"Orders\"'::regclass AND a.attstattarget >= 0 ORDER BY 1, 2";

#[test]
fn what_was_put_on_it_since_is_carried() {
    let mut db = Db::new();
    everything(&mut db, 100);
    db.exec(CONVERT);
    db.exec(
        "ALTER TABLE ONLY app.\"Orders\" ALTER amount SET DEFAULT 5, ALTER changes DROP DEFAULT, ALTER note SET DEFAULT 'since',
           ALTER note SET STORAGE MAIN, ALTER note SET COMPRESSION pglz, ALTER note SET STATISTICS 77, ALTER amount SET STATISTICS 78,
           ALTER customer RESET (n_distinct), ALTER amount SET (n_distinct = 9), ALTER changes SET (n_distinct_inherited = -0.25);
         COMMENT ON TABLE app.\"Orders\" IS NULL; COMMENT ON COLUMN app.\"Orders\".note IS 'newer';
         COMMENT ON COLUMN app.\"Orders\".amount IS 'an amount'; COMMENT ON INDEX app.by_note IS NULL;
         COMMENT ON INDEX app.by_customer IS 'newer'; COMMENT ON CONSTRAINT positive ON app.\"Orders\" IS 'newer';
         COMMENT ON CONSTRAINT of_customer ON app.\"Orders\" IS 'newer'; COMMENT ON CONSTRAINT later ON app.\"Orders\" IS 'newer';
         COMMENT ON POLICY mine ON app.\"Orders\" IS 'newer'; COMMENT ON TRIGGER quiet ON app.\"Orders\" IS 'newer';
         ALTER TABLE app.\"Orders\" RENAME CONSTRAINT of_customer TO of_a_customer;
         ALTER TABLE app.\"Orders\" RENAME CONSTRAINT later TO even_later;
         ALTER TABLE app.\"Orders\" ADD CONSTRAINT since_key FOREIGN KEY (customer) REFERENCES app.customer NOT DEFERRABLE;
         ALTER TABLE app.\"Orders\" REPLICA IDENTITY FULL",
    );
    let since = described(&mut db, "app.\"Orders\"", true);
    db.exec(BACK);
    let back = described(&mut db, "app.\"Orders\"", true);
    let differ: Vec<_> = since.iter().filter(|line| !back.contains(line)).collect();
    assert_eq!((differ, back.len()), (vec![], since.len()), "{back:#?}");
}

#[test]
fn replica_identity_by_another_index() {
    let mut db = Db::new();
    everything(&mut db, 10);
    db.exec(CONVERT);
    db.exec("ALTER TABLE app.\"Orders\" REPLICA IDENTITY USING INDEX \"Orders key\"");
    let since = described(&mut db, "app.\"Orders\"", true);
    db.exec(BACK);
    assert_eq!(described(&mut db, "app.\"Orders\"", true), since);
    db.exec(CONVERT);
    db.exec("ALTER TABLE app.\"Orders\" REPLICA IDENTITY DEFAULT");
    db.exec(BACK);
    assert_eq!(db.value("SELECT relreplident FROM pg_class WHERE oid = 'app.\"Orders\"'::regclass"), "d");
}

/// Targets and comments of extended statistics and of expressions of indexes, there and back; what was made since
/// comes back as well.
#[test]
fn statistics_there_and_back() {
    let mut db = Db::new();
    everything(&mut db, 100);
    db.exec(
        "ALTER STATISTICS app.related SET STATISTICS 333; ALTER INDEX app.by_note ALTER COLUMN 1 SET STATISTICS 444",
    );
    let before = db.lines(MORE);
    assert_eq!(before.len(), 2, "{before:?}");
    db.exec(CONVERT);
    assert_eq!(db.lines(MORE), before);
    db.exec(
        "SET ROLE conv_owner; CREATE STATISTICS app.since (mcv) ON customer, lower(note) FROM app.\"Orders\"; RESET ROLE;
         ALTER STATISTICS app.since SET STATISTICS 22; COMMENT ON STATISTICS app.since IS 'since';
         ALTER INDEX app.by_note ALTER COLUMN 1 SET STATISTICS 55; ALTER INDEX app.by_note_too ALTER COLUMN 1 SET STATISTICS 66",
    );
    let copy = db.value("SELECT stxname FROM pg_statistic_ext WHERE stxrelid = 'app.\"Orders\"'::regclass AND stxname <> 'since'");
    db.exec(&format!("ALTER STATISTICS app.\"{copy}\" SET STATISTICS 11"));
    let since = db.lines(MORE);
    assert_eq!(since.len(), 4, "{since:?}");
    db.exec(BACK);
    assert_eq!(db.lines(MORE), since);
    assert_eq!(
        db.lines(
            "SELECT stxname FROM pg_statistic_ext WHERE stxrelid = 'app.\"Orders\"'::regclass ORDER BY 1"
        ),
        ["related", "since"]
    );
}

#[test]
fn what_cannot_be_carried_is_refused() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int, at timestamptz, PRIMARY KEY (id, at)); INSERT INTO t VALUES (1, now())");
    db.exec("CALL dbguard.partition_convert('t', 'at', '1 day')");
    db.connect_as("conv_granter");
    let cases = [
        ("CREATE RULE since AS ON INSERT TO t DO ALSO SELECT 1", "rule since is on the partitioned table"),
        ("CREATE INDEX since ON ONLY t (id)", "index since has no part on partition t_p_old"),
        ("CREATE MATERIALIZED VIEW m AS SELECT * FROM t", "materialized view public.m depends on the table"),
        ("CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM t; END", "function public.f() depends on the table"),
        ("CREATE TABLE o (x t)", "column x of table public.o depends on the table"),
        ("CREATE VIEW v AS SELECT NULL::t AS x", "column x of view public.v depends on the table"),
        ("GRANT SELECT ON t TO conv_granter WITH GRANT OPTION; SET ROLE conv_granter; GRANT SELECT ON t TO PUBLIC; RESET ROLE", "privileges on the table were granted by conv_granter"),
        ("CREATE TABLE o (id int, at timestamptz, CONSTRAINT n FOREIGN KEY (id, at) REFERENCES t); ALTER TABLE o DISABLE TRIGGER ALL", "constraint n of table public.o has triggers that are not simply enabled"),
        ("CREATE PUBLICATION p FOR TABLE t WHERE (id > 1) WITH (publish_via_partition_root = true)", "publication \"p\" has a row filter"),
        ("DO $$ BEGIN EXECUTE (SELECT 'CREATE VIEW v AS SELECT * FROM ' || inhrelid::regclass FROM pg_inherits WHERE inhparent = 't'::regclass AND inhrelid <> 't_p_old'::regclass LIMIT 1); END $$", "view public.v depends on partition public.t_p"),
        ("ALTER EXTENSION dbguard ADD TABLE t", "the table belongs to extension dbguard"),
    ];
    let there = described(&mut db, "t", false);
    for (what, message) in cases {
        let undo = db.value("SELECT count(*) FROM pg_class");
        db.exec(what);
        let e = db.error("CALL dbguard.partition_unconvert('t')");
        assert_eq!(e.code, "55000", "{what} {e:?}");
        let start = format!("cannot convert \"t\" back: {message}");
        assert!(e.message.starts_with(&start), "{what} {e:?}");
        assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0", "{what}");
        db.exec(
            "DO $$ BEGIN ALTER EXTENSION dbguard DROP TABLE t; EXCEPTION WHEN OTHERS THEN NULL; END $$;
             DROP MATERIALIZED VIEW IF EXISTS m; DROP FUNCTION IF EXISTS f; DROP VIEW IF EXISTS v; DROP TABLE IF EXISTS o;
             DROP PUBLICATION IF EXISTS p; DROP INDEX IF EXISTS since; REVOKE ALL ON t FROM conv_granter CASCADE;
             DO $$ BEGIN DROP RULE since ON t; EXCEPTION WHEN OTHERS THEN NULL; END $$",
        );
        assert_eq!(db.value("SELECT count(*) FROM pg_class"), undo, "{what}");
    }
    let after = described(&mut db, "t", false);
    assert_eq!(after.len(), there.len(), "{after:#?}");
    db.exec("CALL dbguard.partition_unconvert('t')");
}
