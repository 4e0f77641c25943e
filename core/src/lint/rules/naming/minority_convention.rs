use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::names::folded;
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::lint::rules::audit::{is_time, says_created, says_updated, table_names};
use crate::lint::scope::is_tool_table;
use crate::quote::ident;
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    code: "NAM017",
    name: "minority_convention",
    category: Category::Naming,
    severity: Severity::Info,
    title: "Name breaks a habit that the schema otherwise keeps",
    why: "Code that is written once for all tables fails at the one that differs. Looked at are what single \
          primary keys are called (id, or the table's name with id), what times of making and of changing \
          are called, how foreign key columns end or begin (_id, id_, _fk, fk_), and prefixes of tables such \
          as tbl_. Told where ten and more of a kind are in a schema and at least four of five agree.",
    bad: "CREATE TABLE invoices (invoice_id bigint PRIMARY KEY); -- the key of all the others is id",
    good: "CREATE TABLE invoices (id bigint PRIMARY KEY);",
    remedy: "ALTER ... RENAME TO a name like the others, together with the queries that use it",
    peers: "",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[Param { name: "share", default: 0.8, about: "share of names of one kind, from which on it is a habit" }],
    recommended: true,
    check,
    fires: &[
        case("a primary key", "DO $$BEGIN FOR i IN 1..9 LOOP EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY)', 'a' || i); END LOOP; END$$; CREATE TABLE invoices (invoice_id int PRIMARY KEY)"),
        case("a time, quoted", r#"DO $$BEGIN FOR i IN 1..9 LOOP EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, created_at timestamptz)', 'a' || i); END LOOP; END$$; CREATE TABLE "T.t" (id int PRIMARY KEY, "Creation Date" timestamptz)"#),
        case("a foreign key", "CREATE TABLE p (id int PRIMARY KEY); DO $$BEGIN FOR i IN 1..9 LOOP EXECUTE format('CREATE TABLE %I (p_id int REFERENCES p)', 'a' || i); END LOOP; END$$; CREATE TABLE t (fk_p int REFERENCES p)"),
        case("a prefix", "DO $$BEGIN FOR i IN 1..9 LOOP EXECUTE format('CREATE TABLE %I ()', 'tbl_' || i); END LOOP; END$$; CREATE TABLE invoices ()"),
    ],
    silent: &[
        case("all alike", "DO $$BEGIN FOR i IN 1..12 LOOP EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, created_at timestamptz)', 'a' || i); END LOOP; END$$"),
        case("a key of its own kind", "DO $$BEGIN FOR i IN 1..10 LOOP EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY)', 'a' || i); END LOOP; END$$; CREATE TABLE countries (iso_code text PRIMARY KEY); CREATE TABLE more (a1_id int PRIMARY KEY REFERENCES a1); CREATE TABLE two (x int, y int, PRIMARY KEY (x, y))"),
        case("other roles", "CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE); DO $$BEGIN FOR i IN 1..10 LOOP EXECUTE format('CREATE TABLE %I (p_id int REFERENCES p)', 'a' || i); END LOOP; END$$; CREATE TABLE t (created_by int REFERENCES p, code text REFERENCES p (code))"),
        case("few", "DO $$BEGIN FOR i IN 1..8 LOOP EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY)', 'a' || i); END LOOP; END$$; CREATE TABLE invoices (invoice_id int PRIMARY KEY)"),
        case("mixed", "DO $$BEGIN FOR i IN 1..8 LOOP EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY)', 'a' || i); EXECUTE format('CREATE TABLE %I (%I int PRIMARY KEY)', 'b' || i, 'b' || i || '_id'); END LOOP; END$$"),
        case("another schema, temporary", "DO $$BEGIN FOR i IN 1..10 LOOP EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY)', 'a' || i); END LOOP; END$$; CREATE SCHEMA s; CREATE TABLE s.invoices (invoice_id int PRIMARY KEY); CREATE TEMP TABLE invoices (invoice_id int PRIMARY KEY)"),
    ],
};

const LEAST: usize = 10;

/// What a table, or a column of it, does of those that do it one way or another.
type Way<'c> = (&'c Relation, Option<&'c Attribute>, String);

fn check(c: &Catalog, out: &mut Report) {
    let mut habits: BTreeMap<(&str, &'static str), Vec<Way>> = BTreeMap::new();
    for t in c.tables().filter(|t| !is_tool_table(&t.name)) {
        let mut add = |what, a, way| habits.entry((&t.schema, what)).or_default().push((t, a, way));
        if let Some((a, way)) = key_name(t) {
            add("primary keys", Some(a), way);
        }
        for a in t.attributes.iter().filter(|a| !a.inherited) {
            if is_time(a) && says_created(a) {
                add("times of making", Some(a), ident(&a.name));
            } else if is_time(a) && says_updated(a) {
                add("times of changing", Some(a), ident(&a.name));
            } else if let Some(way) = link_name(t, a) {
                add("foreign key columns", Some(a), way.to_owned());
            }
        }
        add("tables", None, prefix(t));
    }
    let share = c.param(&RULE, "share");
    for ((schema, what), ways) in habits.into_iter().filter(|(_, ways)| ways.len() >= LEAST) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, a, way) in &ways {
            out.examine_kind(schema, if a.is_some() { "column" } else { "table" });
            *counts.entry(way).or_default() += 1;
        }
        let Some((usual, like)) = counts.into_iter().max_by_key(|(_, n)| *n) else { continue };
        if (like as f64) < share * ways.len() as f64 {
            continue;
        }
        for (t, a, _) in ways.iter().filter(|(.., way)| way != usual) {
            let object = a.map_or_else(|| t.object(), |a| t.column_object(a));
            let message = format!(
                "{} {}: {like} of {} {what} are named otherwise ({usual})",
                object.kind,
                object.identity,
                ways.len()
            );
            out.find(Finding::new(object, message).confidence(0.6).evidence("usual", usual));
        }
    }
}

/// A key of one column that is no foreign key: `id`, or named after the table.
fn key_name(t: &Relation) -> Option<(&Attribute, String)> {
    let [key] = t.primary_key()?.columns.as_slice() else { return None };
    let a = t.attribute(*key).filter(|a| !a.inherited)?;
    if t.constraints.iter().any(|k| k.kind == 'f' && k.columns.contains(key)) {
        return None;
    }
    let name = folded(&a.name);
    if name == "id" {
        return Some((a, "id".to_owned()));
    }
    let named = table_names(t).iter().any(|n| format!("{n}id") == name);
    named.then(|| (a, "table name and id".to_owned()))
}

/// How a column of a foreign key says that it is one.
fn link_name<'w>(t: &Relation, a: &Attribute) -> Option<&'w str> {
    let name = a.name.to_ascii_lowercase();
    let link = || t.constraints.iter().any(|k| k.kind == 'f' && !k.inherited && k.columns == [a.num]);
    let way = if name.starts_with("fk_") {
        Some("fk_...")
    } else if name.starts_with("id_") {
        Some("id_...")
    } else if name.ends_with("_fk") {
        Some("..._fk")
    } else if name.ends_with("_id") {
        Some("..._id")
    } else {
        None
    };
    way.filter(|_| link())
}

fn prefix(t: &Relation) -> String {
    let name = t.name.to_ascii_lowercase();
    let prefix = ["tbl_", "tb_"].into_iter().find(|p| name.starts_with(p));
    prefix.map_or_else(|| "no prefix".to_owned(), |p| format!("{p}..."))
}
