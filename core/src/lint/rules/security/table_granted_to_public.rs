use crate::lint::catalog::{Catalog, Grant, Relation, PUBLIC};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::scope::is_tool_table;
use crate::lint::text::idents;
use std::collections::BTreeSet;

pub static RULE: Rule = Rule {
    code: "SEC005",
    name: "table_granted_to_public",
    category: Category::Security,
    severity: Severity::Warning,
    title: "Everybody has rights on the table",
    why: "PUBLIC is every role there is and every role to come, so nobody is asked again. Error \
          where everybody may write to a table without row-level security; info where everybody may \
          only read, which reference tables may want. Reading under row-level security is left \
          alone, and a partition whose parent is told.",
    bad: "GRANT SELECT, UPDATE ON orders TO PUBLIC;",
    good: "GRANT SELECT, UPDATE ON orders TO app;",
    remedy: "REVOKE ALL from PUBLIC, and grant to the roles that need it",
    peers: "splinter (anon/authenticated variants 0026-0027)",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("to read", "CREATE TABLE t (a int); GRANT SELECT ON t TO PUBLIC"),
        case("to write, under policies", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT ALL ON t TO PUBLIC"),
        case("a column, quoted", r#"CREATE SCHEMA "S.s"; CREATE TABLE "S.s"."T ""t" ("A.a" int, b int); GRANT SELECT ("A.a"), UPDATE (b, "A.a") ON "S.s"."T ""t" TO PUBLIC"#),
        case("a partition only", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; GRANT INSERT ON t1 TO PUBLIC"),
        case("partitioned, told once", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; GRANT SELECT ON t TO PUBLIC"),
        case("view and materialized view", "CREATE VIEW v AS SELECT 1 AS a; CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; GRANT SELECT ON v, m TO PUBLIC"),
    ],
    silent: &[
        case("a certain role", "CREATE TABLE t (a int); GRANT ALL ON t TO pg_monitor"),
        case("reading under row-level security", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO PUBLIC"),
        case("taken back", r#"CREATE TABLE "T.t" (a int); GRANT SELECT ON "T.t" TO PUBLIC; REVOKE SELECT ON "T.t" FROM PUBLIC"#),
        case("temporary", "CREATE TEMP TABLE t (a int); GRANT ALL ON t TO PUBLIC"),
        case("extension member", "CREATE TABLE t (a int); GRANT ALL ON t TO PUBLIC; ALTER EXTENSION plpgsql ADD TABLE t"),
        case("a tool's table", "CREATE TABLE spatial_ref_sys (a int); GRANT SELECT ON spatial_ref_sys TO PUBLIC"),
    ],
};

const WRITES: &[&str] = &["INSERT", "UPDATE", "DELETE", "TRUNCATE"];

fn check(c: &Catalog, out: &mut Report) {
    let granted = |t: &Relation| t.grants.iter().any(|g| g.grantee == PUBLIC);
    for t in c.relations.iter().filter(|t| t.linted && !is_tool_table(&t.name)) {
        let told = |oid| c.relation(oid).is_some_and(granted);
        if !t.is_partition {
            out.examine_kind(&t.schema, t.object().kind);
        }
        if !granted(t) || t.parent.is_some_and(told) {
            continue;
        }
        let grants: Vec<&Grant> = t.grants.iter().filter(|g| g.grantee == PUBLIC).collect();
        let privileges: BTreeSet<&str> =
            grants.iter().flat_map(|g| &g.privileges).map(String::as_str).collect();
        let writes = privileges.iter().any(|p| WRITES.contains(p));
        if !writes && t.row_security {
            continue;
        }
        let severity = match (writes, t.row_security) {
            (false, _) => Severity::Info,
            (true, true) => Severity::Warning,
            (true, false) => Severity::Error,
        };
        let privileges: Vec<&str> = privileges.into_iter().collect();
        let object = t.object();
        let message =
            format!("everybody has {} on {} {}", privileges.join(", "), object.kind, object.identity);
        let fix = fix(t, &grants);
        out.find(
            Finding::new(object, message).severity(severity).evidence("privileges", privileges).fix(fix),
        );
    }
}

/// Taking a right from the table takes it from its columns too.
fn fix(t: &Relation, grants: &[&Grant]) -> Fix {
    let table = t.sql_name();
    let undo: Vec<String> = grants
        .iter()
        .map(|g| {
            let columns =
                if g.column == 0 { String::new() } else { format!(" ({})", idents(&t.names(&[g.column]))) };
            let rights: Vec<String> = g.privileges.iter().map(|p| format!("{p}{columns}")).collect();
            format!("GRANT {} ON {table} TO PUBLIC;", rights.join(", "))
        })
        .collect();
    Fix::new(format!("REVOKE ALL ON {table} FROM PUBLIC;"), Safety::Review).undo(undo.join("\n"))
}
