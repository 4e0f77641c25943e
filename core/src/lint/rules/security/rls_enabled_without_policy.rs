use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "SEC012",
    name: "rls_enabled_without_policy",
    category: Category::Security,
    severity: Severity::Warning,
    title: "Row-level security is on, but there is no policy",
    why: "Everybody but the owner sees an empty table and may not write: usually a migration that \
          stopped half way. No fix is proposed, for only you know who may see what.",
    bad: "ALTER TABLE orders ENABLE ROW LEVEL SECURITY;",
    good: "CREATE POLICY own ON orders USING (owner = current_user);",
    remedy: "CREATE POLICY, or DISABLE ROW LEVEL SECURITY",
    peers: "splinter 0008",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("enabled", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY"),
        case("partitioned", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; ALTER TABLE t ENABLE ROW LEVEL SECURITY"),
        case("quoted, policy dropped", r#"CREATE TABLE "T.t" (a int); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "T.t"; DROP POLICY p ON "T.t""#),
    ],
    silent: &[
        case("with a policy", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true)"),
        case("off", "CREATE TABLE t (a int)"),
        case("off, but forced", "CREATE TABLE t (a int); ALTER TABLE t FORCE ROW LEVEL SECURITY"),
        case("temporary", "CREATE TEMP TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| t.row_security) {
        out.examine(&t.schema);
        if t.policies.is_empty() {
            let message = format!(
                "table {} has row-level security on and no policy: only its owner sees rows",
                t.sql_name()
            );
            out.find(Finding::new(t.object(), message));
        }
    }
}
