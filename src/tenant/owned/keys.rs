//! The foreign keys of the database, as the tenant's rows are told by them.

use super::Table;
use crate::ddl::tenant_data as ddl;
use crate::error::Result;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A foreign key among them.
pub struct Key {
    pub name: String,
    /// Positions of the tables.
    pub child: usize,
    pub parent: usize,
    pub pairs: Vec<ddl::Pair>,
    /// Its columns that may be NULL, but for the tenant's.
    pub nullable: Vec<String>,
    /// It does not let go by itself (ON DELETE SET NULL, SET DEFAULT): rows that refer are the tenant's, too.
    pub holds: bool,
    /// It is of one partition of the table alone, and refers to one.
    pub of: Option<Part>,
    pub to: Option<Part>,
}

/// A partition: its schema and name, and whether it has none of its own.
pub struct Part(pub String, pub String, pub bool);

/// A foreign key as the catalogs have it.
pub struct Found {
    pub child: Oid,
    /// Where the key is: a child that inherits is not its parent.
    pub made_on: Oid,
    pub parent: Oid,
    /// To or from what inherits, or from what is inherited from: the rows it is about are not told by the table.
    pub partial: bool,
    pub key: Key,
}

/// A table that inherits from two of them.
pub fn of_two(tables: &[Table]) -> Result<Option<String>> {
    const TWO: &str = "
        WITH RECURSIVE heirs(root, oid) AS (
          SELECT inhparent, inhrelid FROM pg_inherits WHERE inhparent = ANY ($1)
          UNION SELECT h.root, i.inhrelid FROM heirs h JOIN pg_inherits i ON i.inhparent = h.oid)
        SELECT c.relname::text FROM heirs JOIN pg_class c ON c.oid = heirs.oid
        GROUP BY c.oid, c.relname HAVING count(DISTINCT heirs.root) > 1 OR c.oid = ANY ($1) ORDER BY 1 LIMIT 1";
    let tables: Vec<Oid> = tables.iter().map(|t| t.oid).collect();
    Ok(Spi::connect(|client| {
        let mut found = client.select(TWO, Some(1), &[tables.into()])?;
        found.next().map_or(Ok(None), |row| row.get::<String>(1))
    })
    .map_err(|e: pgrx::spi::Error| e)?)
}

/// Whether the relation inherits from one of the tables.
pub fn inherits(relation: Oid, tables: &[Table]) -> Result<bool> {
    const ABOVE: &str = "
        WITH RECURSIVE above(oid) AS (
          SELECT inhparent FROM pg_inherits WHERE inhrelid = $1
          UNION SELECT i.inhparent FROM pg_inherits i JOIN above ON i.inhrelid = above.oid)
        SELECT EXISTS (SELECT FROM above WHERE oid = ANY ($2))";
    let tables: Vec<Oid> = tables.iter().map(|t| t.oid).collect();
    let found = Spi::connect(|client| {
        client.select(ABOVE, Some(1), &[relation.into(), tables.into()])?.first().get_one::<bool>()
    })?;
    Ok(found == Some(true))
}

/// All foreign keys, of partitioned tables by their root.
pub fn keys() -> Result<Vec<Found>> {
    const KEYS: &str = "
        SELECT coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid),
               CASE WHEN i.inhrelid IS NULL OR c.relispartition THEN coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid) ELSE i.inhparent END,
               coalesce(pg_partition_root(k.confrelid)::oid, k.confrelid),
               k.conname::text,
               u.columns, u.refers_to, u.schemas, u.operators, u.nullable,
               k.confdeltype NOT IN ('n', 'd'),
               EXISTS (
                 SELECT FROM pg_inherits h JOIN pg_class above ON above.oid = h.inhparent
                 WHERE above.relkind <> 'p' AND (k.conrelid IN (h.inhrelid, h.inhparent) OR k.confrelid = h.inhrelid)),
               CASE WHEN c.relispartition THEN ARRAY[n.nspname::text, c.relname::text, CASE WHEN c.relkind <> 'p' THEN 'leaf' END] END,
               CASE WHEN p.relispartition THEN ARRAY[pn.nspname::text, p.relname::text, CASE WHEN p.relkind <> 'p' THEN 'leaf' END] END
        FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_class p ON p.oid = k.confrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_namespace pn ON pn.oid = p.relnamespace
        LEFT JOIN pg_inherits i ON i.inhrelid = k.conrelid AND i.inhseqno = 1
          AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = i.inhparent AND p.polname = 'dbguard_tenant')
        CROSS JOIN LATERAL (
          SELECT array_agg(a.attname::text ORDER BY u.place) AS columns, array_agg(f.attname::text ORDER BY u.place) AS refers_to,
                 array_agg(s.nspname::text ORDER BY u.place) AS schemas, array_agg(o.oprname::text ORDER BY u.place) AS operators,
                 coalesce(array_agg(a.attname::text ORDER BY u.place) FILTER (WHERE NOT a.attnotnull), '{}') AS nullable
          FROM unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY u(attnum, refers_to, operator, place)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
          JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = u.refers_to
          JOIN pg_operator o ON o.oid = u.operator
          JOIN pg_namespace s ON s.oid = o.oprnamespace) u
        WHERE k.contype = 'f' AND k.conparentid = 0
        ORDER BY n.nspname, c.relname, k.conname";
    Ok(Spi::connect(|client| -> std::result::Result<Vec<Found>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(KEYS, None, &[])? {
            let text = |n: usize| row.get::<String>(n).map(Option::unwrap_or_default);
            let texts = |n: usize| row.get::<Vec<String>>(n).map(Option::unwrap_or_default);
            let part = |n: usize| -> std::result::Result<Option<Part>, pgrx::spi::Error> {
                Ok(row.get::<Vec<Option<String>>>(n)?.and_then(|part| match <[_; 3]>::try_from(part) {
                    Ok([Some(schema), Some(name), leaf]) => Some(Part(schema, name, leaf.is_some())),
                    _ => None,
                }))
            };
            let oid = |n: usize| row.get::<Oid>(n).map(|oid| oid.unwrap_or(Oid::INVALID));
            let operators = texts(7)?.into_iter().zip(texts(8)?);
            let pairs = texts(5)?.into_iter().zip(texts(6)?).zip(operators).map(|((a, b), o)| (a, b, o));
            list.push(Found {
                child: oid(1)?,
                made_on: oid(2)?,
                parent: oid(3)?,
                partial: row.get::<bool>(11)?.unwrap_or_default(),
                key: Key {
                    name: text(4)?,
                    child: 0,
                    parent: 0,
                    pairs: pairs.collect(),
                    nullable: texts(9)?,
                    holds: row.get::<bool>(10)?.unwrap_or_default(),
                    of: part(12)?,
                    to: part(13)?,
                },
            });
        }
        Ok(list)
    })?)
}
