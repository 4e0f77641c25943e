use crate::lint::catalog::Catalog;
use crate::lint::finding::Object;
use crate::lint::rule::Rule;
use std::collections::HashSet;

mod confusable_names;
mod identifier_needs_quotes;
mod minority_convention;
mod naming_case_convention;
mod reserved_keyword_identifier;
mod table_name_plurality;

pub const RULES: &[&Rule] = &[
    &identifier_needs_quotes::RULE,
    &naming_case_convention::RULE,
    &reserved_keyword_identifier::RULE,
    &table_name_plurality::RULE,
    &confusable_names::RULE,
    &minority_convention::RULE,
];

/// Something people named, and how to rename it.
struct Named<'c> {
    name: &'c str,
    object: Object,
    /// Up to the new name.
    rename: String,
}

/// All names that people chose: not those of internal triggers, of the server's own NOT NULL
/// constraints, of sequences that belong to a column, nor an index's when it is its constraint's.
fn named(c: &Catalog) -> Vec<Named<'_>> {
    let mut all = Vec::new();
    for s in c.linted_schemas() {
        let rename = format!("ALTER SCHEMA {} RENAME TO", s.object().identity);
        all.push(Named { name: &s.name, object: s.object(), rename });
    }
    let of_tables: HashSet<&str> = c.columns().map(|(_, a)| a.name.as_str()).collect();
    for r in c.linted_relations() {
        let table = r.sql_name();
        let object = r.object();
        let alter = format!("ALTER {} {table} RENAME", object.kind.to_uppercase());
        for a in r.attributes.iter().filter(|a| !a.inherited) {
            // A view that hands a table's column on did not choose its name.
            if !r.is_table() && of_tables.contains(a.name.as_str()) {
                continue;
            }
            let rename = format!("{alter} COLUMN {} TO", crate::quote::ident(&a.name));
            all.push(Named { name: &a.name, object: r.column_object(a), rename });
        }
        all.push(Named { name: &r.name, object, rename: format!("{alter} TO") });
        for k in r.constraints.iter().filter(|k| k.kind != 'n' && !k.inherited) {
            let rename = format!("{alter} CONSTRAINT {} TO", crate::quote::ident(&k.name));
            all.push(Named { name: &k.name, object: r.constraint_object(k), rename });
        }
        for i in r.indexes.iter().filter(|i| i.constraint.is_none()) {
            all.push(Named {
                name: &i.name,
                object: i.object(),
                rename: format!("ALTER INDEX {} RENAME TO", i.sql_name()),
            });
        }
    }
    for f in c.functions.iter().filter(|f| f.linted) {
        let rename = format!("ALTER ROUTINE {} RENAME TO", f.object().identity);
        all.push(Named { name: &f.name, object: f.object(), rename });
    }
    all
}
