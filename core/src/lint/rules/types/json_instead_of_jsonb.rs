use crate::lint::catalog::{types, Catalog};
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::types::{of_type, wrong_type};

pub static RULE: Rule = Rule {
    code: "TYP010",
    name: "json_instead_of_jsonb",
    category: Category::Types,
    severity: Severity::Warning,
    title: "Column is of type json, which is only checked text",
    why: "json has no equality, so DISTINCT, GROUP BY and UNION fail, cannot be indexed by \
          content, and is parsed anew by every access. Keep it only where the exact bytes matter, \
          as in signed payloads.",
    bad: "CREATE TABLE events (payload json);",
    good: "CREATE TABLE events (payload jsonb);",
    remedy: "ALTER COLUMN TYPE jsonb",
    peers: "pg-index-health, schemalint, pytest-pghealth, eugene E3, pgfence 29, pg-migration-lint PGM106, strong_migrations, online_migrations",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("json", "CREATE TABLE t (a json)"),
        case("with default", "CREATE TABLE t (a json NOT NULL DEFAULT '{}')"),
        case("quoted", r#"CREATE TABLE "T" ("a.B" json)"#),
    ],
    silent: &[
        case("jsonb", "CREATE TABLE t (a jsonb)"),
        case("named so, but text", "CREATE TABLE t (json text)"),
        case("view", "CREATE VIEW v AS SELECT '{}'::json AS a"),
        case("extension member", "CREATE TABLE t (a json); ALTER EXTENSION plpgsql ADD TABLE t"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in of_type(c, types::JSON, out) {
        out.find(wrong_type(t, a, "jsonb", Some("::jsonb")));
    }
}
