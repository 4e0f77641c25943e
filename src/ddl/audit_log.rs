//! Statements that look after the log's partitions.

use dbguard_core::quote::qualified;

/// `columns` are of the log's own tables and need no quotes.
pub fn create_index(schema: &str, table: &str, columns: &str, only: Option<&str>) -> String {
    let only = only.map_or(String::new(), |condition| format!(" WHERE {condition}"));
    format!("CREATE INDEX ON {} ({columns}){only}", qualified(schema, table))
}

pub fn drop_table(schema: &str, table: &str) -> String {
    format!("DROP TABLE {}", qualified(schema, table))
}
