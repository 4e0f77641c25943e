//! Statements that make a partitioned table of an ordinary one, and the ordinary one of it again.

mod identity;
mod index;
mod property;

pub use identity::*;
pub use index::*;
pub use property::*;

use super::retire::Table;
use dbguard_core::quote::{ident, literal, qualified};

/// No row of the table has a key at or beyond `below`, nor none: what ATTACH takes for a proof.
pub fn add_check(table: Table, constraint: &str, key: &str, below: &str) -> String {
    let key = ident(key);
    format!(
        "ALTER TABLE {} ADD CONSTRAINT {} CHECK ({key} IS NOT NULL AND {key} < {}) NOT VALID",
        name(table),
        ident(constraint),
        literal(below)
    )
}

pub fn validate(table: Table, constraint: &str) -> String {
    format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", name(table), ident(constraint))
}

pub fn drop_constraint(table: Table, constraint: &str) -> String {
    format!("ALTER TABLE {} DROP CONSTRAINT {}", name(table), ident(constraint))
}

/// `definition` as the server prints it.
pub fn add_constraint(table: Table, constraint: &str, definition: &str) -> String {
    format!("ALTER TABLE {} ADD CONSTRAINT {} {definition}", name(table), ident(constraint))
}

/// Of the partitioned table alone: its partitions have theirs, which are attached.
pub fn add_constraint_only(table: Table, constraint: &str, definition: &str) -> String {
    format!("ALTER TABLE ONLY {} ADD CONSTRAINT {} {definition}", name(table), ident(constraint))
}

/// Not to be kept: whether the server allows it.
pub fn try_constraint(table: Table, definition: &str) -> String {
    format!("ALTER TABLE {} ADD {definition}", name(table))
}

pub fn drop_not_null(table: Table, column: &str) -> String {
    format!("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", name(table), ident(column))
}

pub fn rename_table(table: Table, to: &str) -> String {
    format!("ALTER TABLE {} RENAME TO {}", name(table), ident(to))
}

/// Everything LIKE can copy but identity and indexes, which come by name.
pub fn create_parent(parent: Table, like: Table, key: &str, tablespace: Option<&str>) -> String {
    let mut sql = format!(
        "CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED \
         INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS INCLUDING STATISTICS) PARTITION BY RANGE ({})",
        name(parent),
        name(like),
        ident(key)
    );
    if let Some(tablespace) = tablespace {
        sql += &format!(" TABLESPACE {}", ident(tablespace));
    }
    sql
}

pub fn attach_first(parent: Table, partition: Table, to: &str) -> String {
    format!(
        "ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM (MINVALUE) TO ({})",
        name(parent),
        name(partition),
        literal(to)
    )
}

pub fn drop_trigger(table: Table, trigger: &str) -> String {
    format!("DROP TRIGGER {} ON {}", ident(trigger), name(table))
}

/// `state` as pg_trigger.tgenabled; none for what a new trigger has anyway.
pub fn trigger_state(table: Table, trigger: &str, state: char) -> Option<String> {
    let action = match state {
        'A' => "ENABLE ALWAYS",
        'R' => "ENABLE REPLICA",
        'D' => "DISABLE",
        _ => return None,
    };
    Some(format!("ALTER TABLE {} {action} TRIGGER {}", name(table), ident(trigger)))
}

/// `definition` as the server prints it; a view keeps its owner, privileges and triggers.
pub fn replace_view(view: Table, options: &[(String, String)], definition: &str) -> String {
    let with = match options.is_empty() {
        true => String::new(),
        false => format!(" WITH ({})", super::partition::options(options)),
    };
    let definition = definition.trim().trim_end_matches(';');
    format!("CREATE OR REPLACE VIEW {}{with} AS {definition}", name(view))
}

pub fn publish(publication: &str, table: Table) -> String {
    format!("ALTER PUBLICATION {} ADD TABLE {}", ident(publication), name(table))
}

pub fn unpublish(publication: &str, table: Table) -> String {
    format!("ALTER PUBLICATION {} DROP TABLE {}", ident(publication), name(table))
}

pub fn analyze(table: Table) -> String {
    format!("ANALYZE {}", name(table))
}

/// The number of the first of `bounds` above the highest key (none: at or beyond all of them), and that key:
/// a query of one row, or no row where no row has a key.
pub fn highest_key(table: Table, key: &str, bounds: &[String], key_type: &str) -> String {
    let bounds = bounds.iter().map(|bound| literal(bound)).collect::<Vec<_>>().join(", ");
    let key = ident(key);
    format!(
        "SELECT (SELECT min(b.number) FROM unnest(ARRAY[{bounds}]::{key_type}[]) WITH ORDINALITY b(bound, number) \
         WHERE top.key < b.bound), top.key::text \
         FROM (SELECT t.{key} AS key FROM ONLY {} t WHERE t.{key} IS NOT NULL ORDER BY 1 DESC LIMIT 1) top",
        name(table)
    )
}

/// Whether some row has no key: a query of one boolean.
pub fn lacks_key(table: Table, key: &str) -> String {
    format!("SELECT EXISTS (SELECT FROM ONLY {} t WHERE t.{} IS NULL)", name(table), ident(key))
}

/// How many rows a table and its partitions hold: a query of one number.
pub fn count(table: Table) -> String {
    format!("SELECT count(*) FROM {}", name(table))
}

/// Statements that leave a table without policies and privileges, before it is given others.
pub fn strip(table: Table, policies: &[String], grantees: &[Option<String>]) -> Vec<String> {
    let table = name(table);
    let mut statements = vec![
        format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
        format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"),
    ];
    statements.extend(policies.iter().map(|policy| format!("DROP POLICY {} ON {table}", ident(policy))));
    statements.extend(grantees.iter().map(|role| {
        let role = role.as_deref().map_or("PUBLIC".to_owned(), ident);
        format!("REVOKE ALL ON TABLE {table} FROM {role}")
    }));
    statements
}

pub fn grant_all(table: Table, role: &str) -> String {
    format!("GRANT ALL ON TABLE {} TO {}", name(table), ident(role))
}

/// As it stands in what the server prints.
pub fn only(table: Table) -> String {
    format!("ONLY {}", name(table))
}

/// Quoted, with its schema.
fn name((schema, name): Table) -> String {
    qualified(schema, name)
}
