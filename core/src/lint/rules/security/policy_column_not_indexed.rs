use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::{create_index, index_wanted, missing_index_severity};
use crate::lint::rules::policies::equality;
use crate::lint::tree::Node;
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    code: "SEC018",
    name: "policy_column_not_indexed",
    category: Category::Security,
    severity: Severity::Warning,
    title: "Column that a policy compares has no index",
    why: "The policy is a WHERE of every query: without an index that starts with the column, each \
          reads the whole table for the few rows that the session may see. Told where every row \
          must equal something that is not of the row. Columns that partition the table, and \
          foreign keys that IDX001 tells, are left alone. Info below 1,000 rows, error from \
          100,000.",
    bad: "CREATE POLICY p ON orders USING (owner = current_user);",
    good: "CREATE INDEX ON orders (owner);",
    remedy: "CREATE INDEX CONCURRENTLY on the column",
    peers: "safegres --perf",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("no index", "CREATE TABLE t (a name); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_user)"),
        case("second in an index, two policies, quoted", r#"CREATE TABLE "T.t" (b int, "A.a" varchar(9)); CREATE INDEX ON "T.t" (b, "A.a"); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "T.t" USING (b > 0 AND (SELECT current_setting('a.a')) = "A.a"); CREATE POLICY q ON "T.t" FOR UPDATE USING ("A.a" = 'x')"#),
        case("partial index, partitioned", "CREATE TABLE t (a int, b int) PARTITION BY LIST (b); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX ON t (a) WHERE b > 0; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_setting('a.a')::int)"),
    ],
    silent: &[
        case("indexed", r#"CREATE TABLE "T.t" ("A.a" name, b int); CREATE INDEX ON "T.t" ("A.a", b); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "T.t" USING ("A.a" = current_user)"#),
        case("one of several ways", "CREATE TABLE t (a name, b bool); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_user OR b)"),
        case("no equality", "CREATE TABLE t (a name, b int, c int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a <> current_user AND b = c)"),
        case("partitioned by it", "CREATE TABLE t (a int, b int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_setting('a.a')::int)"),
        case("only new rows", "CREATE TABLE t (a name); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR INSERT WITH CHECK (a = current_user)"),
        case("IDX001 tells it", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_setting('a.a')::int)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| t.row_security) {
        let mut columns: BTreeMap<i16, Vec<&str>> = BTreeMap::new();
        for p in &t.policies {
            for column in p.using.iter().flat_map(|e| compared(c, e)) {
                columns.entry(column).or_default().push(&p.name);
            }
        }
        for (column, policies) in columns {
            out.examine(&t.schema);
            let Some(a) = t.attribute(column).filter(|_| index_wanted(t, column)) else { continue };
            let object = t.column_object(a);
            let message = format!("no index starts with {}, which a policy compares", object.identity);
            out.find(
                Finding::new(object, message)
                    .severity(missing_index_severity(t))
                    .evidence("policies", policies)
                    .evidence("rows", t.tuples)
                    .fix(create_index(t, &[column])),
            );
        }
    }
}

/// Columns that must equal something that is not of the row.
fn compared(c: &Catalog, e: &Node) -> Vec<i16> {
    let side = |a: &Node, b: &Node| a.column().filter(|_| !b.has_column());
    e.arms("and")
        .into_iter()
        .filter(|arm| equality(c, arm))
        .filter_map(|arm| match arm.args() {
            [a, b] => side(a, b).or_else(|| side(b, a)),
            _ => None,
        })
        .collect()
}
