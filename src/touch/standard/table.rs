//! What there is of a table: by the catalogs, and by a look at its rows that is in nobody's way.

use crate::catalog::{hold, own_table};
use crate::ddl::standard as ddl;
use crate::error::{Error, Result};
use crate::pg::relation::Relation;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

#[derive(PartialEq)]
pub struct Column {
    pub name: String,
    /// As format_type shows it; `base` is what lies under domains.
    pub type_name: String,
    pub base: String,
    pub not_null: bool,
    pub has_default: bool,
    pub generated: bool,
    /// What rows have that are older than the column, if new ones get what this module makes: else it is somebody's own.
    pub missing: Option<String>,
    /// A constraint CHECK (column IS NOT NULL), and whether it is valid.
    pub check: Option<(String, bool)>,
}

#[derive(PartialEq)]
pub struct Index {
    pub name: String,
    pub first_column: String,
    pub primary: bool,
    /// Can become the primary key.
    pub unique: bool,
    pub valid: bool,
}

#[derive(PartialEq)]
pub struct Table {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    pub partitioned: bool,
    /// Partitioned, or others inherit from it.
    pub is_parent: bool,
    /// How many columns it has and had.
    pub width: i16,
    pub columns: Vec<Column>,
    pub indexes: Vec<Index>,
}

/// # Errors
/// What `own_table` refuses, and partitions.
pub fn owned(relation: Oid) -> Result<Relation> {
    let table = own_table(relation)?;
    if table.is_partition {
        return Err(Error::wrong_object_type(format!("\"{}\" is a partition", table.name))
            .hint("Name the partitioned table: its partitions follow."));
    }
    Ok(table)
}

impl Table {
    pub fn of(relation: Oid) -> Result<Table> {
        const TABLE: &str = "
            SELECT (SELECT max(attnum) FROM pg_attribute WHERE attrelid = $1),
                   EXISTS (SELECT FROM pg_inherits WHERE inhparent = $1)";
        let found = owned(relation)?;
        let (width, has_children) = Spi::connect(|client| {
            client.select(TABLE, Some(1), &[relation.into()])?.first().get_two::<i16, bool>()
        })?;
        let partitioned = found.kind == 'p';
        Ok(Table {
            oid: relation,
            schema: found.schema,
            name: found.name,
            owner: found.owner,
            partitioned,
            is_parent: partitioned || has_children == Some(true),
            width: width.unwrap_or_default(),
            columns: columns(relation)?,
            indexes: indexes(relation)?,
        })
    }

    pub fn id(&self) -> ddl::Name<'_> {
        (&self.schema, &self.name)
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    pub fn has_rows(&self) -> Result<bool> {
        self.ask(&ddl::has_rows(self.id()))
    }

    pub fn has_null(&self, column: &str) -> Result<bool> {
        self.ask(&ddl::has_null(self.id(), column))
    }

    pub fn has_value(&self, column: &str, value: &str) -> Result<bool> {
        self.ask(&ddl::has_value(self.id(), column, value))
    }

    /// Of all rows: no policy may hide one, and what the owner put into indexes runs as himself.
    fn ask(&self, query: &str) -> Result<bool> {
        hold(self.oid, self.id(), self.owner)?;
        let answer = as_role(self.owner, Fence::RestrictedAllRows, || {
            Spi::connect(|client| client.select(query, Some(1), &[])?.first().get_one::<bool>())
        })?;
        Ok(answer == Some(true))
    }
}

fn columns(relation: Oid) -> Result<Vec<Column>> {
    const COLUMNS: &str = "
        WITH RECURSIVE base AS (
          SELECT attnum, atttypid AS type FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
          UNION ALL
          SELECT b.attnum, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd')
        SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), format_type(b.type, NULL), a.attnotnull,
               a.atthasdef OR a.attidentity <> '', a.attgenerated <> '',
               CASE WHEN a.atthasmissing
                    AND (a.atttypid = 'bigint'::regtype AND a.attidentity = 'a'
                         OR a.atttypid = 'uuid'::regtype AND d.value = 'gen_random_uuid()') THEN a.attmissingval::text END,
               c.conname::text, c.convalidated
        FROM base b
        JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
        JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = b.attnum
        LEFT JOIN LATERAL (
          SELECT pg_get_expr(adbin, adrelid) AS value FROM pg_attrdef WHERE adrelid = $1 AND adnum = a.attnum) d ON true
        LEFT JOIN LATERAL (
          SELECT conname, convalidated FROM pg_constraint
          WHERE conrelid = $1 AND contype = 'c' AND NOT connoinherit
            AND pg_get_expr(conbin, conrelid) = format('(%I IS NOT NULL)', a.attname)
          ORDER BY convalidated DESC, conname LIMIT 1) c ON true
        ORDER BY a.attnum";
    Ok(Spi::connect(|client| {
        let mut list = vec![];
        for row in client.select(COLUMNS, None, &[relation.into()])? {
            list.push(Column {
                name: row.get::<String>(1)?.unwrap_or_default(),
                type_name: row.get::<String>(2)?.unwrap_or_default(),
                base: row.get::<String>(3)?.unwrap_or_default(),
                not_null: row.get::<bool>(4)? == Some(true),
                has_default: row.get::<bool>(5)? == Some(true),
                generated: row.get::<bool>(6)? == Some(true),
                missing: row.get::<String>(7)?,
                check: row.get::<String>(8)?.zip(row.get::<bool>(9)?),
            });
        }
        Ok::<_, pgrx::spi::Error>(list)
    })?)
}

/// Those of whole rows that begin with a column.
fn indexes(relation: Oid) -> Result<Vec<Index>> {
    const INDEXES: &str = "
        SELECT c.relname::text, a.attname::text, i.indisprimary,
               i.indisunique AND i.indnkeyatts = 1 AND i.indnatts = 1 AND i.indimmediate AND i.indoption[0] = 0
                 AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND conrelid = $1),
               i.indisvalid
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
        JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = i.indkey[0]
        WHERE i.indrelid = $1 AND i.indpred IS NULL
        ORDER BY i.indisvalid DESC, c.relname";
    Ok(Spi::connect(|client| {
        let mut list = vec![];
        for row in client.select(INDEXES, None, &[relation.into()])? {
            list.push(Index {
                name: row.get::<String>(1)?.unwrap_or_default(),
                first_column: row.get::<String>(2)?.unwrap_or_default(),
                primary: row.get::<bool>(3)? == Some(true),
                unique: row.get::<bool>(4)? == Some(true),
                valid: row.get::<bool>(5)? == Some(true),
            });
        }
        Ok::<_, pgrx::spi::Error>(list)
    })?)
}

/// Whether a relation of the schema, or a constraint of the table, is called so.
pub fn is_taken(table: &Table, name: &str) -> Result<bool> {
    const TAKEN: &str = "
        SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1::name AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = $2))
            OR EXISTS (SELECT FROM pg_constraint WHERE conname = $1::name AND conrelid = $2)";
    let taken = Spi::connect(|client| {
        client.select(TAKEN, Some(1), &[name.into(), table.oid.into()])?.first().get_one::<bool>()
    })?;
    Ok(taken == Some(true))
}
