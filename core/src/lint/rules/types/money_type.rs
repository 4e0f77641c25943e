use crate::lint::catalog::{types, Catalog};
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::types::{of_type, wrong_type};

pub static RULE: Rule = Rule {
    code: "TYP006",
    name: "money_type",
    category: Category::Types,
    severity: Severity::Error,
    title: "Column is of type money",
    why: "How many digits it keeps and which sign it shows follow the session's lc_monetary: a \
          dump restored elsewhere reads as another currency, and division loses cents.",
    bad: "CREATE TABLE orders (total money);",
    good: "CREATE TABLE orders (total numeric(12,2), currency text);",
    remedy: "ALTER COLUMN TYPE numeric",
    peers: "pg-index-health, pgcrab, pg-migration-lint PGM104, Don't-Do-This",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("money", "CREATE TABLE t (a money)"),
        case("with default", "CREATE TABLE t (a money NOT NULL DEFAULT 0)"),
        case(
            "quoted, on a partitioned table",
            r#"CREATE TABLE "T" ("A.a" money, b int) PARTITION BY LIST (b); CREATE TABLE t1 PARTITION OF "T" DEFAULT"#,
        ),
    ],
    silent: &[
        case("numeric", "CREATE TABLE t (money numeric(12,2))"),
        case("view", "CREATE VIEW v AS SELECT 1::money AS a"),
        case("temporary", "CREATE TEMP TABLE t (a money)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in of_type(c, types::MONEY, out) {
        out.find(wrong_type(t, a, "numeric", Some("::numeric")));
    }
}
