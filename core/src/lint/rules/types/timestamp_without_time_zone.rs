use crate::lint::catalog::{types, Catalog};
use crate::lint::catalog::{Attribute, Relation};
use crate::lint::finding::{Fix, Safety};
use crate::lint::finding::{Report, Severity};
use crate::lint::names::{folded, words};
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
          go wrong twice a year. timestamptz takes the same eight bytes. Where the name speaks of a day (birth_date, due_date), \
          date may be what is meant: a birthday is nowhere another day. Told once for a schema \
          that does it throughout.",
    bad: "CREATE TABLE orders (created_at timestamp);",
    good: "CREATE TABLE orders (created_at timestamptz);",
    remedy: "ALTER COLUMN TYPE timestamptz, saying in which zone the stored values are (the fix assumes UTC), or date where only the day counts",
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
        case("a day by its name", r#"CREATE TABLE t (birth_date timestamp, "dueDate" timestamp, first_day timestamp)"#),
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
            out.find(match day(&a.name) {
                Day::Birth => wrong_type(t, a, "date", None).fix(None),
                Day::Perhaps => {
                    let instead = format!("{precision}, or date if only the day counts,");
                    wrong_type(t, a, &instead, None).fix(fix(t, a, &precision))
                }
                Day::No => wrong_type(t, a, &precision, None).fix(fix(t, a, &precision)),
            });
        }
    }
}

/// Whether the name of a column speaks of a day.
#[derive(Debug, PartialEq)]
enum Day {
    Birth,
    Perhaps,
    No,
}

fn day(name: &str) -> Day {
    const BIRTH: &[&str] = &["birthdate", "birthday", "dateofbirth", "dob", "bday", "birthdt"];
    let (words, folded) = (words(name), folded(name));
    if BIRTH.iter().any(|b| folded.ends_with(b) && (b.len() > 4 || words.last().is_some_and(|w| w == b))) {
        return Day::Birth;
    }
    // names folded to small letters have no words: orderdate
    const NO_DATE: &[&str] = &["update", "candidate", "validate", "mandate", "consolidate"];
    let date = folded.ends_with("date") && !NO_DATE.iter().any(|w| folded.ends_with(w));
    match date || words.last().is_some_and(|w| w == "day") {
        true => Day::Perhaps,
        false => Day::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_days() {
        for name in ["birth_date", "BirthDate", "dob", "user_dob", "date_of_birth", "Birthday"] {
            assert_eq!(day(name), Day::Birth, "{name}");
        }
        for name in ["due_date", "OrderDate", "orderdate", "first_day", "date"] {
            assert_eq!(day(name), Day::Perhaps, "{name}");
        }
        for name in ["created_at", "candidate", "last_update", "updated", "monday", "adob", ""] {
            assert_eq!(day(name), Day::No, "{name}");
        }
    }
}
