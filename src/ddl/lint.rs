//! Statements of the lint part. It changes nothing: these only look, or are for the user to run.

use dbguard_core::quote::{literal, qualified};

/// Whether there is a row in the first 1,024 pages of a table.
pub fn some_row(schema: &str, name: &str) -> String {
    let table = qualified(schema, name);
    format!("SELECT EXISTS (SELECT FROM {table} WHERE ctid < '(1024,0)'::pg_catalog.tid)")
}

/// How a baseline comes to be.
pub fn save_baseline(name: &str) -> String {
    format!("SELECT dbguard.lint_baseline_save({});", literal(name))
}
