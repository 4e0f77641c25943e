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

/// The tables that the command made, or moved into the schema they are in ($1), of schemas on the list; with `columns`
/// of the list, `a`, where there is a row for all schemas and one for the schema itself of that. `but`: a condition that
/// leaves out tables, `c`. Partitions follow their table.
pub fn new_tables(name: &str, columns: &str, but: &str) -> String {
    let table = table(name);
    format!(
        "SELECT c.oid, {columns}
         FROM (SELECT DISTINCT objid FROM pg_event_trigger_ddl_commands()
               WHERE classid = 'pg_class'::regclass AND object_type = 'table' AND NOT in_extension
                 AND (command_tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
                      OR ($1 AND command_tag = 'ALTER TABLE'))) d
         JOIN pg_class c ON c.oid = d.objid
         JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (
           SELECT * FROM {table} a
           WHERE a.schema_name = n.nspname OR a.schema_name IS NULL
           ORDER BY a.schema_name IS NULL LIMIT 1) a
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
           AND n.nspname NOT IN ('dbguard', 'pg_catalog', 'information_schema') AND NOT {but}
         ORDER BY c.oid"
    )
}
