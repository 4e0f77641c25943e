//! What partition_health looks with, and what it tells to type.

use dbguard_core::quote::{ident, literal, qualified};

const MAINTAIN: &str = "CALL dbguard.partition_maintain()";

pub fn maintain() -> String {
    format!("{MAINTAIN};")
}

/// With pg_cron in this database.
pub fn schedule() -> String {
    format!("SELECT cron.schedule('dbguard', '*/15 * * * *', {});", literal(MAINTAIN))
}

/// In the database where pg_cron is.
pub fn schedule_elsewhere(database: &str) -> String {
    format!(
        "SELECT cron.schedule_in_database({}, '*/15 * * * *', {}, {});",
        literal(&format!("dbguard {database}")),
        literal(MAINTAIN),
        literal(database)
    )
}

/// A query of one boolean: whether a table holds a row.
pub fn any_row(schema: &str, table: &str) -> String {
    format!("SELECT EXISTS (SELECT FROM {})", qualified(schema, table))
}

/// The same for rows from a value of a column on.
pub fn any_row_from(schema: &str, table: &str, column: &str, value: &str) -> String {
    let table = qualified(schema, table);
    format!("SELECT EXISTS (SELECT FROM {table} WHERE {} >= {})", ident(column), literal(value))
}

/// The same for rows between two values, or below the upper one.
pub fn any_row_between(schema: &str, table: &str, column: &str, lower: Option<&str>, upper: &str) -> String {
    let (table, column) = (qualified(schema, table), ident(column));
    let from = lower.map_or_else(String::new, |lower| format!("{column} >= {} AND ", literal(lower)));
    format!("SELECT EXISTS (SELECT FROM {table} WHERE {from}{column} < {})", literal(upper))
}

/// The rows that any_row asks for.
pub fn all_rows(schema: &str, table: &str) -> String {
    format!("SELECT * FROM {};", qualified(schema, table))
}

/// The rows that any_row_from asks for.
pub fn rows_from(schema: &str, table: &str, column: &str, value: &str) -> String {
    let table = qualified(schema, table);
    format!("SELECT * FROM {table} WHERE {} >= {};", ident(column), literal(value))
}

pub fn owner(schema: &str, table: &str, owner: &str) -> String {
    format!("ALTER TABLE {} OWNER TO {};", qualified(schema, table), ident(owner))
}

pub fn attach_index(schema: &str, index: &str, part_schema: &str) -> String {
    format!("ALTER INDEX {} ATTACH PARTITION {}.<index>;", qualified(schema, index), ident(part_schema))
}

pub fn reindex(schema: &str, index: &str) -> String {
    format!("REINDEX INDEX CONCURRENTLY {};", qualified(schema, index))
}

/// As pg_class has it: d, f, n, or i with an index.
pub fn replica_identity(schema: &str, table: &str, identity: &str, index: Option<&str>) -> String {
    let what = match (identity, index) {
        ("f", _) => "FULL".to_owned(),
        ("n", _) => "NOTHING".to_owned(),
        ("i", Some(index)) => format!("USING INDEX {}", ident(index)),
        _ => "DEFAULT".to_owned(),
    };
    format!("ALTER TABLE {} REPLICA IDENTITY {what};", qualified(schema, table))
}

pub fn analyze(schema: &str, table: &str) -> String {
    format!("ANALYZE {};", qualified(schema, table))
}
