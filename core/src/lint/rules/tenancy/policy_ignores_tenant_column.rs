use crate::lint::catalog::{Catalog, Policy};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::policies::asks_session;
use crate::lint::rules::tenancy::tenant_columns;
use crate::lint::tree::Node;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "TEN002",
    name: "policy_ignores_tenant_column",
    category: Category::Tenancy,
    severity: Severity::Error,
    title: "No policy of the table looks at whose the row is",
    why: "Row-level security is on, but the policies for everybody neither name the tenant column \
          nor ask who the session is: each tenant sees the others' rows. Policies that look into \
          other tables or call a function may find the tenant that way, those for certain roles \
          serve administrators: both are left alone.",
    bad: "CREATE POLICY p ON orders USING (NOT deleted);",
    good: "CREATE POLICY p ON orders USING (tenant_id = (SELECT current_setting('app.tenant_id')::int));",
    remedy: "a policy that compares the tenant column with the session's tenant",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("another column", "CREATE TABLE t (tenant_id int, deleted bool); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (NOT deleted)"),
        case("all may read, quoted, partitioned", r#"CREATE TABLE "T.t" ("Tenant_ID" uuid) PARTITION BY HASH ("Tenant_ID"); CREATE TABLE t1 PARTITION OF "T.t" FOR VALUES WITH (MODULUS 1, REMAINDER 0); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "T.t" FOR SELECT USING (true)"#),
        case("a setting beside an administrator's policy", "CREATE TABLE t (tenant_id int, a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a > 0); CREATE POLICY q ON t TO pg_monitor USING (true)"),
    ],
    silent: &[
        case("names it", "CREATE TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (tenant_id = current_setting('a.a')::int); CREATE POLICY q ON t FOR SELECT USING (true)"),
        case("names it in a restrictive policy", r#"CREATE TABLE "T.t" ("Tenant_ID" int); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "T.t" USING (true); CREATE POLICY q ON "T.t" AS RESTRICTIVE USING ("Tenant_ID" = current_setting('a.a')::int)"#),
        case("by its project", "CREATE TABLE p (id int, tenant_id int); CREATE TABLE t (tenant_id int, project int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (project IN (SELECT id FROM p))"),
        case("by its user", "CREATE TABLE t (tenant_id int, owner name); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (owner = current_user)"),
        case("for administrators", "CREATE TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO pg_monitor USING (true)"),
        case("no tenants", "CREATE TABLE t (account_id int, a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a > 0)"),
        case("temporary", "CREATE TEMP TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, a, confidence) in tenant_columns(c) {
        let open: Vec<&Policy> = t.policies.iter().filter(|p| p.permissive && p.for_everybody()).collect();
        if !t.row_security || open.is_empty() {
            continue;
        }
        out.examine(&t.schema);
        let named = t.policies.iter().any(|p| p.columns.contains(&a.num));
        if named || t.policies.iter().any(may_find_tenant) {
            continue;
        }
        let names: Vec<&str> = open.iter().map(|p| p.name.as_str()).collect();
        let message =
            format!("no policy of table {} looks at its tenant column {}", t.sql_name(), ident(&a.name));
        out.find(
            Finding::new(t.object(), message)
                .confidence(confidence)
                .evidence("tenant_column", a.name.as_str())
                .evidence("policies", names),
        );
    }
}

fn may_find_tenant(p: &Policy) -> bool {
    let elsewhere = |e: &Node| e.any(&|n| n.tag() == "SUBLINK");
    p.for_everybody() && p.expressions().any(|e| asks_session(e) || elsewhere(e))
}
