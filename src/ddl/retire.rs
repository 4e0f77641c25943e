//! Statements that take a partition out of its set.

use dbguard_core::quote::{ident, literal, qualified};

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

pub fn drop_foreign(partition: Table) -> String {
    format!("DROP FOREIGN TABLE {}", name(partition))
}

pub fn set_schema(table: Table, schema: &str) -> String {
    format!("ALTER TABLE {} SET SCHEMA {}", name(table), ident(schema))
}

/// Calls an archive function with the partition's OID and bounds as $1 to $3: a query of one boolean.
pub fn archive(function: Table) -> String {
    format!("SELECT {}($1::pg_catalog.regclass, $2, $3)", name(function))
}

/// The same as users read it.
pub fn archive_of(function: Table, partition: Table, lower: &str, upper: &str) -> String {
    let partition = literal(&name(partition));
    format!("SELECT {}({partition}, {}, {})", name(function), literal(lower), literal(upper))
}

/// What is done when the grace period is over, as users read it.
pub fn after(grace: &str, statement: &str) -> String {
    format!("-- {grace} after that: {statement}")
}

fn name((schema, name): Table) -> String {
    qualified(schema, name)
}
