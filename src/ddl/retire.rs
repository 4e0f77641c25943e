//! Statements that take a partition out of its set.

use dbguard_core::quote::{ident, qualified};

/// A table by schema and name.
pub type Table<'a> = (&'a str, &'a str);

pub fn detach(parent: Table, partition: Table) -> String {
    format!("ALTER TABLE {} DETACH PARTITION {}", name(parent), name(partition))
}

/// Cannot run in a transaction block.
pub fn detach_concurrently(parent: Table, partition: Table) -> String {
    detach(parent, partition) + " CONCURRENTLY"
}

/// Ends what detach_concurrently left when it was interrupted.
pub fn finalize(parent: Table, partition: Table) -> String {
    detach(parent, partition) + " FINALIZE"
}

pub fn drop(partition: Table) -> String {
    format!("DROP TABLE {}", name(partition))
}

pub fn set_schema(table: Table, schema: &str) -> String {
    format!("ALTER TABLE {} SET SCHEMA {}", name(table), ident(schema))
}

/// Calls an archive function with the partition's OID and bounds as $1 to $3: a query of one boolean.
pub fn archive(function: Table) -> String {
    format!("SELECT {}($1::pg_catalog.regclass, $2, $3)", name(function))
}

fn name((schema, name): Table) -> String {
    qualified(schema, name)
}
