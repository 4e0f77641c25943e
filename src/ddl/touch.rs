//! Statements of the touch part.

use dbguard_core::quote::{ident, literal, qualified};

pub const TRIGGER: &str = "dbguard_touch";

pub fn create_trigger(schema: &str, table: &str, column: &str) -> String {
    format!(
        "CREATE OR REPLACE TRIGGER {} BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at({})",
        ident(TRIGGER),
        qualified(schema, table),
        literal(column)
    )
}

pub fn add_column(schema: &str, table: &str, column: &str) -> String {
    format!(
        "ALTER TABLE {} ADD COLUMN {} timestamptz NOT NULL DEFAULT now()",
        qualified(schema, table),
        ident(column)
    )
}

pub fn drop_trigger(schema: &str, table: &str) -> String {
    format!("DROP TRIGGER IF EXISTS {} ON {}", ident(TRIGGER), qualified(schema, table))
}
