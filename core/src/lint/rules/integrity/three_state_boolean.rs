use crate::lint::catalog::types::BOOL;
use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "INT020",
    name: "three_state_boolean",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Boolean may be NULL: a third state that WHERE forgets",
    why: "Rows that are neither true nor false are found by no WHERE active and by no WHERE NOT active. \
          Where unknown is meant, say so in a comment on the column and ignore the finding. A CHECK that \
          names the column with IS NULL or IS NOT NULL shows that somebody thought of it: silent.",
    bad: "CREATE TABLE users (active boolean);",
    good: "CREATE TABLE users (active boolean NOT NULL DEFAULT false);",
    remedy: "fill the NULLs, then SET NOT NULL with a default",
    peers: "database_consistency ThreeStateBoolean, GitLab SaferBooleanColumn",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("nullable", "CREATE TABLE t (a bool)"),
        case("with a default, quoted", r#"CREATE TABLE "T.t" ("A" boolean DEFAULT false)"#),
        case(
            "partitioned",
            "CREATE TABLE t (a int, b bool) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT",
        ),
    ],
    silent: &[
        case("not null", "CREATE TABLE t (a bool NOT NULL)"),
        case("by its domain", "CREATE DOMAIN d AS bool NOT NULL; CREATE TABLE t (a d)"),
        case("thought of", "CREATE TABLE t (a bool, b int, CHECK (a IS NULL OR b > 0))"),
        case("generated", "CREATE TABLE t (b int, a bool GENERATED ALWAYS AS (b > 0) STORED)"),
        case("a view's column", "CREATE VIEW v AS SELECT true AS a"),
        case("temporary", "CREATE TEMP TABLE t (a bool)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in c.columns().filter(|(_, a)| a.base_type == BOOL && !a.generated) {
        out.examine_kind(&t.schema, "column");
        let name = ident(&a.name);
        let thought_of =
            |k: &str| k.contains(&format!("{name} IS NULL")) || k.contains(&format!("{name} IS NOT NULL"));
        if t.never_null(a) || t.constraints.iter().filter_map(|k| k.definition.as_deref()).any(thought_of) {
            continue;
        }
        let column = t.column_object(a);
        let (table, message) = (t.sql_name(), format!("boolean {} may be NULL", column.identity));
        let fix = Fix::new(format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL;"), Safety::Rewrite)
            .undo(format!("ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL;"));
        out.find(Finding::new(column, message).fix(fix));
    }
}
