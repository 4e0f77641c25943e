use crate::lint::catalog::Catalog;
use crate::lint::finding::Object;
use crate::lint::rule::Rule;
use crate::quote::ident;
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

/// What is made of a name only when there is something to say about it: the object, and how to
/// rename it, up to the new name.
type Told<'a> = &'a dyn Fn() -> (Object, String);

/// Shows all names that people chose, with their schema and kind: not those of internal triggers, of
/// the server's own NOT NULL constraints, of sequences that belong to a column, nor an index's when
/// it is its constraint's.
fn each_name<'c>(c: &'c Catalog, mut look: impl FnMut(&'c str, &'c str, &'static str, Told)) {
    for s in c.linted_schemas() {
        let told = || (s.object(), format!("ALTER SCHEMA {} RENAME TO", ident(&s.name)));
        look(&s.name, &s.name, "schema", &told);
    }
    let of_tables: HashSet<&str> = c.columns().map(|(_, a)| a.name.as_str()).collect();
    for r in c.linted_relations() {
        let alter = || format!("ALTER {} {} RENAME", r.kind_name().to_uppercase(), r.sql_name());
        for a in r.attributes.iter().filter(|a| !a.inherited) {
            // A view that hands a table's column on did not choose its name.
            if !r.is_table() && of_tables.contains(a.name.as_str()) {
                continue;
            }
            let told = || (r.column_object(a), format!("{} COLUMN {} TO", alter(), ident(&a.name)));
            look(&a.name, &r.schema, "column", &told);
        }
        look(&r.name, &r.schema, r.kind_name(), &|| (r.object(), format!("{} TO", alter())));
        for k in r.constraints.iter().filter(|k| k.kind != 'n' && !k.inherited) {
            let told = || (r.constraint_object(k), format!("{} CONSTRAINT {} TO", alter(), ident(&k.name)));
            look(&k.name, &r.schema, "constraint", &told);
        }
        for i in r.indexes.iter().filter(|i| i.constraint.is_none()) {
            let told = || (i.object(), format!("ALTER INDEX {} RENAME TO", i.sql_name()));
            look(&i.name, &i.schema, "index", &told);
        }
    }
    for f in c.functions.iter().filter(|f| f.linted) {
        let told = || (f.object(), format!("ALTER ROUTINE {} RENAME TO", f.object().identity));
        look(&f.name, &f.schema, "function", &told);
    }
}
