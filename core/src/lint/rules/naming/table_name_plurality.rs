use crate::lint::catalog::{Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::names::{is_neither, singular, words};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::lint::rules::integrity::links;
use crate::lint::scope::is_tool_table;
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    code: "NAM004",
    name: "table_name_plurality",
    category: Category::Naming,
    severity: Severity::Info,
    title: "Table name is singular where most are plural, or the other way round",
    why: "order, customers, product: everybody looks it up each time. Goes by what at least four of five \
          tables of a schema do, ten and more of them whose last word is plainly one or many in English. \
          Tables that only link others, words such as data, news and staff, and those of other languages as \
          far as they show, are left alone.",
    bad: "CREATE TABLE customer (...); -- beside orders, products, invoices ...",
    good: "CREATE TABLE customers (...);",
    remedy: "ALTER TABLE ... RENAME TO, with a view of the old name until the queries follow",
    peers: "schemalint name-inflection",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[Param { name: "share", default: 0.8, about: "share of tables of one kind, from which on it is the schema's" }],
    recommended: true,
    check,
    fires: &[
        case("one singular", "CREATE TABLE users (); CREATE TABLE orders (); CREATE TABLE products (); CREATE TABLE invoices (); CREATE TABLE categories (); CREATE TABLE taxa (); CREATE TABLE people (); CREATE TABLE boxes (); CREATE TABLE teams (); CREATE TABLE prices (); CREATE TABLE customer ()"),
        case("one plural, quoted", r#"CREATE TABLE "User" (); CREATE TABLE "OrderItem" (); CREATE TABLE "Order" (); CREATE TABLE "Invoice" (); CREATE TABLE "Team" (); CREATE TABLE "TeamMember" (); CREATE TABLE "Price" (); CREATE TABLE "Country" (); CREATE TABLE "Tax" (); CREATE TABLE "Sales.Persons" ()"#),
    ],
    silent: &[
        case("all alike, and words that are neither", "CREATE TABLE users (); CREATE TABLE orders (); CREATE TABLE products (); CREATE TABLE invoices (); CREATE TABLE categories (); CREATE TABLE people (); CREATE TABLE boxes (); CREATE TABLE teams (); CREATE TABLE prices (); CREATE TABLE customers (); CREATE TABLE staff (); CREATE TABLE bills_of_lading (); CREATE TABLE productcategory (); CREATE TABLE order_status (); CREATE TABLE user_data (); CREATE TABLE news ()"),
        case("mixed", "CREATE TABLE users (); CREATE TABLE orders (); CREATE TABLE products (); CREATE TABLE invoices (); CREATE TABLE categories (); CREATE TABLE person (); CREATE TABLE box (); CREATE TABLE team (); CREATE TABLE price (); CREATE TABLE customer ()"),
        case("few", "CREATE TABLE users (); CREATE TABLE orders (); CREATE TABLE products (); CREATE TABLE invoice ()"),
        case("a link", "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE orders (); CREATE TABLE products (); CREATE TABLE invoices (); CREATE TABLE categories (); CREATE TABLE people (); CREATE TABLE boxes (); CREATE TABLE teams (); CREATE TABLE prices (); CREATE TABLE customers (id int PRIMARY KEY); CREATE TABLE user_customer (u int REFERENCES users, c int REFERENCES customers)"),
        case("temporary, a view, a partition, a tool's", "CREATE TABLE users (); CREATE TABLE orders (id int) PARTITION BY LIST (id); CREATE TABLE order_other PARTITION OF orders DEFAULT; CREATE TABLE products (); CREATE TABLE invoices (); CREATE TABLE categories (); CREATE TABLE people (); CREATE TABLE boxes (); CREATE TABLE teams (); CREATE TABLE prices (); CREATE TABLE customers (); CREATE TEMP TABLE item (); CREATE VIEW customer AS SELECT 1 AS a; CREATE TABLE alembic_version ()"),
    ],
};

const LEAST: usize = 10;

fn check(c: &Catalog, out: &mut Report) {
    let mut schemas: BTreeMap<&str, Vec<(&Relation, bool)>> = BTreeMap::new();
    for t in c.tables().filter(|t| !is_tool_table(&t.name) && links(t).is_none()) {
        if let Some(many) = is_plural(&t.name) {
            schemas.entry(&t.schema).or_default().push((t, many));
        }
    }
    let share = c.param(&RULE, "share");
    for (schema, tables) in schemas.into_iter().filter(|(_, tables)| tables.len() >= LEAST) {
        tables.iter().for_each(|_| out.examine(schema));
        let (plural, all) = (tables.iter().filter(|(_, many)| *many).count(), tables.len());
        let usual = plural * 2 >= all;
        let like = if usual { plural } else { all - plural };
        if (like as f64) < share * all as f64 {
            continue;
        }
        let kind = if usual { "plural" } else { "singular" };
        for (t, _) in tables.iter().filter(|(_, many)| *many != usual) {
            let message = format!("table name {} is not {kind}, as {like} of {all} are", t.sql_name());
            out.find(Finding::new(t.object(), message).confidence(0.5).evidence("usual", kind));
        }
    }
}

/// By the last word; None where that cannot be told.
fn is_plural(name: &str) -> Option<bool> {
    let mut words = words(name);
    // bill_of_materials is a bill
    if let Some(of) = words.iter().position(|w| w == "of") {
        words.truncate(of);
    }
    // billofmaterials: more than one word, and no telling where they end
    if words.len() == 1 && name.len() > 12 && !name.contains(|c: char| c.is_uppercase() || c == '_') {
        return None;
    }
    let last = words.last().filter(|w| w.len() >= 3 && w.chars().all(|c| c.is_ascii_alphabetic()))?;
    if is_neither(last) {
        return None;
    }
    let many = singular(last).is_some();
    // gas, chess, bus, analysis: one, but nothing to hold against a table
    (many || !last.ends_with('s')).then_some(many)
}
