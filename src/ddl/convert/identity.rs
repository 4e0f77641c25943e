//! Statements about identity columns and sequences.

use super::name;
use crate::ddl::retire::Table;
use dbguard_core::quote::{ident, literal};

/// The sequence of an identity column.
pub struct Identity<'a> {
    pub column: &'a str,
    pub always: bool,
    pub sequence: Table<'a>,
    /// Options as CREATE SEQUENCE takes them: numbers and words, no names.
    pub options: &'a str,
}

pub fn drop_identity(table: Table, column: &str) -> String {
    format!("ALTER TABLE {} ALTER COLUMN {} DROP IDENTITY", name(table), ident(column))
}

pub fn add_identity(table: Table, identity: &Identity) -> String {
    format!(
        "ALTER TABLE {} ALTER COLUMN {} ADD GENERATED {} AS IDENTITY (SEQUENCE NAME {} {})",
        name(table),
        ident(identity.column),
        if identity.always { "ALWAYS" } else { "BY DEFAULT" },
        name(identity.sequence),
        identity.options
    )
}

/// Where a sequence stands: a query of a number and whether it was given out.
pub fn sequence_position(sequence: Table) -> String {
    format!("SELECT last_value, is_called FROM {}", name(sequence))
}

pub fn set_position(sequence: Table, value: i64, called: bool) -> String {
    format!("SELECT pg_catalog.setval({}::pg_catalog.regclass, {value}, {called})", literal(&name(sequence)))
}

pub fn own_sequence(sequence: Table, table: Table, column: &str) -> String {
    format!("ALTER SEQUENCE {} OWNED BY {}.{}", name(sequence), name(table), ident(column))
}

/// `to` is a role; none is PUBLIC.
pub fn grant_sequence(sequence: Table, privilege: &str, to: Option<&str>, grantable: bool) -> String {
    format!(
        "GRANT {privilege} ON SEQUENCE {} TO {}{}",
        name(sequence),
        to.map_or("PUBLIC".to_owned(), ident),
        if grantable { " WITH GRANT OPTION" } else { "" }
    )
}

pub fn comment_on_sequence(sequence: Table, text: &str) -> String {
    format!("COMMENT ON SEQUENCE {} IS {}", name(sequence), literal(text))
}
