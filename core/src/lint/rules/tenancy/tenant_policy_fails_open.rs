use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::policies::{asks_setting, equality};
use crate::lint::tree::Node;

pub static RULE: Rule = Rule {
    code: "TEN010",
    name: "tenant_policy_fails_open",
    category: Category::Tenancy,
    severity: Severity::Error,
    title: "Policy shows every row to a session that has not said its tenant",
    why: "A connection that forgot to set the tenant, or a pool that reset it, sees all tenants' \
          rows instead of none. Told for OR (setting IS NULL), OR (setting = '') and \
          COALESCE(setting, column). Policies for certain roles, as maintenance has, are left \
          alone.",
    bad: "CREATE POLICY p ON orders USING (tenant_id = current_setting('app.t', true)::int OR current_setting('app.t', true) IS NULL);",
    good: "CREATE POLICY p ON orders USING (tenant_id = current_setting('app.t', true)::int);",
    remedy: "take the OR away, so that a missing setting is NULL and shows nothing; give maintenance a policy TO its own role",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("null", "CREATE TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (tenant_id = current_setting('a.a', true)::int OR current_setting('a.a', true) IS NULL)"),
        case("empty, quoted", r#"CREATE TABLE "T.t" ("Tenant.ID" text, b bool); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY "P.p" ON "T.t" USING (b AND ('' = current_setting('a.a', true) OR "Tenant.ID" = current_setting('a.a')))"#),
        case("coalesce, in a subquery", "CREATE TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR SELECT USING (tenant_id = coalesce((SELECT nullif(current_setting('a.a', true), '')::int), tenant_id))"),
        case("varchar column", "CREATE TABLE t (tenant_id varchar(36)); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR INSERT WITH CHECK (tenant_id = coalesce(current_setting('a.a', true), tenant_id))"),
    ],
    silent: &[
        case("closed", "CREATE TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (tenant_id = nullif(current_setting('a.a', true), '')::int)"),
        case("a value in its stead", r#"CREATE TABLE "T.t" ("Tenant_ID" int); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "T.t" USING ("Tenant_ID" = coalesce(current_setting('a.a', true)::int, -1))"#),
        case("a setting that says so", "CREATE TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (current_setting('a.all', true) = 'on' OR tenant_id = current_setting('a.a', true)::int)"),
        case("rows of nobody", "CREATE TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (tenant_id IS NULL OR tenant_id = current_setting('a.a', true)::int)"),
        case("both must be", "CREATE TABLE t (tenant_id int, b bool); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (b OR (current_setting('a.a', true) IS NULL AND tenant_id = 0))"),
        case("for maintenance", "CREATE TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO pg_monitor USING (tenant_id = 1 OR current_setting('a.a', true) IS NULL)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, p) in c.policies().filter(|(_, p)| p.for_everybody()) {
        if !p.expressions().any(asks_setting) {
            continue;
        }
        out.examine(&t.schema);
        if p.expressions().any(|e| e.any(&|n| fails_open(c, n))) {
            let object = t.policy_object(p);
            let message =
                format!("policy {} shows every row to a session without the setting", object.identity);
            out.find(Finding::new(object, message));
        }
    }
}

fn fails_open(c: &Catalog, n: &Node) -> bool {
    let arms = n.arms("or");
    let named = arms.iter().any(|a| a.has_column());
    if named && arms.iter().any(|a| !a.has_column() && is_missing(c, a)) {
        return true;
    }
    let coalesce = matches!(n.tag(), "COALESCE" | "COALESCEEXPR");
    coalesce
        && n.args()
            .split_first()
            .is_some_and(|(first, rest)| asks_setting(first) && rest.iter().any(|a| a.column().is_some()))
}

/// The setting is not there, or empty.
fn is_missing(c: &Catalog, e: &Node) -> bool {
    let empty = equality(c, e) && e.args().iter().any(Node::is_empty_text);
    (e.is_null_test() || empty) && asks_setting(e)
}
