//! soft_delete_plan: what brings a table to soft delete; its statements are run as they are.

use dbguard_tests::Db;

/// Runs the plan as `\gexec` would, each statement for itself.
fn run(db: &mut Db, args: &str) -> usize {
    let steps = db.rows(&format!(
        "SELECT statement FROM dbguard.soft_delete_plan({args}) WHERE statement IS NOT NULL ORDER BY step"
    ));
    for step in &steps {
        db.exec(&step[0]);
    }
    steps.len()
}

#[test]
fn unique_constraints_pass_over_deleted_rows() {
    let mut db = Db::new();
    let long = "u".repeat(63);
    db.exec(&format!(
        "CREATE TABLE \"T x\" (id int PRIMARY KEY, email text UNIQUE, a int, \"B WHERE\" text, c int, kept int, d int,
                               CONSTRAINT \"a USING b\" UNIQUE NULLS NOT DISTINCT (a, \"B WHERE\") INCLUDE (c) WITH (fillfactor = 80),
                               CONSTRAINT kept UNIQUE (kept), CONSTRAINT late UNIQUE (d) DEFERRABLE);
         CREATE UNIQUE INDEX {long} ON \"T x\" (lower(email) COLLATE \"C\" DESC) WHERE a > 1 OR c IS NULL;
         CREATE TABLE other (k int REFERENCES \"T x\" (kept));
         INSERT INTO \"T x\" (id, email, a, kept, d) VALUES (1, 'e', 1, 1, 1)"
    ));
    let before = db.value("SELECT string_agg(pg_get_indexdef(indexrelid), E'\\n' ORDER BY 1) FROM pg_index WHERE indrelid = '\"T x\"'::regclass");
    db.lines("SELECT * FROM dbguard.soft_delete_plan('\"T x\"')");
    assert_eq!(before, db.value("SELECT string_agg(pg_get_indexdef(indexrelid), E'\\n' ORDER BY 1) FROM pg_index WHERE indrelid = '\"T x\"'::regclass"));
    assert_eq!(
        db.lines("SELECT why FROM dbguard.soft_delete_plan('\"T x\"') WHERE statement IS NULL"),
        ["\"kept\" still counts deleted rows: a foreign key refers to it",
         "\"late\" still counts deleted rows: it is checked at the end of the transaction, which an index is not"]
    );
    assert_eq!(run(&mut db, "'\"T x\"', live_view => 'l'"), 1 + 3 * 3 + 1 + 1);
    // nothing is left to do, and every index has the name it had
    assert_eq!(run(&mut db, "'\"T x\"'"), 0);
    assert_eq!(
        db.lines("SELECT indexrelid::regclass, pg_get_expr(indpred, indrelid), pg_get_indexdef(indexrelid) LIKE '%NULLS NOT DISTINCT%', indnatts FROM pg_index
                  WHERE indrelid = '\"T x\"'::regclass AND indisunique AND indpred IS NOT NULL ORDER BY indexrelid::regclass::text"),
        ["\"T x_email_key\" | (deleted_at IS NULL) | f | 1".to_owned(),
         "\"a USING b\" | (deleted_at IS NULL) | t | 3".to_owned(),
         format!("{long} | (((a > 1) OR (c IS NULL)) AND (deleted_at IS NULL)) | f | 1")]
    );
    assert_eq!(db.value("SELECT reloptions FROM pg_class WHERE relname = 'a USING b'"), "{fillfactor=80}");
    db.exec("DELETE FROM \"T x\"; INSERT INTO \"T x\" (id, email, a, kept, d) VALUES (2, 'e', 1, 2, 2)");
    assert_eq!(
        db.error("INSERT INTO \"T x\" (id, email, a, kept, d) VALUES (3, 'e', 9, 3, 3)").code,
        "23505"
    );
    // what is brought back may find its place taken
    let e = db.error("SELECT dbguard.soft_delete_restore('\"T x\"', '1')");
    assert_eq!(
        (e.code.as_str(), e.hint.as_str()),
        ("23505", "Another row has the value since: change that one, or delete it.")
    );
}

#[test]
fn partitioned_tables() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, k int, email text, PRIMARY KEY (id, k), UNIQUE (email, k)) PARTITION BY LIST (k);
         CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t DEFAULT; INSERT INTO t VALUES (1, 1, 'e')",
    );
    assert_eq!(run(&mut db, "'t'"), 6);
    assert_eq!(run(&mut db, "'t'"), 0);
    db.exec("DELETE FROM t; INSERT INTO t VALUES (2, 1, 'e')");
    assert_eq!(db.error("INSERT INTO t VALUES (3, 1, 'e')").code, "23505");
}

#[test]
fn status_says_what_is_left() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, email text UNIQUE, deleted_at timestamptz, UNIQUE (email, deleted_at)); SELECT dbguard.soft_delete_enable('t')");
    assert_eq!(
        db.value("SELECT problem FROM dbguard.soft_delete_status()"),
        "\"t_email_key\" counts deleted rows, too: see dbguard.soft_delete_plan"
    );
    run(&mut db, "'t'");
    assert_eq!(db.value("SELECT problem FROM dbguard.soft_delete_status()"), "<null>");
}

#[test]
fn nothing_but_owners() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, deleted_at timestamptz)");
    let mut other = db.connect_as("nobody");
    assert_eq!(other.error("SELECT dbguard.soft_delete_plan('t')").code, "42501");
}

/// Unique indexes that a partition has alone.
#[test]
fn indexes_of_partitions() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (k int, u int, w int, deleted_at timestamptz) PARTITION BY LIST (k); CREATE UNIQUE INDEX ON t (k, w);
         CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t DEFAULT PARTITION BY LIST (k); CREATE TABLE t2a PARTITION OF t2 DEFAULT;
         ALTER TABLE t1 ADD UNIQUE (u); CREATE UNIQUE INDEX own ON t2a (u) WHERE u > 0",
    );
    assert_eq!(run(&mut db, "'t'"), 3 * 3 + 1 + 1);
    assert_eq!(run(&mut db, "'t'"), 0);
    assert_eq!(db.value("SELECT problem FROM dbguard.soft_delete_status()"), "<null>");
    db.exec(
        "INSERT INTO t VALUES (1, 1, 1), (2, 1, 1); DELETE FROM t; INSERT INTO t VALUES (1, 1, 1), (2, 1, 1)",
    );
    for row in ["(1, 1, 2)", "(2, 1, 2)", "(1, 2, 1)"] {
        assert_eq!(db.error(&format!("INSERT INTO t VALUES {row}")).code, "23505", "{row}");
    }
}
