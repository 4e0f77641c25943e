use crate::lint::catalog::{types, Catalog};
use crate::lint::catalog::{Attribute, Relation};
use crate::lint::finding::{Fix, Safety};
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::retype;
use crate::lint::rules::types::wrong_type;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "TYP001",
    name: "timestamp_without_time_zone",
    category: Category::Types,
    severity: Severity::Warning,
    title: "Timestamp column does not know its time zone",
    why: "The same value means another moment in every session's zone, and comparisons with now() \
          go wrong twice a year. timestamptz takes the same eight bytes. Told once for a schema \
          that does it throughout.",
    bad: "CREATE TABLE orders (created_at timestamp);",
    good: "CREATE TABLE orders (created_at timestamptz);",
    remedy: "ALTER COLUMN TYPE timestamptz, saying in which zone the stored values are; the fix assumes UTC",
    peers: "pg-index-health, schemalint, pgcrab, squawk prefer-timestamptz, pgfence 33, pg-migration-lint PGM101, Don't-Do-This",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("timestamp", "CREATE TABLE t (at timestamp)"),
        case("with default and precision", "CREATE TABLE t (at timestamp(3) NOT NULL DEFAULT now())"),
        case("hostile names", r#"CREATE TABLE "T.t" ("A"";t" timestamp)"#),
        case("used by a view", "CREATE TABLE t (at timestamp); CREATE VIEW v AS SELECT at FROM t"),
        case("partition key", "CREATE TABLE t (at timestamp) PARTITION BY RANGE (at)"),
        case("inherited, told once", "CREATE TABLE t (at timestamp); CREATE TABLE u () INHERITS (t)"),
    ],
    silent: &[
        case("timestamptz", "CREATE TABLE t (at timestamptz, d date, h time)"),
        case("view", "CREATE VIEW v AS SELECT now()::timestamp AS at"),
        case("temporary", "CREATE TEMP TABLE t (at timestamp)"),
        case("dropped column", "CREATE TABLE t (at timestamp, b int); ALTER TABLE t DROP COLUMN at"),
        case("range type", "CREATE TABLE t (during tsrange)"),
        case("extension member", "CREATE TABLE t (at timestamp); ALTER EXTENSION plpgsql ADD TABLE t"),
    ],
};

/// That the times are UTC is a guess, so somebody must look; and a default such as `now() AT TIME ZONE
/// 'utc'` would mean another moment afterwards, so none is proposed where there is one.
fn fix(t: &Relation, a: &Attribute, type_name: &str) -> Option<Fix> {
    const UTC: &str = "AT TIME ZONE 'UTC'";
    let fix = retype(t, a, type_name, Some(UTC)).filter(|_| !a.has_default)?;
    let (table, column) = (t.sql_name(), ident(&a.name));
    let undo =
        format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {} USING {column} {UTC};", a.type_name);
    Some(Fix::new(fix.sql, Safety::Review).undo(undo))
}

fn check(c: &Catalog, out: &mut Report) {
    // Columns of other types are no evidence of a habit either way.
    for (t, a) in c.columns().filter(|(_, a)| matches!(a.type_oid, types::TIMESTAMP | types::TIMESTAMPTZ)) {
        out.examine(&t.schema);
        if a.type_oid == types::TIMESTAMP {
            let precision =
                if a.typmod >= 0 { format!("timestamptz({})", a.typmod) } else { "timestamptz".to_owned() };
            out.find(wrong_type(t, a, &precision, None).fix(fix(t, a, &precision)));
        }
    }
}
