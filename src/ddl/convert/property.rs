//! Statements that set one property of a table or of what it has.

use super::name;
use crate::ddl::retire::Table;
use dbguard_core::quote::{ident, literal};

/// What a comment is on.
pub enum Commented<'a> {
    Table,
    Column(&'a str),
    Index(&'a str),
    Constraint(&'a str),
    Trigger(&'a str),
    Policy(&'a str),
}

/// None takes the comment away.
pub fn comment(table: Table, on: Commented, text: Option<&str>) -> String {
    let what = match on {
        Commented::Table => format!("TABLE {}", name(table)),
        Commented::Column(column) => format!("COLUMN {}.{}", name(table), ident(column)),
        Commented::Index(index) => format!("INDEX {}", name((table.0, index))),
        Commented::Constraint(constraint) => format!("CONSTRAINT {} ON {}", ident(constraint), name(table)),
        Commented::Trigger(trigger) => format!("TRIGGER {} ON {}", ident(trigger), name(table)),
        Commented::Policy(policy) => format!("POLICY {} ON {}", ident(policy), name(table)),
    };
    format!("COMMENT ON {what} IS {}", text.map_or("NULL".to_owned(), literal))
}

pub fn comment_on_statistics(statistics: Table, text: Option<&str>) -> String {
    format!("COMMENT ON STATISTICS {} IS {}", name(statistics), text.map_or("NULL".to_owned(), literal))
}

pub fn statistics_target(statistics: Table, target: i32) -> String {
    format!("ALTER STATISTICS {} SET STATISTICS {target}", name(statistics))
}

/// `expression` as the server prints it; none for no default.
pub fn default(table: Table, column: &str, expression: Option<&str>) -> String {
    let what = expression.map_or("DROP DEFAULT".to_owned(), |expression| format!("SET DEFAULT {expression}"));
    alter_column(table, column, &what)
}

/// `storage` and `method` are words of the grammar.
pub fn storage(table: Table, column: &str, storage: &str) -> String {
    alter_column(table, column, &format!("SET STORAGE {storage}"))
}

pub fn compression(table: Table, column: &str, method: &str) -> String {
    alter_column(table, column, &format!("SET COMPRESSION {method}"))
}

pub fn statistics(table: Table, column: &str, target: i32) -> String {
    alter_column(table, column, &format!("SET STATISTICS {target}"))
}

pub fn column_option(table: Table, column: &str, option: (String, String)) -> String {
    alter_column(table, column, &format!("SET ({})", crate::ddl::partition::options(&[option])))
}

pub fn reset_column_option(table: Table, column: &str, option: &str) -> String {
    alter_column(table, column, &format!("RESET ({})", ident(option)))
}

/// `kind` as pg_class.relreplident.
pub fn replica_identity(table: Table, kind: char, index: &str) -> String {
    let what = match kind {
        'i' => format!("USING INDEX {}", ident(index)),
        'f' => "FULL".to_owned(),
        'n' => "NOTHING".to_owned(),
        _ => "DEFAULT".to_owned(),
    };
    format!("ALTER TABLE {} REPLICA IDENTITY {what}", name(table))
}

pub fn rename_constraint(table: Table, constraint: &str, to: &str) -> String {
    format!("ALTER TABLE {} RENAME CONSTRAINT {} TO {}", name(table), ident(constraint), ident(to))
}

fn alter_column(table: Table, column: &str, what: &str) -> String {
    format!("ALTER TABLE {} ALTER COLUMN {} {what}", name(table), ident(column))
}
