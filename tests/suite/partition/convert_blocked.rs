//! What keeps a table from being converted: told before anything is changed, with the way out.

use super::convert_described::described;
use dbguard_tests::Db;

const TABLE: &str =
    "CREATE TABLE t (id int, at timestamptz NOT NULL, parent int, r int4range, PRIMARY KEY (id, at));
     INSERT INTO t SELECT g, now() - g * interval '1 hour' FROM generate_series(1, 20) g";

fn blocked(db: &mut Db) -> Vec<String> {
    db.lines("SELECT message FROM dbguard.partition_convert_plan('t', 'at', '1 day') WHERE kind = 'blocked'")
}

#[test]
fn each_thing_with_its_name_and_the_way_out() {
    let mut db = Db::new();
    let cases = [
        ("CREATE MATERIALIZED VIEW m AS SELECT * FROM t", "materialized view public.m depends on the table: drop it first"),
        ("CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM t; END", "function public.f() depends on the table"),
        ("CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.f(public.t) depends on the table"),
        ("CREATE TABLE o (x t)", "column x of table public.o depends on the table"),
        ("CREATE TABLE o (x t[])", "column x of table public.o depends on the table"),
        ("CREATE VIEW v AS SELECT t FROM t", "column t of view public.v depends on the table"),
        ("CREATE VIEW v AS SELECT NULL::t AS x", "view public.v uses the row type of the table"),
        ("CREATE TEMP VIEW v AS SELECT id FROM t", "view pg_temp"),
        ("CREATE VIEW v AS SELECT id FROM ONLY t", "view public.v reads ONLY the table"),
        ("CREATE TABLE o (x int); CREATE POLICY p ON o USING (x IN (SELECT t.id FROM t))", "policy p on table public.o depends on the table"),
        ("CREATE TABLE o (x int); CREATE RULE r AS ON INSERT TO o DO ALSO DELETE FROM t", "rule r on table public.o depends on the table"),
        ("CREATE RULE r AS ON INSERT TO t DO ALSO SELECT 1", "rule r would not work on a partitioned table as before"),
        ("CREATE TABLE c () INHERITS (t)", "table public.c inherits from it"),
        ("CREATE TABLE b (id int); ALTER TABLE t INHERIT b", "the table inherits from public.b"),
        ("CREATE TYPE k AS (id int, at timestamptz, parent int, r int4range); ALTER TABLE t OF k", "the table is of a composite type"),
        ("ALTER TABLE t SET UNLOGGED", "the table is unlogged"),
        ("CREATE UNIQUE INDEX u ON t (id)", "unique index \"u\" does not contain \"at\": give unique_on"),
        ("CREATE UNIQUE INDEX u ON t (abs(id))", "unique index \"u\" does not contain \"at\": drop it"),
        ("ALTER TABLE t ADD CONSTRAINT u UNIQUE (id)", "key \"u\" does not contain \"at\", which each key of a partitioned table must: give extend_keys => true"),
        ("CREATE UNIQUE INDEX u ON t (date_trunc('day', at AT TIME ZONE 'UTC'), id)", "unique index \"u\" does not contain \"at\""),
        ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_pkey'::regclass", "index \"t_pkey\" is not valid"),
        ("ALTER TABLE t ADD CONSTRAINT n CHECK (id > 0) NO INHERIT", "check constraint n is NO INHERIT"),
        ("ALTER TABLE t ADD CONSTRAINT n CHECK (id > 0) NOT VALID", "check constraint n is not valid"),
        ("CREATE TABLE o (id int PRIMARY KEY); ALTER TABLE t ADD CONSTRAINT n FOREIGN KEY (parent) REFERENCES o NOT VALID", "foreign key \"n\" is not valid"),
        ("ALTER TABLE t ADD COLUMN pat timestamptz, ADD CONSTRAINT n FOREIGN KEY (parent, pat) REFERENCES t", "foreign key \"n\" refers to the table itself"),
        ("ALTER TABLE t ADD CONSTRAINT u UNIQUE (id); CREATE TABLE o (x int CONSTRAINT n REFERENCES t (id))", "foreign key \"n\" of table public.o refers to key \"u\""),
        ("CREATE TABLE o (x int, y timestamptz, CONSTRAINT n FOREIGN KEY (x, y) REFERENCES t) PARTITION BY LIST (x)", "foreign key \"n\" of table public.o, which is partitioned"),
        ("CREATE TABLE o (x int, y timestamptz, CONSTRAINT n FOREIGN KEY (x, y) REFERENCES t); ALTER TABLE t DISABLE TRIGGER ALL", "constraint n of table public.o has triggers that are not simply enabled"),
        ("CREATE TABLE o (x int, y timestamptz, CONSTRAINT n FOREIGN KEY (x, y) REFERENCES t); ALTER TABLE o DISABLE TRIGGER ALL", "constraint n of table public.o has triggers that are not simply enabled"),
        ("CREATE TABLE o (id int PRIMARY KEY); ALTER TABLE t ADD CONSTRAINT n FOREIGN KEY (parent) REFERENCES o; ALTER TABLE o DISABLE TRIGGER ALL", "constraint n of table public.t has triggers that are not simply enabled"),
        ("CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER g AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH ROW EXECUTE FUNCTION g()", "row trigger \"g\" has a transition table"),
        ("CREATE PUBLICATION p FOR TABLE t", "publication \"p\" would publish changes under the names of partitions"),
        ("CREATE PUBLICATION p FOR ALL TABLES", "publication \"p\" would publish changes under the names of partitions"),
        ("CREATE PUBLICATION p FOR TABLE t WHERE (id > 1) WITH (publish_via_partition_root = true)", "publication \"p\" has a row filter"),
        ("CREATE PUBLICATION p FOR TABLE t (id, at) WITH (publish_via_partition_root = true)", "publication \"p\" has a row filter or a column list"),
        ("ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ALTER at DROP NOT NULL; INSERT INTO t VALUES (1, NULL)", "rows have no \"at\""),
        ("INSERT INTO t VALUES (1, '2097-01-01 00:00+00')", "the highest \"at\" is 2097-01-01"),
        ("INSERT INTO t VALUES (1, 'infinity')", "the highest \"at\" is infinity"),
        ("ALTER EXTENSION dbguard ADD TABLE t", "the table belongs to extension dbguard"),
        ("CREATE INDEX x ON t (id); ALTER INDEX x DEPENDS ON EXTENSION dbguard", "index public.x depends on extension dbguard"),
    ];
    let mut wrong = vec![];
    for (what, message) in cases {
        db.exec(&format!("BEGIN; {TABLE}; SET LOCAL allow_system_table_mods = on; {what}"));
        let found = blocked(&mut db);
        if !found.iter().any(|line| line.starts_with(message)) {
            wrong.push((what, found));
        }
        db.exec("ROLLBACK");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // the exclusion constraints of the server's version
    db.exec(&format!("BEGIN; {TABLE}; ALTER TABLE t ADD CONSTRAINT e EXCLUDE USING gist (r WITH &&)"));
    let found = blocked(&mut db);
    assert!(
        found.iter().any(|line| line.starts_with("index \"e\" is not possible on a partitioned table (")),
        "{found:?}"
    );
    db.exec("ROLLBACK");
    // without any of it
    db.exec(TABLE);
    assert_eq!(blocked(&mut db), Vec::<String>::new());
}

#[test]
fn nothing_is_changed_and_the_first_is_named() {
    let mut db = Db::new();
    db.exec(TABLE);
    db.exec("CREATE MATERIALIZED VIEW m AS SELECT * FROM t; CREATE UNIQUE INDEX u ON t (id)");
    let before = described(&mut db, "t", false);
    let e = db.error("CALL dbguard.partition_convert('t', 'at', '1 day')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str(), e.detail.as_str()),
        (
            "55000",
            "cannot convert table \"t\": materialized view public.m depends on the table: drop it first, and make it again afterwards",
            "One more thing is in the way."
        )
    );
    assert!(e.hint.contains("dbguard.partition_convert_plan"), "{e:?}");
    assert_eq!(described(&mut db, "t", false), before);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set"), "0");
}

/// Rows of the near future: the first partition ends beyond them, as far as partitions are made ahead.
#[test]
fn the_bound_lies_beyond_all_rows() {
    let mut db = Db::new();
    db.exec(
        "SET dbguard.partition_clock = '2026-11-20 12:00:00+00';
         CREATE TABLE t (at timestamptz NOT NULL); INSERT INTO t VALUES ('2026-11-23 10:00:00+00')",
    );
    db.exec("CALL dbguard.partition_convert('t', 'at', '1 day', ahead => 5)");
    assert_eq!(
        db.lines("SELECT lower, upper FROM dbguard.partition_run WHERE action = 'make' ORDER BY 1"),
        [
            "2026-11-24 00:00:00+00 | 2026-11-25 00:00:00+00",
            "2026-11-25 00:00:00+00 | 2026-11-26 00:00:00+00"
        ]
    );
    // an empty table: clear of what is written meanwhile by a day
    db.exec("CREATE TABLE e (at timestamptz NOT NULL)");
    db.exec("CALL dbguard.partition_convert('e', 'at', '1 hour', ahead => 2)");
    assert_eq!(
        db.value("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'e_p_old'"),
        "FOR VALUES FROM (MINVALUE) TO ('2026-11-21 12:00:00+00')"
    );
}
