//! Schemas made alike, one for each tenant, and what a table in them is made of.

use crate::lint::catalog::{Catalog, Constraint, IndexKey, Relation};
use crate::lint::scope::is_tool_table;
use crate::quote::ident;
use std::collections::{BTreeMap, BTreeSet};

/// Tables of a schema by name.
pub type Tables<'c> = BTreeMap<&'c str, &'c Relation>;
/// Schemas that have mostly the same tables.
pub type Group<'c> = Vec<(&'c str, Tables<'c>)>;

const LEAST_SCHEMAS: usize = 3;
const LEAST_TABLES: usize = 3;
/// Of their tables, by name, that two schemas have in common.
const ALIKE: f64 = 0.8;
/// A schema is held against the first of so many groups only, so that a thousand that have nothing
/// in common take no time.
const MOST_GROUPS: usize = 16;

pub fn groups(c: &Catalog) -> Vec<Group<'_>> {
    let mut schemas: BTreeMap<&str, Tables> = BTreeMap::new();
    for t in c.tables().filter(|t| !is_tool_table(&t.name)) {
        schemas.entry(&t.schema).or_default().insert(&t.name, t);
    }
    let mut same: BTreeMap<Vec<&str>, Group> = BTreeMap::new();
    for (name, tables) in schemas.into_iter().filter(|(_, t)| t.len() >= LEAST_TABLES) {
        same.entry(tables.keys().copied().collect()).or_default().push((name, tables));
    }
    let mut same: Vec<(Vec<&str>, Group)> = same.into_iter().collect();
    same.sort_by_key(|(_, group)| std::cmp::Reverse(group.len()));
    let mut groups: Vec<(BTreeSet<&str>, Group)> = Vec::new();
    for (names, schemas) in same {
        let like = |of: &BTreeSet<&str>| {
            let common = names.iter().filter(|n| of.contains(*n)).count();
            common as f64 >= ALIKE * names.len().max(of.len()) as f64
        };
        match groups.iter_mut().take(MOST_GROUPS).find(|(of, _)| like(of)) {
            Some((_, group)) => group.extend(schemas),
            None => groups.push((names.into_iter().collect(), schemas)),
        }
    }
    groups.into_iter().map(|(_, group)| group).filter(|g| g.len() >= LEAST_SCHEMAS).collect()
}

/// The text without the schema's name where a name begins with it, not where one ends so.
fn without_schema(text: &str, own: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(own) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let inside = out.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '"' | '.'));
        if inside {
            out.push_str(own);
        }
        rest = after.get(own.len()..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Columns, constraints, indexes and policies, without the names that servers make up and without
/// the schema's own.
pub fn parts(c: &Catalog, t: &Relation) -> BTreeSet<String> {
    let own = format!("{}.", ident(&t.schema));
    let bare = |text: &str| without_schema(text, &own);
    let mut parts = BTreeSet::new();
    for a in &t.attributes {
        let (null, default) =
            (if a.not_null { " NOT NULL" } else { "" }, if a.has_default { " DEFAULT" } else { "" });
        parts.insert(format!("column {} {}{null}{default}", ident(&a.name), bare(&a.type_name)));
    }
    for k in t.constraints.iter().filter(|k| k.kind != 'n') {
        parts.insert(bare(&constraint(c, t, k)));
    }
    for i in t.indexes.iter().filter(|i| i.constraint.is_none() && i.valid) {
        let key = |k: &IndexKey| match &k.expression {
            Some(e) => bare(e),
            None => t.names(&[k.attnum]).join(""),
        };
        let keys: Vec<String> = i.keys.iter().map(key).collect();
        let unique = if i.unique { "unique " } else { "" };
        let predicate = i.predicate.as_deref().map(|p| format!(" WHERE {}", bare(p))).unwrap_or_default();
        parts.insert(format!("{unique}{} index ({}){predicate}", i.method, keys.join(", ")));
    }
    if t.row_security {
        parts.insert("row-level security".to_owned());
    }
    for p in &t.policies {
        parts.insert(format!("policy {}", ident(&p.name)));
    }
    parts
}

fn constraint(c: &Catalog, t: &Relation, k: &Constraint) -> String {
    let columns = t.names(&k.columns).join(", ");
    match (k.kind, c.relation(k.ref_relation)) {
        ('p', _) => format!("primary key ({columns})"),
        ('u', _) => format!("unique ({columns})"),
        ('c', _) => k.definition.clone().unwrap_or_default(),
        ('f', Some(r)) => {
            format!("foreign key ({columns}) to {} ({})", r.sql_name(), r.names(&k.ref_columns).join(", "))
        }
        (kind, _) => format!("constraint {kind} ({columns})"),
    }
}
