use crate::lint::catalog::{Catalog, Relation, RelationKind};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::revoke_select;
use crate::lint::rules::security::past_policies::{read_by_others, read_past_policies};
use crate::lint::rules::tenancy::surely_tenant;

pub static RULE: Rule = Rule {
    code: "SEC027",
    name: "materialized_or_foreign_over_rls",
    category: Category::Security,
    severity: Severity::Warning,
    title: "Materialized view or foreign table shows rows past row-level security",
    why: "Neither can have policies: who may read it sees all of it. Told for a materialized view \
          that was filled past the policies of a table, and, where tables use row-level security, \
          for a foreign table with a column tenant_id. Those that only their owner reads are left \
          alone.",
    bad: "CREATE MATERIALIZED VIEW m AS SELECT * FROM orders; GRANT SELECT ON m TO app;",
    good: "CREATE VIEW mine AS SELECT * FROM m WHERE owner = current_user; GRANT SELECT ON mine TO app;",
    remedy: "REVOKE SELECT, and grant a view that filters",
    peers: "splinter 0016-0017",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("materialized view", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE MATERIALIZED VIEW m AS SELECT * FROM t; GRANT SELECT ON m TO pg_monitor, PUBLIC"),
        case("through a view, quoted", r#"CREATE TABLE "T.t" (a int); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE VIEW v AS SELECT * FROM "T.t"; CREATE MATERIALIZED VIEW "M.m" AS SELECT a AS "A.a" FROM v; GRANT SELECT ("A.a") ON "M.m" TO pg_monitor"#),
        case("foreign table", r#"CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE "F.f" ("Tenant_ID" int) SERVER s; GRANT SELECT, INSERT ON "F.f" TO pg_monitor"#),
    ],
    silent: &[
        case("only its owner reads", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE MATERIALIZED VIEW m AS SELECT * FROM t"),
        case("no row-level security", r#"CREATE TABLE "T.t" (a int); CREATE MATERIALIZED VIEW "M.m" AS SELECT * FROM "T.t"; GRANT SELECT ON "M.m" TO pg_monitor"#),
        case("a plain view is another rule", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE VIEW v AS SELECT * FROM t; GRANT SELECT ON v TO pg_monitor"),
        case("foreign, of no tenant", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (a int) SERVER s; GRANT SELECT ON f TO pg_monitor"),
        case("foreign, nobody uses policies", "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (tenant_id int) SERVER s; GRANT SELECT ON f TO pg_monitor"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let policies = c.tables().any(|t| t.row_security);
    for r in c.linted_relations().filter(|r| read_by_others(r)) {
        let (name, what) = (r.sql_name(), r.object().kind);
        let message = match r.kind {
            RelationKind::MaterializedView => read_past_policies(c, r).map(|t| {
                format!("{what} {name} holds rows of {} that row-level security hides", t.sql_name())
            }),
            RelationKind::ForeignTable => (policies && of_tenants(r))
                .then(|| format!("{what} {name} shows every tenant's rows to who may read it")),
            _ => continue,
        };
        out.examine_kind(&r.schema, what);
        if let Some(message) = message {
            out.find(Finding::new(r.object(), message).fix(revoke_select(c, r)));
        }
    }
}

fn of_tenants(r: &Relation) -> bool {
    r.attributes.iter().any(|a| surely_tenant(&a.name))
}
