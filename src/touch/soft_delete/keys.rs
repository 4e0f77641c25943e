//! Foreign keys of a table with soft delete, on either side.

use crate::ddl::soft_delete::{named, Keeping, Key, Pairs};
use crate::error::Result;
use crate::pg::relation::partition_parent;
use crate::pg::snapshot;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

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

fn read(
    which: &'static str,
    other: &'static str,
    relations: Vec<Oid>,
    referred: bool,
) -> Result<Vec<ForeignKey>> {
    let sql = crate::ddl::soft_delete::keys(which, other);
    // of committed keys none may be missed: what is found is kept after this transaction
    snapshot::fresh(|| {
        Spi::connect(|client| {
            let mut list = vec![];
            for row in client.select(&sql, None, &[relations.into()])? {
                let text = |n: usize| row.get::<String>(n).map(Option::unwrap_or_default);
                let texts = |n: usize| row.get::<Vec<String>>(n).map(Option::unwrap_or_default);
                let oid = |n: usize| row.get::<Oid>(n).map(|oid| oid.unwrap_or(Oid::INVALID));
                let (referring, referred_to) = (texts(7)?, texts(8)?);
                let (own, other) = if referred { (referring, referred_to) } else { (referred_to, referring) };
                list.push(ForeignKey {
                    name: text(1)?,
                    relation: oid(2)?,
                    schema: text(3)?,
                    table: text(4)?,
                    owner: oid(5)?,
                    on_delete: text(6)?.chars().next().unwrap_or('a'),
                    own,
                    other,
                    operators: texts(9)?.into_iter().zip(texts(10)?).collect(),
                    partitioned: text(11)? == "p",
                    referred,
                    deleted: row.get::<String>(12)?.zip(row.get::<Oid>(13)?),
                });
            }
            Ok(list)
        })
    })
}

/// The columns of the primary key, in its order.
pub fn primary_key(relation: Oid) -> Result<Vec<Key>> {
    const KEY: &str = "
        SELECT a.attname::text, n.nspname::text, o.oprname::text
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
    snapshot::fresh(|| {
        Spi::connect(|client| {
            let mut key = vec![];
            for row in client.select(KEY, None, &[relation.into()])? {
                let text = |n: usize| row.get::<String>(n).map(Option::unwrap_or_default);
                key.push(Key { name: text(1)?, operator: (text(2)?, text(3)?) });
            }
            Ok(key)
        })
    })
}
