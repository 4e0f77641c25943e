use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::idents;

pub static RULE: Rule = Rule {
    code: "SEC013",
    name: "policy_without_rls",
    category: Category::Security,
    severity: Severity::Error,
    title: "Table has policies, but row-level security is off",
    why: "The policies look like protection and do nothing: whoever may read the table reads all \
          of it. Says more than TEN001, which is then silent.",
    bad: "CREATE POLICY own ON orders USING (owner = current_user); -- and nothing else",
    good: "ALTER TABLE orders ENABLE ROW LEVEL SECURITY;",
    remedy: "ENABLE ROW LEVEL SECURITY, after checking that the policies let everybody see what they must",
    peers: "splinter 0007",
    hides: &["TEN001"],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("policy only", "CREATE TABLE t (a int); CREATE POLICY p ON t USING (true)"),
        case(
            "forced is not enabled",
            "CREATE TABLE t (a int); CREATE POLICY p ON t; ALTER TABLE t FORCE ROW LEVEL SECURITY",
        ),
        case(
            "quoted, partitioned",
            r#"CREATE TABLE "T.t" (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT; CREATE POLICY "P p" ON "T.t""#,
        ),
    ],
    silent: &[
        case(
            "enabled",
            "CREATE TABLE t (a int); CREATE POLICY p ON t; ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        ),
        case("no policy", "CREATE TABLE t (a int)"),
        case("temporary", "CREATE TEMP TABLE t (a int); CREATE POLICY p ON t"),
        case(
            "extension member",
            "CREATE TABLE t (a int); CREATE POLICY p ON t; ALTER EXTENSION plpgsql ADD TABLE t",
        ),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| !t.policies.is_empty()) {
        out.examine(&t.schema);
        if !t.row_security {
            let names: Vec<&str> = t.policies.iter().map(|p| p.name.as_str()).collect();
            let (table, policies) = (t.sql_name(), idents(&names));
            let fix = Fix::new(format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"), Safety::Review)
                .undo(format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;"));
            let message = format!("table {table} has policies ({policies}), but row-level security is off");
            out.find(Finding::new(t.object(), message).evidence("policies", names).fix(fix));
        }
    }
}
