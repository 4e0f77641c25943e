use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::naming::each_name;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "NAM001",
    name: "identifier_needs_quotes",
    category: Category::Naming,
    severity: Severity::Warning,
    title: "Name works only in double quotes",
    why: "Unquoted names are folded to lower case, so whoever types the name without quotes is \
          told it does not exist. Letters beyond ASCII need no quotes and are left alone. No fix is \
          proposed, for renaming breaks the queries that use the name; details has the statement.",
    bad: r#"CREATE TABLE "OrderItems" ("Unit Price" numeric);"#,
    good: "CREATE TABLE order_items (unit_price numeric);",
    remedy: "ALTER ... RENAME TO a lower-case name, together with the queries that use it",
    peers: "pglinter B005, pg-index-health, pgcrab, SchemaCrawler, db_verifier n1006.., Don't-Do-This, schemalint name-casing, pg-migration-lint PGM509",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("mixed case", r#"CREATE TABLE "OrderItems" (id int)"#),
        case("column with a space", r#"CREATE TABLE t ("Unit price" int)"#),
        case("dot, digit first", r#"CREATE SCHEMA "a.b"; CREATE TABLE "a.b"."1t" (id int)"#),
        case(
            "constraint, index, function, view",
            r#"CREATE TABLE t (a int CONSTRAINT "C" CHECK (a > 0)); CREATE INDEX "I" ON t (a); CREATE VIEW "V" AS SELECT 1 AS a; CREATE FUNCTION "F"(int) RETURNS int LANGUAGE sql AS 'SELECT 1'"#,
        ),
        case(
            "63 bytes",
            r#"CREATE TABLE "Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" (id int)"#,
        ),
    ],
    silent: &[
        case("plain", "CREATE TABLE order_items (unit_price_2 int, _x int, a$b int)"),
        case("beyond ASCII", "CREATE TABLE größe (naïve int)"),
        case("keyword is another rule", r#"CREATE TABLE "order" ("user" int)"#),
        case("internal trigger", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a)"),
        case("temporary", r#"CREATE TEMP TABLE "T" ("A" int)"#),
        case(
            "partition",
            r#"CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE "T1" PARTITION OF t DEFAULT"#,
        ),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    each_name(c, |name, schema, kind, told| {
        out.examine_kind(schema, kind);
        if needs_quotes(name) {
            let (object, rename) = told();
            let message = format!("{kind} {} works only in double quotes", object.identity);
            let rename = format!("{rename} {};", ident(&folded(name)));
            out.find(Finding::new(object, message).evidence("name", name).evidence("rename_sql", rename));
        }
    });
}

/// As the scanner reads identifiers: bytes from 128 on are letters.
fn needs_quotes(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c == '_' || !c.is_ascii();
    let plain =
        name.chars().enumerate().all(|(i, c)| letter(c) || (i > 0 && (c.is_ascii_digit() || c == '$')));
    !plain
}

/// snake_case of the name.
fn folded(name: &str) -> String {
    let mut out = String::new();
    let mut lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && lower {
            out.push('_');
        }
        lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(if c.is_ascii_alphanumeric() || !c.is_ascii() { c.to_ascii_lowercase() } else { '_' });
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{out}")
    } else {
        out
    }
}
