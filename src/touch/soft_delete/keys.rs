//! Foreign keys of a table with soft delete, on either side.

use crate::ddl::soft_delete::{named, Keeping, Key, Pairs};
use crate::error::{Error, Result};
use crate::pg::query::{each, param, Param};
use crate::pg::relation::partition_parent;
use crate::pg::snapshot;
use pgrx::pg_sys::Oid;
use serde::de::DeserializeOwned;

/// A foreign key, and the table on its other side.
pub struct ForeignKey {
    pub name: String,
    pub relation: Oid,
    pub schema: String,
    pub table: String,
    pub owner: Oid,
    partitioned: bool,
    /// pg_constraint.confdeltype
    pub on_delete: char,
    /// On this side, and on the other.
    pub own: Vec<String>,
    other: Vec<String>,
    operators: Vec<(String, String)>,
    /// Whether the other side is referred to.
    referred: bool,
    /// The column of the other side that says what is deleted, where soft delete is enabled, and its type.
    pub deleted: Option<(String, Oid)>,
}

impl ForeignKey {
    pub fn named(&self) -> String {
        named(&self.schema, &self.table, self.partitioned)
    }

    /// What it keeps from being purged: None if nothing.
    pub fn keeping(&self) -> Option<Keeping<'_>> {
        let deleted = match (self.on_delete, &self.deleted) {
            ('a' | 'r', _) => None,
            ('c', Some((column, _))) => Some(column.as_str()),
            _ => return None,
        };
        Some(Keeping {
            table: self.named(),
            columns: &self.other,
            refers_to: &self.own,
            operators: &self.operators,
            deleted,
        })
    }

    pub fn pairs(&self) -> Pairs<'_> {
        Pairs { columns: &self.other, operators: &self.operators, left: self.referred }
    }
}

/// The table and, if it is a partition, what it is a partition of: foreign keys may refer to any of them.
fn with_ancestors(relation: Oid) -> Vec<Oid> {
    let mut all = vec![relation];
    while let Some(last) = all.last().copied() {
        match crate::pg::relation::describe(last) {
            Some(r) if r.is_partition => all.push(partition_parent(last)),
            _ => break,
        }
    }
    all
}

/// Foreign keys of other tables (or its own) that refer to the table.
pub fn referring(relation: Oid) -> Result<Vec<ForeignKey>> {
    const KEYS: &str = "k.confrelid = ANY ($1) AND k.conparentid = 0";
    read(KEYS, "k.conrelid", with_ancestors(relation), false)
}

/// Foreign keys of the table itself. What the server makes of one for each partition of the table referred to is left
/// out.
pub fn referred(relation: Oid) -> Result<Vec<ForeignKey>> {
    const KEYS: &str = "k.conrelid = ANY ($1)
          AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)";
    read(KEYS, "k.confrelid", vec![relation], true)
}

/// Constraint, table (OID, schema, name, owner), ON DELETE, columns that refer and are referred to, operators (schemas
/// and names), kind of the table, and its column that says what is deleted with that one's type.
type Found = (
    (String, u32, String, String, u32, char),
    (Vec<String>, Vec<String>, Vec<String>, Vec<String>),
    (String, Option<String>, Option<u32>),
);

fn read(
    which: &'static str,
    other: &'static str,
    relations: Vec<Oid>,
    referred: bool,
) -> Result<Vec<ForeignKey>> {
    let mut list = vec![];
    fresh_rows(&crate::ddl::soft_delete::keys(which, other), &[param(relations)], |found: Found| {
        let ((name, relation, schema, table, owner, on_delete), columns, (kind, deleted, of_type)) = found;
        let (referring, referred_to, schemas, operators) = columns;
        let (own, other) = if referred { (referring, referred_to) } else { (referred_to, referring) };
        list.push(ForeignKey {
            name,
            relation: relation.into(),
            schema,
            table,
            owner: owner.into(),
            on_delete,
            own,
            other,
            operators: schemas.into_iter().zip(operators).collect(),
            partitioned: kind == "p",
            referred,
            deleted: deleted.zip(of_type.map(Oid::from)),
        });
    })?;
    Ok(list)
}

/// The rows of a query that gives each as a JSON array. Of what is committed none is missed, whatever snapshot the
/// transaction has: what is found is kept after it.
fn fresh_rows<T: DeserializeOwned>(sql: &str, params: &[Param], mut take: impl FnMut(T)) -> Result<()> {
    snapshot::fresh(|| {
        each(sql, params, |row| {
            let json = row.bytes(0).unwrap_or_default();
            take(serde_json::from_slice(json).map_err(|e| Error::internal(e.to_string()))?);
            Ok(())
        })
    })
}

/// The columns of the primary key, in its order.
pub fn primary_key(relation: Oid) -> Result<Vec<Key>> {
    const KEY: &str = "
        SELECT json_build_array(a.attname, n.nspname, o.oprname)::text
        FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY u(attnum, opclass, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
        JOIN pg_opclass c ON c.oid = u.opclass
        JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
          AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
        JOIN pg_operator o ON o.oid = m.amopopr
        JOIN pg_namespace n ON n.oid = o.oprnamespace
        WHERE i.indrelid = $1 AND i.indisprimary AND i.indisvalid AND u.place <= i.indnkeyatts
        ORDER BY u.place";
    let mut key = vec![];
    fresh_rows(KEY, &[param(relation)], |(name, schema, operator): (String, String, String)| {
        key.push(Key { name, operator: (schema, operator) });
    })?;
    Ok(key)
}
