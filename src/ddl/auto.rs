//! Statements on the tables that say in which schemas something is done to new tables: `audit_auto` and
//! `touch_auto`. A schema is known by its name, and by its OID when that changes.

use dbguard_core::quote::qualified;

fn table(name: &str) -> String {
    qualified("dbguard", name)
}

/// The schema that the command has renamed, if it is one of the table's. $1: this database.
pub fn renamed_schema(name: &str) -> String {
    let table = table(name);
    format!(
        "SELECT n.oid FROM pg_event_trigger_ddl_commands() d
         JOIN pg_namespace n ON n.oid = d.objid
         JOIN {table} a ON a.schema = n.oid AND a.home = $1
         WHERE d.command_tag = 'ALTER SCHEMA' AND d.classid = 'pg_namespace'::regclass AND a.schema_name <> n.nspname"
    )
}

/// What was registered for a schema of the new name that is gone. $1: the schema, $2: this database.
pub fn forget_other(name: &str) -> String {
    let table = table(name);
    format!(
        "DELETE FROM {table} a USING pg_namespace n
         WHERE n.oid = $1 AND a.schema_name = n.nspname AND NOT (a.schema = $1 AND a.home = $2)"
    )
}

/// Gives it the new name. $1: the schema, $2: this database.
pub fn follow_name(name: &str) -> String {
    let table = table(name);
    format!(
        "UPDATE {table} a SET schema_name = n.nspname
         FROM pg_namespace n WHERE n.oid = $1 AND a.schema = $1 AND a.home = $2"
    )
}

/// Takes it off. $1: the schema's name, NULL for all schemas.
pub fn forget(name: &str) -> String {
    let table = table(name);
    format!("DELETE FROM {table} WHERE schema_name IS NOT DISTINCT FROM $1::name RETURNING true")
}
