use crate::lint::catalog::{Catalog, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::security::past_policies::{invoker, read_by_others, read_past_policies};

pub static RULE: Rule = Rule {
    code: "SEC011",
    name: "view_bypasses_rls",
    category: Category::Security,
    severity: Severity::Error,
    title: "View shows rows that row-level security hides",
    why: "A view reads with its owner's rights, and no policy binds the owner of the table or a \
          superuser: who may read the view sees every row. Told only where another role may read \
          it and row-level security is beneath, also through other views. A view that asks for the \
          role or a setting itself, or that says security_invoker = false, is left alone.",
    bad: "CREATE VIEW v AS SELECT * FROM orders; GRANT SELECT ON v TO app;",
    good: "ALTER VIEW v SET (security_invoker = true);",
    remedy: "SET (security_invoker = true), and let its readers read what it reads",
    peers: "splinter 0010 (every exposed view)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("over a table", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE VIEW v AS SELECT * FROM t; GRANT SELECT ON v TO pg_monitor"),
        case("through another view, quoted", r#"CREATE TABLE "T.t" (a int); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE VIEW v AS SELECT 1 FROM "T.t"; CREATE VIEW "V.v" WITH (security_barrier) AS SELECT 1 AS b FROM (SELECT * FROM v) x; GRANT SELECT (b) ON "V.v" TO PUBLIC"#),
        case("over a view with the reader's rights", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE VIEW v WITH (security_invoker = on) AS SELECT * FROM t; CREATE VIEW w AS SELECT * FROM v; GRANT SELECT ON v, w TO pg_monitor"),
    ],
    silent: &[
        case("reader's rights", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE VIEW v WITH (security_invoker) AS SELECT * FROM t; GRANT SELECT ON v TO pg_monitor"),
        case("said on purpose", r#"CREATE TABLE "T.t" (a int); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE VIEW v WITH (security_invoker = false) AS SELECT * FROM "T.t"; GRANT SELECT ON v TO pg_monitor"#),
        case("nobody else reads it", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE VIEW v AS SELECT * FROM t"),
        case("no row-level security", "CREATE TABLE t (a int); CREATE POLICY p ON t; CREATE VIEW v AS SELECT * FROM t; GRANT SELECT ON v TO pg_monitor"),
        case("asks who reads", "CREATE TABLE t (a name); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE VIEW v AS SELECT * FROM t WHERE a = current_user; CREATE VIEW w AS SELECT * FROM t WHERE a = (SELECT current_setting('a.a')); GRANT SELECT ON v, w TO pg_monitor"),
        case("its owner is bound", "CREATE TABLE t (a name); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE VIEW v AS SELECT * FROM t; ALTER VIEW v OWNER TO pg_monitor; GRANT SELECT ON v TO PUBLIC"),
        case("temporary", "CREATE TEMP TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE TEMP VIEW v AS SELECT * FROM t; GRANT SELECT ON v TO PUBLIC"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for v in c.linted_relations().filter(|r| r.kind == RelationKind::View && read_by_others(r)) {
        out.examine(&v.schema);
        if invoker(v).is_some() || v.asks_session {
            continue;
        }
        if let Some(t) = read_past_policies(c, v) {
            let (view, table) = (v.sql_name(), t.sql_name());
            let fix = Fix::new(format!("ALTER VIEW {view} SET (security_invoker = true);"), Safety::Review)
                .undo(format!("ALTER VIEW {view} RESET (security_invoker);"));
            let message =
                format!("view {view} shows its readers rows of {table} that row-level security hides");
            out.find(Finding::new(v.object(), message).evidence("table", table).fix(fix));
        }
    }
}
