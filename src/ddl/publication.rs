//! Statements of logical replication.

use dbguard_core::quote::{ident, literal, qualified};

/// Only inserts: the log is only ever added to, and tables without a primary key are published as
/// well. Through the root, so that the receiver may partition as it likes.
pub fn create_publication(name: &str, schema: &str, tables: &[&str]) -> String {
    let tables: Vec<String> = tables.iter().map(|table| qualified(schema, table)).collect();
    format!(
        "CREATE PUBLICATION {} FOR TABLE {} WITH (publish = 'insert', publish_via_partition_root = true)",
        ident(name),
        tables.join(", ")
    )
}

/// What the receiving database runs, a statement a line.
pub fn receive(name: &str, database: &str) -> Vec<String> {
    let quoted = database.replace('\\', "\\\\").replace('\'', "\\'");
    vec![
        "CREATE EXTENSION dbguard;".to_owned(),
        "SELECT dbguard.audit_init();".to_owned(),
        format!(
            "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {};",
            ident(name),
            literal(&format!("host=... dbname='{quoted}' user=...")),
            ident(name)
        ),
    ]
}
