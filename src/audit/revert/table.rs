//! A table whose changes are to be undone, as it is now.

use crate::audit::choose::audited;
use crate::audit::read::version::Versions;
use crate::audit::store::lineage;
use crate::catalog::extension_owner;
use crate::ddl::revert as ddl;
use crate::error::Result;
use crate::pg::identity;
use crate::pg::relation::{describe, Relation};
use crate::pg::type_name::type_name;
use crate::pg::user::{as_role, Fence};
use dbguard_core::image::Rename;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use std::collections::HashMap;

/// Which JSON a column's value is in the text of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// The value's own text.
    Text,
    /// JSON: arrays and composites.
    Json,
}

pub struct Column {
    pub sql: ddl::Column,
    pub key_form: KeyForm,
    pub has_default: bool,
    pub identity_always: bool,
    pub generated: bool,
}

pub struct Table {
    pub oid: Oid,
    pub sql: ddl::Table,
    pub columns: Vec<Column>,
    /// The primary key: positions in `columns`, in the order of the key.
    pub key: Vec<usize>,
    /// Whether keys in the log are of the present primary key.
    pub key_stands: bool,
}

impl Table {
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.sql.name == column)
    }

    /// The table of a lineage of the log; None if it does not exist any more.
    pub fn of_lineage(lineage: i32) -> Result<Option<Table>> {
        let found = as_role(extension_owner()?, Fence::Local, || -> Result<_> {
            let Some(relation) = present(lineage)? else { return Ok(None) };
            let readings = Versions::of(&relation)?.readings(&relation);
            Ok(Some((relation, readings.values().all(|reading| reading.same_key))))
        })?;
        found.map(|(relation, key_stands)| load(&relation, key_stands)).transpose()
    }
}

/// What became of the columns of each version of a lineage's table, where they have other names today.
pub fn renames(lineage: i32) -> Result<HashMap<i32, Vec<Rename>>> {
    as_role(extension_owner()?, Fence::Local, || {
        let Some(relation) = present(lineage)? else { return Ok(HashMap::new()) };
        let readings = Versions::of(&relation)?.readings(&relation);
        let renamed = readings.into_iter().map(|(version, reading)| (version, reading.renames));
        Ok(renamed.filter(|(_, renames)| !renames.is_empty()).collect())
    })
}

/// By its OID if it was last seen in this database, else by its name: if the log takes that table
/// for the same.
fn present(lineage: i32) -> Result<Option<Relation>> {
    const LATEST: &str = "
        SELECT schema_name::text, table_name::text, home
        FROM dbguard.audit_relation WHERE lineage = $1 ORDER BY id DESC LIMIT 1";
    const BY_NAME: &str = "
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2";
    type Latest = (Option<String>, Option<String>, Option<String>);
    let latest = Spi::connect(|client| -> Result<Option<Latest>> {
        let mut rows = client.select(LATEST, Some(1), &[lineage.into()])?;
        let Some(row) = rows.next() else { return Ok(None) };
        Ok(Some((row.get(1)?, row.get(2)?, row.get(3)?)))
    })?;
    let Some((Some(schema), Some(name), Some(home))) = latest else { return Ok(None) };
    let oid = home
        .strip_prefix(&format!("{}/", identity::database()))
        .and_then(|oid| oid.parse().ok())
        .map(Oid::from_u32);
    let is_table = |relation: &Relation| matches!(relation.kind, 'r' | 'p');
    if let Some(relation) = oid.and_then(describe).filter(is_table) {
        return Ok(Some(relation));
    }
    let oid = Spi::connect(|client| {
        let args = [schema.as_str().into(), name.as_str().into()];
        client.select(BY_NAME, Some(1), &args)?.next().map_or(Ok(None), |row| row.get::<Oid>(1))
    })?;
    let Some(relation) = oid.and_then(describe).filter(is_table) else { return Ok(None) };
    let same = lineage::of(&relation, &audited::home(&relation))? == Some(lineage);
    Ok(same.then_some(relation))
}

const COLUMNS: &str = "
    SELECT a.attname::text, a.atttypid, a.atttypmod, a.attnotnull,
           a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
           a.attidentity = 'a', a.attgenerated <> '',
           cn.nspname::text, co.collname::text,
           coalesce(k.schema_name, 'pg_catalog'), coalesce(k.operator, '='), k.place
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation AND co.collname <> 'default'
    LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
    LEFT JOIN LATERAL (
      SELECT u.place::int4, n.nspname::text AS schema_name, o.oprname::text AS operator
      FROM pg_catalog.pg_index i
      CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY u(attnum, opclass, place)
      LEFT JOIN pg_catalog.pg_opclass oc ON oc.oid = u.opclass AND oc.opcmethod = 403
      LEFT JOIN pg_catalog.pg_amop m ON m.amopfamily = oc.opcfamily AND m.amopstrategy = 3
        AND m.amoplefttype = oc.opcintype AND m.amoprighttype = oc.opcintype
      LEFT JOIN pg_catalog.pg_operator o ON o.oid = m.amopopr
      LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
      WHERE i.indrelid = a.attrelid AND i.indisprimary AND u.place <= i.indnkeyatts AND u.attnum = a.attnum
    ) k ON true
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum";

fn load(relation: &Relation, key_stands: bool) -> Result<Table> {
    let mut columns = vec![];
    let mut key = vec![];
    Spi::connect(|client| -> Result<()> {
        for row in client.select(COLUMNS, None, &[relation.oid.into()])? {
            let type_oid = row.get::<Oid>(2)?.unwrap_or(pg_sys::InvalidOid);
            let type_name = type_name(type_oid, row.get::<i32>(3)?.unwrap_or(-1));
            let flag = |n: usize| -> Result<bool> { Ok(row.get::<bool>(n)?.unwrap_or(false)) };
            let text = |n: usize| -> Result<String> { Ok(row.get::<String>(n)?.unwrap_or_default()) };
            let json = match type_name.base {
                pg_sys::JSONOID => Some("json"),
                pg_sys::JSONBOID => Some("jsonb"),
                _ => None,
            };
            if let Some(place) = row.get::<i32>(12)? {
                key.push((place, columns.len()));
            }
            columns.push(Column {
                sql: ddl::Column {
                    name: text(1)?,
                    type_name: type_name.qualified,
                    collation: row.get::<String>(8)?.zip(row.get::<String>(9)?),
                    equals: (text(10)?, text(11)?),
                    json,
                    not_null: flag(4)?,
                },
                key_form: if type_name.nested { KeyForm::Json } else { KeyForm::Text },
                has_default: flag(5)?,
                identity_always: flag(6)?,
                generated: flag(7)?,
            });
        }
        Ok(())
    })?;
    key.sort_unstable();
    Ok(Table {
        oid: relation.oid,
        sql: ddl::Table {
            schema: relation.schema.clone(),
            name: relation.name.clone(),
            only: relation.kind == 'r',
            overriding: columns.iter().any(|c| c.identity_always),
        },
        columns,
        key: key.into_iter().map(|(_, position)| position).collect(),
        key_stands,
    })
}

/// (child, parent) for each foreign key among the tables, a partition's as its root's; by position.
pub fn references(tables: &[Option<Table>]) -> Result<Vec<(usize, usize)>> {
    const REFERENCES: &str = "
        SELECT DISTINCT coalesce(pg_partition_root(conrelid)::oid, conrelid),
                        coalesce(pg_partition_root(confrelid)::oid, confrelid)
        FROM pg_catalog.pg_constraint WHERE contype = 'f'";
    let position =
        |oid: Option<Oid>| tables.iter().position(|t| oid.is_some() && t.as_ref().map(|t| t.oid) == oid);
    Spi::connect(|client| {
        let mut list = vec![];
        for row in client.select(REFERENCES, None, &[])? {
            list.extend(position(row.get::<Oid>(1)?).zip(position(row.get::<Oid>(2)?)));
        }
        Ok(list)
    })
}

/// Deferrable constraints that are checked at once, of the tables or referring to them.
pub fn deferrable(tables: &[Option<Table>]) -> Result<Vec<(String, String)>> {
    const DEFERRABLE: &str = "
        SELECT DISTINCT n.nspname::text, k.conname::text
        FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
        WHERE k.condeferrable AND NOT k.condeferred AND (k.conrelid = ANY ($1) OR k.confrelid = ANY ($1))";
    let oids: Vec<Oid> = tables.iter().flatten().map(|t| t.oid).collect();
    Spi::connect(|client| {
        let mut list = vec![];
        for row in client.select(DEFERRABLE, None, &[oids.into()])? {
            list.extend(row.get::<String>(1)?.zip(row.get::<String>(2)?));
        }
        Ok(list)
    })
}
