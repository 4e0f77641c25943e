use crate::lint::catalog::types::{TEXT, VARCHAR};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::names::words;
use crate::lint::rule::{case, Category, Param, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "TYP014",
    name: "text_for_everything",
    category: Category::Types,
    severity: Severity::Warning,
    title: "Dates, numbers and flags are text like everything else in the table",
    why: "'31.2.2024' and 'n/a' are stored as well as any date, sums need casts that fail on some row, and \
          '9' sorts after '10'. Told where at least four of five columns beside the keys, six and more of \
          them, are text without limit, and three of these are called like a date, an amount, a count or a \
          flag. Tables for imports, logs and staging take what comes.",
    bad: "CREATE TABLE orders (id int PRIMARY KEY, order_date text, total_amount text, quantity text, ...);",
    good: "CREATE TABLE orders (id int PRIMARY KEY, order_date date, total_amount numeric, quantity int, ...);",
    remedy: "ALTER COLUMN TYPE with USING, column by column, after looking for values that do not fit",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[Param { name: "share", default: 0.8, about: "share of columns that are text" }],
    recommended: true,
    check,
    fires: &[
        case("all text", "CREATE TABLE t (id int PRIMARY KEY, order_date text, total_amount text, quantity text, is_paid text, name text, note text)"),
        case("varchar, quoted, partitioned", r#"CREATE TABLE "T.t" ("OrderDate" varchar, "UnitPrice" varchar, "ItemCount" varchar, "Name" varchar, "City" varchar, a int, b text) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT"#),
    ],
    silent: &[
        case("text that is text", "CREATE TABLE customers (id int PRIMARY KEY, name text, title text, street text, city text, region text, zip text, country text, phone text, email text)"),
        case("few columns", "CREATE TABLE t (id int PRIMARY KEY, order_date text, amount text, quantity text)"),
        case("with limits, with types", "CREATE TABLE t (order_date varchar(10), amount varchar(10), quantity varchar(10), is_paid text, name text, note text, a text); CREATE TABLE u (order_date text, amount text, quantity text, a int, b int, c int, d int)"),
        case("keys do not count", "CREATE TABLE t (order_date text, amount text, quantity text, a text, b text, c text, PRIMARY KEY (order_date, amount, quantity))"),
        case("imports and logs", "CREATE TABLE orders_import (order_date text, amount text, quantity text, a text, b text, c text); CREATE SCHEMA staging; CREATE TABLE staging.t (order_date text, amount text, quantity text, a text, b text, c text)"),
        case("temporary", "CREATE TEMP TABLE t (order_date text, amount text, quantity text, a text, b text, c text)"),
    ],
};

/// Columns beside the keys, and those among them whose names say another type.
const LEAST: usize = 6;
const LEAST_WRONG: usize = 3;

const TAKES_ANYTHING: &[&str] = &[
    "import", "imports", "imported", "export", "exports", "staging", "stage", "stg", "raw", "landing", "log",
    "logs", "tmp", "temp", "load", "loads", "upload", "uploads", "csv", "feed", "feeds", "dump", "backup",
    "bak", "etl", "sync", "external", "ext", "src", "source",
];

/// Last words of names of dates, times, amounts and counts.
const OTHER_TYPES: &[&str] = &[
    "date",
    "datetime",
    "timestamp",
    "amount",
    "price",
    "quantity",
    "qty",
    "count",
    "balance",
    "latitude",
    "longitude",
    "weight",
    "height",
    "width",
    "percent",
    "percentage",
    "birthday",
    "birthdate",
    "dob",
    "age",
];

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        let anything = |name: &str| words(name).iter().any(|w| TAKES_ANYTHING.contains(&w.as_str()));
        if anything(&t.name) || anything(&t.schema) {
            continue;
        }
        let key = |a: &Attribute| {
            t.constraints.iter().any(|k| matches!(k.kind, 'p' | 'f') && k.columns.contains(&a.num))
        };
        let others: Vec<&Attribute> = t.attributes.iter().filter(|a| !key(a)).collect();
        if others.len() < LEAST {
            continue;
        }
        out.examine(&t.schema);
        let text: Vec<&Attribute> = others.iter().copied().filter(|a| is_text(a)).collect();
        let wrong: Vec<&str> = text.iter().filter(|a| says_other(a)).map(|a| a.name.as_str()).collect();
        if wrong.len() >= LEAST_WRONG && text.len() as f64 >= c.param(&RULE, "share") * others.len() as f64 {
            out.find(finding(t, text.len(), others.len(), &wrong));
        }
    }
}

fn finding(t: &Relation, text: usize, all: usize, wrong: &[&str]) -> Finding {
    let message =
        format!("{text} of {all} columns of {} are text, {} among them", t.sql_name(), wrong.join(", "));
    Finding::new(t.object(), message).confidence(0.6).evidence("columns", wrong)
}

fn is_text(a: &Attribute) -> bool {
    matches!((a.type_oid, a.typmod), (TEXT, _) | (VARCHAR, -1))
}

fn says_other(a: &Attribute) -> bool {
    let words = words(&a.name);
    let last = |w: &String| OTHER_TYPES.contains(&w.as_str());
    let flag = words.len() > 1 && words.first().is_some_and(|w| w == "is" || w == "has");
    let moment = words.len() > 1 && words.last().is_some_and(|w| w == "at");
    flag || moment || words.last().is_some_and(last)
}
