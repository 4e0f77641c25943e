//! Statements that make a partitioned table of an ordinary one, and the ordinary one of it again.

use super::retire::Table;
use dbguard_core::quote::{ident, literal, qualified};

/// The plain columns of a key and what an index on them is like beyond that.
pub struct Key<'a> {
    pub columns: &'a [String],
    pub include: &'a [String],
    pub nulls_not_distinct: bool,
    pub options: &'a [(String, String)],
    pub tablespace: Option<&'a str>,
}

/// The sequence of an identity column.
pub struct Identity<'a> {
    pub column: &'a str,
    pub always: bool,
    pub sequence: Table<'a>,
    /// Options as CREATE SEQUENCE takes them: numbers and words, no names.
    pub options: &'a str,
}

/// What a comment is on.
pub enum Commented<'a> {
    Index(&'a str),
    Constraint(&'a str),
    Trigger(&'a str),
    Policy(&'a str),
}

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

/// A constraint that has an index: its options come before what is said of deferring.
pub fn with_options(definition: &str, deferring: &str, options: &[(String, String)]) -> String {
    if options.is_empty() {
        return definition.to_owned();
    }
    let head = definition.strip_suffix(deferring).unwrap_or(definition);
    format!("{head} WITH ({}){deferring}", super::partition::options(options))
}

/// Of the partitioned table alone: its partitions have theirs, which are attached.
pub fn add_constraint_only(table: Table, constraint: &str, definition: &str) -> String {
    format!("ALTER TABLE ONLY {} ADD CONSTRAINT {} {definition}", name(table), ident(constraint))
}

/// Not to be kept: whether the server allows it.
pub fn try_constraint(table: Table, definition: &str) -> String {
    format!("ALTER TABLE {} ADD {definition}", name(table))
}

/// A primary key or unique constraint of these columns.
pub fn key_constraint(primary: bool, key: &Key, deferring: &str) -> String {
    let kind = match (primary, key.nulls_not_distinct) {
        (true, _) => "PRIMARY KEY",
        (false, true) => "UNIQUE NULLS NOT DISTINCT",
        (false, false) => "UNIQUE",
    };
    let mut definition = format!("{kind} ({})", names(key.columns));
    if !key.include.is_empty() {
        definition += &format!(" INCLUDE ({})", names(key.include));
    }
    with_options(&(definition + deferring), deferring, key.options)
}

/// Cannot run in a transaction block.
pub fn unique_index_concurrently(index: &str, table: Table, key: &Key) -> String {
    let mut sql = format!(
        "CREATE UNIQUE INDEX CONCURRENTLY {} ON {} ({})",
        ident(index),
        name(table),
        names(key.columns)
    );
    if !key.include.is_empty() {
        sql += &format!(" INCLUDE ({})", names(key.include));
    }
    if key.nulls_not_distinct {
        sql += " NULLS NOT DISTINCT";
    }
    if !key.options.is_empty() {
        sql += &format!(" WITH ({})", super::partition::options(key.options));
    }
    if let Some(tablespace) = key.tablespace {
        sql += &format!(" TABLESPACE {}", ident(tablespace));
    }
    sql
}

/// A primary key or unique constraint of an index that is there.
pub fn constraint_using_index(
    table: Table,
    constraint: &str,
    primary: bool,
    index: &str,
    deferring: &str,
) -> String {
    format!(
        "ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}{deferring}",
        name(table),
        ident(constraint),
        if primary { "PRIMARY KEY" } else { "UNIQUE" },
        ident(index)
    )
}

pub fn drop_not_null(table: Table, column: &str) -> String {
    format!("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", name(table), ident(column))
}

pub fn drop_index(index: Table) -> String {
    format!("DROP INDEX {}", name(index))
}

pub fn rename_table(table: Table, to: &str) -> String {
    format!("ALTER TABLE {} RENAME TO {}", name(table), ident(to))
}

pub fn rename_index(index: Table, to: &str) -> String {
    format!("ALTER INDEX {} RENAME TO {}", name(index), ident(to))
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

/// `tail` is what the server prints from USING on. Without partitions' indexes, which are attached.
pub fn create_index_only(index: &str, table: Table, unique: bool, tail: &str) -> String {
    let unique = if unique { "UNIQUE " } else { "" };
    format!("CREATE {unique}INDEX {} ON ONLY {} {tail}", ident(index), name(table))
}

/// Not to be kept: whether the server allows it.
pub fn try_index(table: Table, unique: bool, tail: &str) -> String {
    let unique = if unique { "UNIQUE " } else { "" };
    format!("CREATE {unique}INDEX ON {} {tail}", name(table))
}

pub fn attach_index(index: Table, partition: Table) -> String {
    format!("ALTER INDEX {} ATTACH PARTITION {}", name(index), name(partition))
}

pub fn index_tablespace(index: Table, tablespace: &str) -> String {
    format!("ALTER INDEX {} SET TABLESPACE {}", name(index), ident(tablespace))
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

pub fn comment(table: Table, on: Commented, text: &str) -> String {
    let what = match on {
        Commented::Index(index) => format!("INDEX {}", name((table.0, index))),
        Commented::Constraint(constraint) => format!("CONSTRAINT {} ON {}", ident(constraint), name(table)),
        Commented::Trigger(trigger) => format!("TRIGGER {} ON {}", ident(trigger), name(table)),
        Commented::Policy(policy) => format!("POLICY {} ON {}", ident(policy), name(table)),
    };
    format!("COMMENT ON {what} IS {}", literal(text))
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

/// What the server prints before the tail of an index.
pub fn index_head(index: &str, table: Table, unique: bool) -> String {
    let unique = if unique { "UNIQUE " } else { "" };
    format!("CREATE {unique}INDEX {} ON {} ", ident(index), name(table))
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|column| ident(column)).collect::<Vec<_>>().join(", ")
}

fn name((schema, name): Table) -> String {
    qualified(schema, name)
}
