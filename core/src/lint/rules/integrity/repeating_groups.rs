use crate::lint::catalog::{Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::names::folded;
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    code: "INT025",
    name: "repeating_groups",
    category: Category::Integrity,
    severity: Severity::Info,
    title: "Columns are numbered: the same thing several times in a row",
    why: "phone1, phone2, phone3: each search asks them all, the fourth needs a migration, and nothing keeps \
          the same number from standing there twice. Told of three and more columns of one type, numbered \
          without a gap from 0 or 1. Lines of an address are one text, and names such as sha256 no number \
          of a series.",
    bad: "CREATE TABLE contacts (id int PRIMARY KEY, phone1 text, phone2 text, phone3 text);",
    good: "CREATE TABLE contact_phones (contact_id int REFERENCES contacts, position int, phone text, PRIMARY KEY (contact_id, position));",
    remedy: "a table of their own, a row each",
    peers: "pg-index-health, SchemaCrawler, sqlcheck 1007",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[Param { name: "columns", default: 3.0, about: "numbered columns of a series" }],
    recommended: true,
    check,
    fires: &[
        case("three", "CREATE TABLE t (id int, phone1 text, phone2 text, phone3 text)"),
        case("from nought, two series, quoted", r#"CREATE TABLE "T.t" ("Photo_0" bytea, "Photo_1" bytea, "Photo_2" bytea, a01 int, a02 int, a03 int)"#),
        case("partitioned, told once", "CREATE TABLE t (id int, tag_1 int, tag_2 int, tag_3 int) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ],
    silent: &[
        case("two", "CREATE TABLE t (phone1 text, phone2 text)"),
        case("of an address", "CREATE TABLE t (address1 text, address2 text, address3 text, \"addressLine_1\" text, \"addressLine_2\" text, \"addressLine_3\" text)"),
        case("gaps, other types", "CREATE TABLE t (p50 int, p95 int, p99 int, sha1 text, sha256 text, sha512 text, a1 int, a2 text, a3 bool)"),
        case("from a parent, temporary", "CREATE TABLE p (x1 int, x2 int); CREATE TABLE t (x3 int) INHERITS (p); CREATE TEMP TABLE u (a1 int, a2 int, a3 int)"),
        case("words between", "CREATE TABLE t (phone_1_type text, phone_2_type text, phone_3_type text)"),
    ],
};

/// Series that are one text in several lines, or the steps of one scale.
const ONE_THING: &[&str] =
    &["address", "addressline", "addr", "addrline", "street", "streetline", "line", "adr"];

fn check(c: &Catalog, out: &mut Report) {
    let least = c.param(&RULE, "columns");
    for t in c.tables() {
        out.examine(&t.schema);
        let series = series(t, least);
        if let Some(first) = series.first() {
            let more = if series.len() > 1 { ", and more such series" } else { "" };
            let message = format!("table {} has numbered columns: {}{more}", t.sql_name(), first.join(", "));
            out.find(Finding::new(t.object(), message).confidence(0.6).evidence("series", series));
        }
    }
}

/// Names of the columns of each series.
fn series(t: &Relation, least: f64) -> Vec<Vec<&str>> {
    let mut stems: BTreeMap<(&str, u32), Vec<(u32, &str)>> = BTreeMap::new();
    for a in t.attributes.iter().filter(|a| !a.inherited) {
        let stem = a.name.trim_end_matches(|c: char| c.is_ascii_digit());
        let Some(number) = a.name.get(stem.len()..).and_then(|n| n.parse().ok()) else { continue };
        let named = folded(stem);
        if named.chars().any(char::is_alphabetic) && !ONE_THING.contains(&named.as_str()) {
            stems.entry((stem, a.base_type)).or_default().push((number, &a.name));
        }
    }
    let mut all = Vec::new();
    for mut numbered in stems.into_values() {
        numbered.sort_unstable();
        let first = numbered.first().map_or(9, |(n, _)| *n);
        let without_gap = (first..).zip(&numbered).all(|(n, (m, _))| n == *m);
        if first <= 1 && without_gap && numbered.len() as f64 >= least {
            all.push(numbered.into_iter().map(|(_, name)| name).collect());
        }
    }
    all
}
