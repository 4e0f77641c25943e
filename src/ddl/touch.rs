//! Statements of the touch part.

use dbguard_core::quote::{ident, literal, qualified};

/// The trigger that keeps something on a table. The oldest has the shortest name.
pub fn trigger(what: &str) -> String {
    match what {
        "updated_at" => "dbguard_touch".to_owned(),
        other => format!("dbguard_touch_{other}"),
    }
}

pub fn create_trigger(
    trigger: &str,
    schema: &str,
    table: &str,
    when: &str,
    function: &str,
    args: &[String],
) -> String {
    let args: Vec<String> = args.iter().map(|a| literal(a)).collect();
    format!(
        "CREATE OR REPLACE TRIGGER {} BEFORE {when} ON {} FOR EACH ROW EXECUTE FUNCTION dbguard.{}({})",
        ident(trigger),
        qualified(schema, table),
        ident(function),
        args.join(", ")
    )
}

/// `definition`: the type and what follows it.
pub fn add_column(schema: &str, table: &str, column: &str, definition: &str) -> String {
    format!("ALTER TABLE {} ADD COLUMN {} {definition}", qualified(schema, table), ident(column))
}

pub fn drop_trigger(trigger: &str, schema: &str, table: &str) -> String {
    format!("DROP TRIGGER IF EXISTS {} ON {}", ident(trigger), qualified(schema, table))
}

/// Rows that replication applies fire it, too.
pub fn always(trigger: &str, schema: &str, table: &str) -> String {
    format!("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}", qualified(schema, table), ident(trigger))
}
