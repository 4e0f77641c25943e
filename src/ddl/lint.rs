//! Statements of the lint part. It changes nothing: this one only looks.

use dbguard_core::quote::qualified;

/// Whether there is a row in the first 1,024 pages of a table.
pub fn some_row(schema: &str, name: &str) -> String {
    let table = qualified(schema, name);
    format!("SELECT EXISTS (SELECT FROM {table} WHERE ctid < '(1024,0)'::pg_catalog.tid)")
}
