//! Statements that make a partition.

use dbguard_core::quote::{ident, literal, qualified};

/// What a partition takes over from its parent, beyond what LIKE copies.
pub struct Blueprint {
    pub schema: String,
    pub name: String,
    pub tablespace: Option<String>,
    pub access_method: Option<String>,
    /// pg_class.relreplident
    pub replica_identity: char,
    /// Whom default privileges, or ownership, would give what the parent does not.
    pub revoke: Vec<Grantee>,
    pub grants: Vec<Grant>,
    /// Whether it is of the audit log and guarded against TRUNCATE, which row triggers do not see.
    pub guarded: bool,
}

/// A role; `None` is PUBLIC.
pub type Grantee = Option<String>;

pub struct Grant {
    /// Of one column; `None` is the whole table.
    pub column: Option<String>,
    pub to: Grantee,
    pub privileges: Vec<String>,
    pub grantable: bool,
}

/// The statements that make partition `name`, in order. ATTACH comes last, on a table that is
/// complete and that nobody knows yet: it is the only one that can wait for others.
pub fn make(parent: &Blueprint, name: &str, from: &str, to: &str) -> Vec<String> {
    let partition = qualified(&parent.schema, name);
    let mut statements = vec![create(parent, &partition)];
    for role in &parent.revoke {
        statements.push(format!("REVOKE ALL ON TABLE {partition} FROM {}", grantee(role)));
    }
    statements.extend(parent.grants.iter().map(|given| grant(given, &partition)));
    match parent.replica_identity {
        'f' => statements.push(format!("ALTER TABLE {partition} REPLICA IDENTITY FULL")),
        'n' => statements.push(format!("ALTER TABLE {partition} REPLICA IDENTITY NOTHING")),
        _ => {}
    }
    if parent.guarded {
        statements.push(super::audit::guard_truncate(&parent.schema, name));
    }
    statements.push(format!(
        "ALTER TABLE {} ATTACH PARTITION {partition} FOR VALUES FROM ({}) TO ({})",
        qualified(&parent.schema, &parent.name),
        literal(from),
        literal(to)
    ));
    statements
}

/// The statements as one text, for people.
pub fn script(statements: &[String]) -> String {
    statements.iter().map(|statement| format!("{statement};")).collect::<Vec<_>>().join("\n")
}

/// LIKE without identity, which a partition takes from its parent, and without indexes, which
/// ATTACH builds and links.
fn create(parent: &Blueprint, partition: &str) -> String {
    let mut sql = format!(
        "CREATE TABLE {partition} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED \
         INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS INCLUDING STATISTICS)",
        qualified(&parent.schema, &parent.name)
    );
    if let Some(method) = &parent.access_method {
        sql += &format!(" USING {}", ident(method));
    }
    if let Some(tablespace) = &parent.tablespace {
        sql += &format!(" TABLESPACE {}", ident(tablespace));
    }
    sql
}

fn grant(given: &Grant, partition: &str) -> String {
    let column = given.column.as_ref().map_or(String::new(), |column| format!(" ({})", ident(column)));
    let privileges: Vec<_> =
        given.privileges.iter().map(|privilege| format!("{privilege}{column}")).collect();
    format!(
        "GRANT {} ON TABLE {partition} TO {}{}",
        privileges.join(", "),
        grantee(&given.to),
        if given.grantable { " WITH GRANT OPTION" } else { "" }
    )
}

fn grantee(role: &Grantee) -> String {
    role.as_ref().map_or("PUBLIC".to_owned(), |role| ident(role))
}

/// The replica identity of a partition whose parent has one by index.
pub fn replica_identity_index(schema: &str, name: &str, index: &str) -> String {
    format!("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}", qualified(schema, name), ident(index))
}
