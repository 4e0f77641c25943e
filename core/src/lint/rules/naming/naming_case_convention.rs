use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::lint::scope::is_tool_table;
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    code: "NAM002",
    name: "naming_case_convention",
    category: Category::Naming,
    severity: Severity::Info,
    title: "Name is written otherwise than most others",
    why: "Where every column is createdAt, created_on is mistyped each time, and a generator makes two \
          styles of code of it. Goes by what at least four of five of the tables, or of the columns, of a \
          schema do, ten and more of them: camelCase, PascalCase or SCREAMING_CASE. Where they are \
          snake_case, the names that are not need quotes, which is NAM001's to say.",
    bad: r#"CREATE TABLE orders ("orderId" int, "createdAt" timestamptz, paid_on date);"#,
    good: r#"CREATE TABLE orders ("orderId" int, "createdAt" timestamptz, "paidOn" date);"#,
    remedy: "ALTER ... RENAME TO a name like the others, together with the queries that use it",
    peers: "schemalint name-casing, Atlas NM101-105",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[Param {
        name: "share",
        default: 0.8,
        about: "share of names of one style, from which on it is the schema's",
    }],
    recommended: true,
    check,
    fires: &[
        case(
            "a column",
            r#"CREATE TABLE t (id int, "orderId" int, "createdAt" date, "paidOn" date, "sentOn" date, "itemCount" int, "unitPrice" int, "netSum" int, "grossSum" int, "isPaid" bool, zip_code text)"#,
        ),
        case(
            "a table",
            r#"CREATE TABLE "User" (); CREATE TABLE "OrderItem" (); CREATE TABLE "Order" (); CREATE TABLE "Invoice" (); CREATE TABLE "Team" (); CREATE TABLE "TeamMember" (); CREATE TABLE "Price" (); CREATE TABLE "Country" (); CREATE TABLE "Tax" (); CREATE TABLE unit_prices ()"#,
        ),
    ],
    silent: &[
        case(
            "snake case",
            r#"CREATE TABLE t (order_id int, created_at date, paid_on date, sent_on date, item_count int, unit_price int, net_sum int, gross_sum int, is_paid bool, "zipCode" text, name text)"#,
        ),
        case(
            "one word is of any style",
            r#"CREATE TABLE t (id int, "orderId" int, "createdAt" date, "paidOn" date, "sentOn" date, "itemCount" int, "unitPrice" int, "netSum" int, "grossSum" int, "isPaid" bool, zip text, "ID2" int, "_hidden" int)"#,
        ),
        case(
            "mixed",
            r#"CREATE TABLE t (id int, "orderId" int, "createdAt" date, "paidOn" date, "sentOn" date, "itemCount" int, unit_price int, net_sum int, gross_sum int, is_paid bool, zip_code text)"#,
        ),
        case("few", r#"CREATE TABLE t ("orderId" int, "createdAt" date, "paidOn" date, zip_code text)"#),
        case(
            "temporary",
            r#"CREATE TABLE t ("orderId" int, "createdAt" date, "paidOn" date, "sentOn" date, "itemCount" int, "unitPrice" int, "netSum" int, "grossSum" int, "isPaid" bool, "isSent" bool); CREATE TEMP TABLE u (zip_code text)"#,
        ),
        case(
            "tables of tools",
            r#"CREATE TABLE "User" (); CREATE TABLE "OrderItem" (); CREATE TABLE "Order" (); CREATE TABLE "Invoice" (); CREATE TABLE "Team" (); CREATE TABLE "TeamMember" (); CREATE TABLE "Price" (); CREATE TABLE "Country" (); CREATE TABLE "Tax" (); CREATE TABLE "Unit" (); CREATE TABLE _prisma_migrations (); CREATE TABLE "_PostToTag" ()"#,
        ),
    ],
};

const LEAST: usize = 10;

/// Styles a name may be of; one word in small letters is snake_case and camelCase alike.
const SNAKE: usize = 0;
const CAMEL: usize = 1;
const PASCAL: usize = 2;
const SCREAMING: usize = 3;
const STYLES: [&str; 4] = ["snake_case", "camelCase", "PascalCase", "SCREAMING_CASE"];

type Named<'c> = (&'c Relation, Option<&'c Attribute>, [bool; 4]);

fn check(c: &Catalog, out: &mut Report) {
    let mut groups: BTreeMap<(&str, &'static str), Vec<Named>> = BTreeMap::new();
    for t in c.tables().filter(|t| !is_tool_table(&t.name)) {
        if let Some(styles) = styles(&t.name) {
            groups.entry((&t.schema, "table")).or_default().push((t, None, styles));
        }
        let own = t.attributes.iter().filter(|a| !a.inherited);
        let columns = own.filter_map(|a| Some((t, Some(a), styles(&a.name)?)));
        groups.entry((&t.schema, "column")).or_default().extend(columns);
    }
    let share = c.param(&RULE, "share");
    for ((schema, kind), names) in groups.into_iter().filter(|(_, names)| names.len() >= LEAST) {
        let count = |style: usize| names.iter().filter(|(.., s)| s.get(style) == Some(&true)).count();
        // the first of equals: snake_case
        let Some(usual) = (0..STYLES.len()).rev().max_by_key(|s| count(*s)) else { continue };
        let (like, all) = (count(usual), names.len());
        names.iter().for_each(|_| out.examine_kind(schema, kind));
        if usual == SNAKE || (like as f64) < share * all as f64 {
            continue;
        }
        let style = STYLES.get(usual).copied().unwrap_or_default();
        for (t, a, _) in names.into_iter().filter(|(.., s)| s.get(usual) != Some(&true)) {
            let object = a.map_or_else(|| t.object(), |a| t.column_object(a));
            let message = format!("{kind} {} is not {style}, as {like} of {all} names are", object.identity);
            out.find(Finding::new(object, message).confidence(0.7).evidence("style", style));
        }
    }
}

/// None: it says nothing about style (abbreviations in capitals, names of one letter, a leading mark).
fn styles(name: &str) -> Option<[bool; 4]> {
    let first = name.chars().next().filter(|c| c.is_ascii_alphabetic())?;
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let (upper, lower) =
        (name.contains(|c: char| c.is_ascii_uppercase()), name.contains(|c: char| c.is_ascii_lowercase()));
    let under = name.contains('_');
    let mut styles = [false; 4];
    if !lower {
        // URL, ID2
        under.then_some(())?;
        styles[SCREAMING] = true;
        return Some(styles);
    }
    styles[SNAKE] = !upper;
    styles[CAMEL] = !under && first.is_ascii_lowercase();
    styles[PASCAL] = !under && first.is_ascii_uppercase();
    // one word in small letters is of two styles
    (styles.iter().filter(|s| **s).count() == 1).then_some(styles)
}
