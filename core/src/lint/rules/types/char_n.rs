use crate::lint::catalog::{types, Catalog};
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::types::{of_type, wrong_type};

pub static RULE: Rule = Rule {
    code: "TYP004",
    name: "char_n",
    category: Category::Types,
    severity: Severity::Warning,
    title: "Column is of type char(n), padded with spaces",
    why: "Padding is stored and sent, but does not count when comparing, and LIKE and casts to \
          text see it differently: values that are equal stop being so. It is no faster than text. \
          char(1) is left alone, char(2) and char(3), usually codes, are info.",
    bad: "CREATE TABLE parts (sku char(12));",
    good: "CREATE TABLE parts (sku text CHECK (length(sku) <= 12));",
    remedy: "ALTER COLUMN TYPE text, with a CHECK where the length matters",
    peers: "pg-index-health, squawk ban-char-field, pgfence 34, pg-migration-lint PGM103, Don't-Do-This",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("char(12)", "CREATE TABLE t (a char(12))"),
        case("country code", "CREATE TABLE t (a char(2) DEFAULT 'DE')"),
        case("quoted", r#"CREATE TABLE "T" ("A a" character(40) NOT NULL)"#),
    ],
    silent: &[
        case("varchar and text", "CREATE TABLE t (a varchar(12), b text)"),
        case("char(1)", "CREATE TABLE t (a char, b char(1))"),
        case("the internal char", r#"CREATE TABLE t (a "char")"#),
        case("name", "CREATE TABLE t (a name)"),
    ],
};

/// typmod of bpchar is the length and four bytes.
const HEADER: i32 = 4;

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in of_type(c, types::BPCHAR, out) {
        let length = a.typmod - HEADER;
        if length > 1 {
            let severity = if length <= 3 { Severity::Info } else { Severity::Warning };
            out.find(wrong_type(t, a, "text", None).severity(severity));
        }
    }
}
