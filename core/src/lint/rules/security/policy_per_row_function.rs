use crate::lint::catalog::{Catalog, Policy, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use std::collections::BTreeSet;

pub static RULE: Rule = Rule {
    code: "SEC017",
    name: "policy_per_row_function",
    category: Category::Security,
    severity: Severity::Warning,
    title: "Policy calls a function again for every row",
    why: "The function is given nothing of the row, so its answer is the same for all of them, but \
          it is STABLE or VOLATILE and so called for each that is read; inside (SELECT ...) it is \
          called once a query. Info below 10,000 rows and where nobody has counted. \
          current_setting is cheap: it is told from 10,000 rows on, as info. The check of new rows is left alone.",
    bad: "CREATE POLICY p ON orders USING (tenant = my_tenant());",
    good: "CREATE POLICY p ON orders USING (tenant = (SELECT my_tenant()));",
    remedy: "ALTER POLICY with the call inside (SELECT ...)",
    peers: "splinter 0003 (LIKE on text, 5 names)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("stable function", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = f())"),
        case("inside another, quoted", r#"CREATE TABLE "T.t" ("A.a" text); CREATE FUNCTION "F.f"(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'; ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY "P.p" ON "T.t" FOR UPDATE USING ("A.a" IS NOT NULL AND "A.a" = upper("F.f"(current_user)))"#),
        case("a setting of many rows", "CREATE TABLE t (a text); INSERT INTO t SELECT n FROM generate_series(1, 12000) n; ANALYZE t; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_setting('app.a', true))"),
    ],
    silent: &[
        case("only new rows", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR INSERT WITH CHECK (a = f())"),
        case("once a query", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = (SELECT f()))"),
        case("of the row", "CREATE TABLE t (a int); CREATE FUNCTION f(int) RETURNS bool STABLE LANGUAGE sql AS 'SELECT true'; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (f(a + 1))"),
        case("immutable", r#"CREATE TABLE "T.t" (a int); CREATE FUNCTION f() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "T.t" USING (a = f())"#),
        case("a setting of few rows", "CREATE TABLE t (a text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_setting('app.a', true) OR a = current_user)"),
        case("not in force", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'; CREATE POLICY p ON t USING (a = f())"),
    ],
};

const MANY_ROWS: f64 = 10_000.0;

fn check(c: &Catalog, out: &mut Report) {
    for (t, p) in c.policies() {
        out.examine(&t.schema);
        let (functions, settings) = calls(c, p);
        let object = t.policy_object(p);
        if !functions.is_empty() {
            let severity = if many(t) { Severity::Warning } else { Severity::Info };
            let names = functions.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("policy {} calls {names} again for every row", object.identity);
            out.find(Finding::new(object, message).severity(severity).evidence("rows", t.tuples));
        } else if settings && many(t) {
            let message = format!("policy {} reads a setting again for every row", object.identity);
            out.find(Finding::new(object, message).severity(Severity::Info).evidence("rows", t.tuples));
        }
    }
}

fn many(t: &Relation) -> bool {
    t.tuples >= MANY_ROWS
}

/// Users' functions called a row at a time for nothing, and whether current_setting is.
fn calls(c: &Catalog, p: &Policy) -> (BTreeSet<String>, bool) {
    let (mut functions, mut settings) = (BTreeSet::new(), false);
    if let Some(e) = &p.using {
        e.outside_subqueries(&mut |n| {
            if n.has_column() {
                return;
            }
            settings |= n.is_current_setting();
            let called = n.function().and_then(|f| c.function(f)).filter(|f| f.volatility != 'i');
            functions.extend(called.map(|f| f.object().identity));
        });
    }
    (functions, settings)
}
