//! Statements on all that is one tenant's.

use dbguard_core::quote::{ident, literal, qualified};
use dbguard_core::tenant::Kind;

/// A column of the table that refers, the one it refers to, and the operator's schema and name.
pub type Pair = (String, String, (String, String));

/// A table, by schema and name.
pub type Name<'a> = (&'a str, &'a str);

/// What a statement calls the table it is of.
pub const ROW: &str = "t";

pub fn is_tenants(alias: &str, column: &str, kind: Kind, tenant: &str) -> String {
    let kind = match kind {
        Kind::Int => "integer",
        other => other.name(),
    };
    format!("{alias}.{} = {}::{kind}", ident(column), literal(tenant))
}

/// The row lies in a partition, which may have partitions of its own.
pub fn lies_in(alias: &str, (schema, name): Name, leaf: bool) -> String {
    let part = literal(&qualified(schema, name));
    match leaf {
        true => format!("{alias}.tableoid = {part}::regclass"),
        false => {
            format!("{alias}.tableoid = ANY (ARRAY(SELECT relid FROM pg_partition_tree({part}::regclass)))")
        }
    }
}

fn matches(child: &str, parent: &str, pairs: &[Pair]) -> String {
    let equal = |(column, other, (schema, operator)): &Pair| {
        // the name of an operator is made of signs only
        let operator = match schema.as_str() {
            "pg_catalog" => operator.clone(),
            other => format!("OPERATOR({}.{operator})", ident(other)),
        };
        format!("{parent}.{} {operator} {child}.{}", ident(other), ident(column))
    };
    pairs.iter().map(equal).collect::<Vec<_>>().join(" AND ")
}

/// A row that the row `child` refers to is so. A foreign key to a table that is not partitioned is not about what
/// inherits from it.
pub fn refers_to(
    child: &str,
    pairs: &[Pair],
    (parent, partitioned): (Name, bool),
    alias: &str,
    condition: &str,
) -> String {
    let on = matches(child, alias, pairs);
    let only = if partitioned { "" } else { "ONLY " };
    format!("EXISTS (SELECT FROM {only}{} {alias} WHERE {on} AND {condition})", qualified(parent.0, parent.1))
}

/// The row is so, or refers to one of its own table that is, over any number of steps. `condition` is of `inner`.
pub fn descends(
    row: &str,
    pairs: &[Pair],
    table: Name,
    (inner, tree): (&str, &str),
    condition: &str,
) -> String {
    let list = |alias: &str| -> String {
        pairs.iter().map(|(_, c, _)| format!("{alias}.{}", ident(c))).collect::<Vec<_>>().join(", ")
    };
    let (name, keys) = (qualified(table.0, table.1), list(inner));
    format!(
        "EXISTS (WITH RECURSIVE {tree} AS (SELECT {keys} FROM {name} {inner} WHERE {condition} \
         UNION SELECT {keys} FROM {name} {inner} JOIN {tree} ON {up}) SELECT FROM {tree} WHERE {is})",
        up = matches(inner, tree, pairs),
        is = matches(row, tree, pairs)
    )
}

pub fn count(table: Name, condition: &str) -> String {
    format!("SELECT count(*) FROM {} {ROW} WHERE {condition}", qualified(table.0, table.1))
}

/// Locks the rows, as a DELETE does, and counts them.
pub fn lock(table: Name, condition: &str) -> String {
    format!(
        "SELECT count(*) FROM (SELECT FROM {} {ROW} WHERE {condition} FOR UPDATE OF {ROW}) x",
        qualified(table.0, table.1)
    )
}

fn columns(columns: &[String]) -> String {
    columns.iter().map(|c| format!("{ROW}.{}", ident(c))).collect::<Vec<_>>().join(", ")
}

pub fn copy(table: Name, of: &[String], condition: &str) -> String {
    format!(
        "COPY (SELECT {} FROM {} {ROW} WHERE {condition}) TO STDOUT",
        columns(of),
        qualified(table.0, table.1)
    )
}

/// $1 and $2 go before each row, which must not be taken for a column of that name.
pub fn rows(table: Name, condition: &str) -> String {
    format!("SELECT $1, $2, to_jsonb({ROW}.*) FROM {} {ROW} WHERE {condition}", qualified(table.0, table.1))
}

/// Rows of others that refer to what is so.
pub fn foreign_rows(child: Name, condition: &str, refers: &str) -> String {
    count(child, &format!("({condition}) IS NOT TRUE AND {refers}"))
}

pub fn delete(table: Name, condition: &str) -> String {
    format!("DELETE FROM {} {ROW} WHERE {condition}", qualified(table.0, table.1))
}

/// Some of `columns` are not NULL.
pub fn refers_at_all(columns: &[String]) -> String {
    let each: Vec<String> = columns.iter().map(|c| format!("{ROW}.{} IS NOT NULL", ident(c))).collect();
    format!("({})", each.join(" OR "))
}

pub fn unlink(table: Name, columns: &[String], condition: &str) -> String {
    let set: Vec<String> = columns.iter().map(|c| format!("{} = NULL", ident(c))).collect();
    format!("UPDATE {} {ROW} SET {} WHERE {condition}", qualified(table.0, table.1), set.join(", "))
}

pub const CHECK_AT_ONCE: &str = "SET CONSTRAINTS ALL IMMEDIATE";
