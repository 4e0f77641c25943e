//! Statements of the audit part.

use dbguard_core::quote::{ident, literal, qualified};

/// Triggers fire in the order of their names: an underscore comes before all lower-case letters, so
/// that a change is logged before what other triggers make of it.
pub const ROW_TRIGGER: &str = "_dbguard_audit";
pub const TRUNCATE_TRIGGER: &str = "_dbguard_audit_truncate";

/// `events` are INSERT, UPDATE, DELETE; `args` as CREATE TRIGGER takes them: string constants.
pub fn create_row_trigger(schema: &str, table: &str, events: &[&str], args: &[String]) -> String {
    create_trigger(ROW_TRIGGER, &events.join(" OR "), schema, table, "ROW", "audit_row", args)
}

pub fn create_truncate_trigger(schema: &str, table: &str, args: &[String]) -> String {
    create_trigger(TRUNCATE_TRIGGER, "TRUNCATE", schema, table, "STATEMENT", "audit_truncate", args)
}

fn create_trigger(
    name: &str,
    events: &str,
    schema: &str,
    table: &str,
    level: &str,
    function: &str,
    args: &[String],
) -> String {
    let args: Vec<String> = args.iter().map(|a| literal(a)).collect();
    format!(
        "CREATE OR REPLACE TRIGGER {} AFTER {events} ON {} FOR EACH {level} EXECUTE FUNCTION dbguard.{function}({})",
        ident(name),
        qualified(schema, table),
        args.join(", ")
    )
}

pub fn drop_trigger(name: &str, schema: &str, table: &str) -> String {
    format!("DROP TRIGGER IF EXISTS {} ON {}", ident(name), qualified(schema, table))
}

/// `state` as audit_status shows it.
pub fn set_trigger_state(name: &str, schema: &str, table: &str, state: &str) -> String {
    let action = match state {
        "always" => "ENABLE ALWAYS",
        "replica only" => "ENABLE REPLICA",
        "disabled" => "DISABLE",
        _ => "ENABLE",
    };
    format!("ALTER TABLE {} {action} TRIGGER {}", qualified(schema, table), ident(name))
}

/// The server asks for this right of whoever makes a partition, for the trigger it gets.
pub fn grant_row_function(role: &str) -> String {
    format!("GRANT EXECUTE ON FUNCTION dbguard.audit_row() TO {}", ident(role))
}

/// `kind` is TABLE or SEQUENCE; `grantee` None is PUBLIC.
pub fn revoke_all(kind: &str, schema: &str, name: &str, grantee: Option<&str>) -> String {
    let grantee = grantee.map_or_else(|| "PUBLIC".to_owned(), ident);
    format!("REVOKE ALL ON {kind} {} FROM {grantee}", qualified(schema, name))
}

/// A column of a primary key and the value looked for.
pub struct KeyColumn {
    pub name: String,
    /// As format_type shows it under the search_path the query runs with.
    pub type_name: String,
    /// Schema and name of the operator the key compares by.
    pub equals: (String, String),
    pub value: String,
}

/// The key of the row that has these values, as an array of texts: a query of one value, or none.
pub fn key_of_row(schema: &str, table: &str, partitioned: bool, key: &[KeyColumn]) -> String {
    let condition = |c: &KeyColumn| {
        let (schema, operator) = (ident(&c.equals.0), &c.equals.1);
        format!("{} OPERATOR({schema}.{operator}) {}::{}", ident(&c.name), literal(&c.value), c.type_name)
    };
    let texts: Vec<String> = key.iter().map(|c| format!("{}::text", ident(&c.name))).collect();
    let conditions: Vec<String> = key.iter().map(condition).collect();
    format!(
        "SELECT ARRAY[{}] FROM {}{} WHERE {}",
        texts.join(", "),
        if partitioned { "" } else { "ONLY " },
        qualified(schema, table),
        conditions.join(" AND ")
    )
}

/// What keeps a table of the log from being changed. Rows: partitions have the trigger from their
/// parent. TRUNCATE: each partition needs one of its own.
pub const GUARD_TRIGGER: &str = "audit_guard";
pub const TRUNCATE_GUARD_TRIGGER: &str = "audit_guard_truncate";

pub fn guard(schema: &str, table: &str) -> String {
    guarding(GUARD_TRIGGER, "UPDATE OR DELETE", "ROW", schema, table)
}

pub fn guard_truncate(schema: &str, table: &str) -> String {
    guarding(TRUNCATE_GUARD_TRIGGER, "TRUNCATE", "STATEMENT", schema, table)
}

fn guarding(name: &str, events: &str, level: &str, schema: &str, table: &str) -> String {
    format!(
        "CREATE OR REPLACE TRIGGER {} BEFORE {events} ON {} FOR EACH {level} EXECUTE FUNCTION dbguard._audit_guard()",
        ident(name),
        qualified(schema, table)
    )
}
