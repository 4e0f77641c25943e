//! undo_sql brings back what fix_sql took away.

use dbguard_tests::Db;

#[test]
fn a_dropped_index_comes_back_as_it_was() {
    for (code, sql) in [
        ("IDX002", r#"CREATE TABLE "T.t" ("A" text, b int); CREATE INDEX i ON "T.t" ("A" DESC) INCLUDE (b); CREATE INDEX "J j" ON "T.t" ("A" DESC) INCLUDE (b)"#),
        ("IDX002", "CREATE TABLE t (a int PRIMARY KEY); CREATE UNIQUE INDEX i ON t (a)"),
        ("IDX002", "CREATE TABLE t (a text); CREATE INDEX i ON t (lower(a)) WHERE a > ''; CREATE INDEX j ON t (lower(a)) WHERE a > ''"),
        ("IDX002", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX i ON t (a); CREATE INDEX j ON t (a)"),
        ("IDX003", "CREATE TABLE t (a text, b int); CREATE INDEX i ON t (a text_pattern_ops); CREATE INDEX j ON t (a text_pattern_ops, b)"),
    ] {
        let mut db = Db::new();
        db.exec(sql);
        let indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1";
        let before = db.lines(indexes);
        let found = db.rows(&format!(
            "SELECT fix_sql, details->>'undo_sql' FROM dbguard.lint(rules => '{{{code}}}') WHERE status = 'open'"
        ));
        assert_eq!(found.len(), 1, "{code} {sql}");
        found[0].iter().for_each(|statement| db.exec(statement));
        assert_eq!(db.lines(indexes), before, "{:?}", found[0]);
    }
}
