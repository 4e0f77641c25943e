//! Statements about indexes and the constraints that have one.

use super::name;
use crate::ddl::retire::Table;
use dbguard_core::quote::ident;

/// The plain columns of a key and what an index on them is like beyond that.
pub struct Key<'a> {
    pub columns: &'a [String],
    pub include: &'a [String],
    pub nulls_not_distinct: bool,
    pub options: &'a [(String, String)],
    pub tablespace: &'a str,
}

/// A constraint that has an index: its options come before what is said of deferring.
pub fn with_options(definition: &str, deferring: &str, options: &[(String, String)]) -> String {
    if options.is_empty() {
        return definition.to_owned();
    }
    let head = definition.strip_suffix(deferring).unwrap_or(definition);
    format!("{head} WITH ({}){deferring}", crate::ddl::partition::options(options))
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
        sql += &format!(" WITH ({})", crate::ddl::partition::options(key.options));
    }
    // named even if it is the database's own, for default_tablespace may say another
    sql + &format!(" TABLESPACE {}", ident(key.tablespace))
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

pub fn drop_index(index: Table) -> String {
    format!("DROP INDEX {}", name(index))
}

pub fn rename_index(index: Table, to: &str) -> String {
    format!("ALTER INDEX {} RENAME TO {}", name(index), ident(to))
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

/// Of one column of an index, by its number.
pub fn index_statistics(index: Table, column: i32, target: i32) -> String {
    format!("ALTER INDEX {} ALTER COLUMN {column} SET STATISTICS {target}", name(index))
}

/// CLUSTER goes by this index. A partitioned table can have none.
pub fn cluster_on(table: Table, index: &str) -> String {
    format!("ALTER TABLE {} CLUSTER ON {}", name(table), ident(index))
}

/// What the server prints before the tail of an index.
pub fn index_head(index: &str, table: Table, unique: bool) -> String {
    let unique = if unique { "UNIQUE " } else { "" };
    format!("CREATE {unique}INDEX {} ON {} ", ident(index), name(table))
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|column| ident(column)).collect::<Vec<_>>().join(", ")
}
