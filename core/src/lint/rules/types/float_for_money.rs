use crate::lint::catalog::{types, Catalog};
use crate::lint::finding::{Report, Severity};
use crate::lint::names::words;
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::types::wrong_type;

pub static RULE: Rule = Rule {
    code: "TYP007",
    name: "float_for_money",
    category: Category::Types,
    severity: Severity::Error,
    title: "Amount of money is stored as a floating point number",
    why: "0.1 + 0.2 is not 0.3 in binary: sums drift by cents and equality fails. Goes by the \
          column's name, so confidence is below 1; rates, ratios and scores are left alone.",
    bad: "CREATE TABLE orders (total_price float8);",
    good: "CREATE TABLE orders (total_price numeric(12,2));",
    remedy: "ALTER COLUMN TYPE numeric",
    peers: "sqlcheck 2001",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case(
            "used by a generated column",
            "CREATE TABLE t (price float8, qty int, line float8 GENERATED ALWAYS AS (price * qty) STORED)",
        ),
        case("price", "CREATE TABLE t (unit_price float8)"),
        case("real", "CREATE TABLE t (balance real DEFAULT 0)"),
        case("camel case", r#"CREATE TABLE "T.t" ("totalAmount" float8)"#),
        case("Spanish", "CREATE TABLE t (precio double precision)"),
    ],
    silent: &[
        case("numeric", "CREATE TABLE t (price numeric)"),
        case(
            "rates",
            "CREATE TABLE t (tax_rate float8, price_ratio float8, cost_percent real, price_score real)",
        ),
        case("words that only look so", "CREATE TABLE t (feedback float8, coffee float8, accosted float8)"),
        case(
            "counts and measures",
            "CREATE TABLE t (total_distance_km float8, total_seconds float8, weight float8)",
        ),
    ],
};

const MONEY: &[&str] = &[
    "price", "prices", "amount", "cost", "costs", "balance", "fee", "fees", "salary", "precio", "monto",
    "importe", "saldo",
];

/// A number beside money that is not money itself.
const OTHER: &[&str] = &[
    "rate",
    "ratio",
    "percent",
    "percentage",
    "pct",
    "score",
    "factor",
    "index",
    "weight",
    "distance",
    "seconds",
    "ms",
    "count",
    "change",
];

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in c.columns().filter(|(_, a)| matches!(a.type_oid, types::FLOAT4 | types::FLOAT8)) {
        out.examine(&t.schema);
        let words = words(&a.name);
        let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
        if has(MONEY) && !has(OTHER) {
            out.find(wrong_type(t, a, "numeric", Some("::numeric")).confidence(0.8));
        }
    }
}
