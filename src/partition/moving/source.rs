//! The partition whose rows are to be moved, and what about it makes moving impossible.

use crate::ddl::moving as ddl;
use crate::error::{Error, Result};
use crate::partition::set::Set;
use crate::pg::procedure::is_read_only;
use dbguard_core::partition::{node, Key, Range};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

/// A partition of a set.
pub struct Source {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    /// None for the default partition.
    pub range: Option<Range>,
    /// The partition key.
    pub column: String,
    type_name: &'static str,
    bytewise: bool,
    /// What an INSERT gives: all but generated columns.
    pub columns: Vec<String>,
}

/// Of table c, as one text: its file, for another one means that every row was written anew or all are gone, and
/// its columns, for rows are copied by their names.
pub const STATE: &str = "
    (SELECT row(c.relfilenode, ARRAY(
       SELECT row(a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated, a.attisdropped)
       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum))::text AS state) s";

/// A table that holds rows of it: itself, or its parts.
pub struct Leaf {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    /// pg_class.relkind
    pub kind: char,
    /// What must stay as it is: see `STATE`.
    pub state: String,
    pub has_rules: bool,
}

impl Leaf {
    pub fn table(&self) -> ddl::Table<'_> {
        (&self.schema, &self.name)
    }
}

impl Source {
    pub fn table(&self) -> ddl::Table<'_> {
        (&self.schema, &self.name)
    }

    pub fn key(&self) -> ddl::Key<'_> {
        ddl::Key { column: &self.column, type_name: self.type_name, bytewise: self.bytewise }
    }

    /// The leaves as they are.
    pub fn leaves(&self) -> Result<Vec<Leaf>> {
        const LEAVES: &str = "
            SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, s.state, c.relowner, c.relhasrules
            FROM pg_partition_tree($1) t
            JOIN pg_class c ON c.oid = t.relid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            CROSS JOIN LATERAL";
        let query = format!("{LEAVES} {STATE} WHERE t.isleaf ORDER BY 1");
        rows(&query, &[self.oid.into()], |row| {
            Ok(Leaf {
                oid: row.get(1)?.unwrap_or_default(),
                schema: row.get(2)?.unwrap_or_default(),
                name: row.get(3)?.unwrap_or_default(),
                kind: row.get::<String>(4)?.and_then(|kind| kind.chars().next()).unwrap_or(' '),
                state: row.get(5)?.unwrap_or_default(),
                owner: row.get(6)?.unwrap_or_default(),
                has_rules: row.get(7)?.unwrap_or(true),
            })
        })
    }
}

/// As a write where one may be: what another session has just done must be seen.
pub fn rows<T>(
    query: &str,
    args: &[DatumWithOid],
    read: impl Fn(&SpiHeapTupleData) -> Result<T>,
) -> Result<Vec<T>> {
    match is_read_only() {
        true => Spi::connect(|client| client.select(query, None, args)?.map(|row| read(&row)).collect()),
        false => Spi::connect_mut(|client| client.update(query, None, args)?.map(|row| read(&row)).collect()),
    }
}

/// The default partition of a set, if it has one.
pub fn default_of(set: &Set) -> Result<Option<Source>> {
    const DEFAULT: &str = "SELECT nullif(partdefid, 0) FROM pg_partitioned_table WHERE partrelid = $1";
    let found = rows(DEFAULT, &[set.parent.into()], |row| Ok(row.get::<Oid>(1)?))?;
    found.into_iter().flatten().next().map(|default| partition(set, default)).transpose()
}

/// A partition of the set by OID.
pub fn partition(set: &Set, oid: Oid) -> Result<Source> {
    const PARTITION: &str = "
        SELECT n.nspname::text, c.relname::text, c.relpartbound::text, a.attname::text,
               ARRAY(SELECT attname::text FROM pg_attribute
                     WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
                     ORDER BY attnum),
               c.relowner
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_partitioned_table p ON p.partrelid = i.inhparent
        JOIN pg_attribute a ON a.attrelid = i.inhparent AND a.attnum = p.partattrs[0]
        WHERE i.inhparent = $1 AND i.inhrelid = $2";
    let (type_name, bytewise) = match set.grid.key {
        Key::Date => ("date", false),
        Key::Timestamp => ("timestamp", false),
        Key::Timestamptz => ("timestamptz", false),
        Key::Epoch(_) => ("int8", false),
        Key::Uuid => ("uuid", false),
        Key::Ulid => ("text", true),
    };
    let found = rows(PARTITION, &[set.parent.into(), oid.into()], |row| {
        let bounds = row.get::<String>(3)?.and_then(|text| node::range(text.as_bytes()));
        Ok(Source {
            oid,
            schema: row.get(1)?.unwrap_or_default(),
            name: row.get(2)?.unwrap_or_default(),
            range: bounds.and_then(|bounds| set.grid.key.range(&bounds)),
            column: row.get(4)?.unwrap_or_default(),
            type_name,
            bytewise,
            columns: row.get(5)?.unwrap_or_default(),
            owner: row.get(6)?.unwrap_or_default(),
        })
    })?;
    found.into_iter().next().ok_or_else(|| {
        let name = crate::catalog::relation(oid).map_or_else(|_| oid.to_u32().to_string(), |r| r.name);
        Error::wrong_object_type(format!("\"{name}\" is not a partition of \"{}\"", set.name))
    })
}

/// What forbids moving rows at all, whichever way.
pub fn check(set: &Set, source: &Source, leaves: &[Leaf]) -> Result<()> {
    if crate::pg::guc::value(c"transaction_isolation").is_some_and(|level| level != b"read committed") {
        return Err(Error::unsupported("rows can only be moved in transactions that are read committed")
            .detail("Others' last changes would not be seen.")
            .hint("SET default_transaction_isolation = 'read committed';"));
    }
    same_owner(set, source, leaves)?;
    if let Some(leaf) = leaves.iter().find(|leaf| leaf.kind != 'r') {
        return Err(Error::unsupported(format!("\"{}\" is not an ordinary table", leaf.name))
            .hint("Move its rows by hand."));
    }
    if let Some(publication) = publishes_new_tables(set)? {
        return Err(Error::unsupported(format!(
            "publication \"{publication}\" publishes every new table of the schema"
        ))
        .detail("Subscribers would be sent rows of tables that they do not have.")
        .hint("Publish the table itself: ALTER PUBLICATION ... SET TABLE ..."));
    }
    Ok(())
}

/// All is done as the owner of the set.
pub fn same_owner(set: &Set, source: &Source, leaves: &[Leaf]) -> Result<()> {
    let mut all = std::iter::once((source.owner, source.table()))
        .chain(leaves.iter().map(|leaf| (leaf.owner, leaf.table())));
    let Some((_, (schema, name))) = all.find(|(owner, _)| *owner != set.owner) else { return Ok(()) };
    let owner = crate::pg::user::name(set.owner);
    let fix = crate::ddl::health::owner(schema, name, &String::from_utf8_lossy(&owner));
    Err(Error::not_in_state(format!("\"{name}\" belongs to another role than \"{}\"", set.name)).hint(fix))
}

fn publishes_new_tables(set: &Set) -> Result<Option<String>> {
    const WHICH: &str = "
        SELECT p.pubname::text FROM pg_publication p
        WHERE p.pubinsert
          AND (p.puballtables
               OR EXISTS (SELECT FROM pg_publication_namespace x
                          JOIN pg_namespace n ON n.oid = x.pnnspid
                          WHERE x.pnpubid = p.oid AND n.nspname = $1))
        ORDER BY 1 LIMIT 1";
    text(WHICH, &[set.schema.as_str().into()])
}

/// A publication that would send each row that leaves the partition as a DELETE, and none that arrives.
pub fn published(set: &Set, source: &Source) -> Result<Option<String>> {
    const WHICH: &str = "
        SELECT p.pubname::text FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
        WHERE r.prrelid IN (SELECT relid FROM pg_partition_tree($2) UNION ALL SELECT relid FROM pg_partition_ancestors($1))
        ORDER BY 1 LIMIT 1";
    text(WHICH, &[set.parent.into(), source.oid.into()])
}

/// A foreign key that refers to the set, or to the partition itself.
pub fn referrer(set: &Set, source: &Source) -> Result<Option<String>> {
    const WHICH: &str = "
        SELECT format('foreign key \"%s\" of table \"%s\"', k.conname, c.relname)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.contype = 'f' AND k.conparentid = 0
          AND k.confrelid IN (SELECT relid FROM pg_partition_tree($2) UNION ALL SELECT relid FROM pg_partition_ancestors($1))
        ORDER BY 1 LIMIT 1";
    text(WHICH, &[set.parent.into(), source.oid.into()])
}

fn text(query: &str, args: &[DatumWithOid]) -> Result<Option<String>> {
    Spi::connect(|client| {
        let mut rows = client.select(query, Some(1), args)?;
        Ok(rows.next().map_or(Ok(None), |row| row.get::<String>(1))?)
    })
}

/// The key that rows are known by: the primary key of the set, or else a unique index without NULLs. Empty if
/// there is none.
pub fn identity(set: &Set) -> Result<Vec<ddl::KeyColumn>> {
    const KEY: &str = "
        SELECT a.attname::text, n.nspname::text, o.oprname::text
        FROM (SELECT x.indexrelid, x.indkey, x.indclass, x.indnkeyatts
              FROM pg_index x
              WHERE x.indrelid = $1 AND x.indisunique AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL
                AND NOT EXISTS (SELECT FROM generate_series(0, x.indnkeyatts - 1) i
                                JOIN pg_attribute c ON c.attrelid = $1 AND c.attnum = x.indkey[i]
                                WHERE NOT c.attnotnull)
              ORDER BY NOT x.indisprimary, x.indexrelid LIMIT 1) x
        CROSS JOIN generate_series(0, x.indnkeyatts - 1) i
        JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = x.indkey[i]
        JOIN pg_opclass f ON f.oid = x.indclass[i]
        JOIN pg_amop m ON m.amopfamily = f.opcfamily AND m.amoplefttype = f.opcintype AND m.amoprighttype = f.opcintype
                      AND m.amopstrategy = 3
        JOIN pg_operator o ON o.oid = m.amopopr
        JOIN pg_namespace n ON n.oid = o.oprnamespace
        ORDER BY i";
    Spi::connect(|client| {
        let mut key = vec![];
        for row in client.select(KEY, None, &[set.parent.into()])? {
            let equals = (row.get(2)?.unwrap_or_default(), row.get(3)?.unwrap_or_default());
            key.push(ddl::KeyColumn { name: row.get(1)?.unwrap_or_default(), equals });
        }
        Ok(key)
    })
}
