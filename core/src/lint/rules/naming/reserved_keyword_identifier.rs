use crate::lint::catalog::{Catalog, Keyword};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::naming::each_name;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "NAM003",
    name: "reserved_keyword_identifier",
    category: Category::Naming,
    severity: Severity::Warning,
    title: "Name is a reserved word of SQL",
    why: "Without quotes it is a syntax error or, worse, something else: SELECT user answers with \
          who is logged in. Goes by this server's own list of words that cannot be a name; words \
          such as timestamp, value and position can, and are left alone. No fix is proposed, for \
          renaming breaks the queries that use the name; details has the statement.",
    bad: r#"CREATE TABLE "order" ("user" int);"#,
    good: "CREATE TABLE orders (user_id int);",
    remedy: "ALTER ... RENAME TO another name, together with the queries that use it",
    peers: "pglinter B010 (only upper-case, misses user/order), db_verifier n1030-40, pg-migration-lint PGM509, SchemaCrawler, rubocop-migration",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("table", r#"CREATE TABLE "order" (id int)"#),
        case("column", r#"CREATE TABLE t ("user" int, "end" date)"#),
        case("may name a function only", r#"CREATE TABLE "left" (a int)"#),
        case("schema and view", r#"CREATE SCHEMA "table"; CREATE VIEW "table"."select" AS SELECT 1 AS a"#),
    ],
    silent: &[
        case(
            "not reserved",
            "CREATE TABLE position (timestamp int, value int, name int, type int, date int, time int)",
        ),
        case(
            "function of that name",
            r#"CREATE FUNCTION "left"(int) RETURNS int LANGUAGE sql AS 'SELECT 1'"#,
        ),
        case("upper case is another rule", r#"CREATE TABLE "ORDER" (id int)"#),
        case("part of a name", "CREATE TABLE orders (user_id int, order_no int)"),
        case("temporary", r#"CREATE TEMP TABLE "order" ("user" int)"#),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    each_name(c, |name, schema, kind, told| {
        out.examine_kind(schema, kind);
        let reserved = match c.keywords.get(name) {
            None => false,
            Some(Keyword::Reserved) => true,
            Some(Keyword::FunctionOrType) => kind != "function",
        };
        if reserved {
            let (object, rename) = told();
            let message = format!("{kind} {} is a reserved word", object.identity);
            let rename = format!("{rename} {};", ident(&format!("{name}_")));
            out.find(Finding::new(object, message).evidence("name", name).evidence("rename_sql", rename));
        }
    });
}
