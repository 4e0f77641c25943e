//! What every part asks of the catalogs before it touches a relation.

use crate::error::{Error, Result};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// The owner of the extension: who owns the log and may write the configuration tables.
pub fn extension_owner() -> Result<pg_sys::Oid> {
    let owner = Spi::connect(|client| {
        client
            .select("SELECT extowner FROM pg_catalog.pg_extension WHERE extname = 'dbguard'", Some(1), &[])?
            .first()
            .get_one::<pg_sys::Oid>()
    })?;
    owner.ok_or_else(|| Error::internal("extension \"dbguard\" is not installed in this database"))
}

/// A relation as the parts need to know it.
pub struct Relation {
    pub oid: pg_sys::Oid,
    pub schema: String,
    pub name: String,
    /// pg_class.relkind
    pub kind: char,
    pub is_partition: bool,
}

/// Looks a relation up and refuses what no part can work on: anything but an ordinary or
/// partitioned table, temporary tables, system catalogs, dbguard's own tables, another's table.
pub fn own_table(relid: pg_sys::Oid) -> Result<Relation> {
    let (relation, persistence) = lookup(relid)?;
    let name = &relation.name;
    let what = match relation.kind {
        'v' => Some("a view"),
        'm' => Some("a materialized view"),
        'f' => Some("a foreign table"),
        'i' | 'I' => Some("an index"),
        'S' => Some("a sequence"),
        'c' => Some("a composite type"),
        't' => Some("a TOAST table"),
        _ => None,
    };
    if let Some(what) = what {
        return Err(Error::wrong_object_type(format!("\"{name}\" is {what}"))
            .hint("Name an ordinary or a partitioned table."));
    }
    if relation.schema == "pg_catalog" || relation.schema == "information_schema" {
        return Err(Error::wrong_object_type(format!("\"{name}\" is a system catalog"))
            .hint("Name a table of your own."));
    }
    if relation.schema == "dbguard" {
        return Err(Error::wrong_object_type(format!("\"{name}\" belongs to dbguard"))
            .hint("Name a table of your own."));
    }
    if persistence == 't' {
        return Err(Error::wrong_object_type(format!("\"{name}\" is a temporary table"))
            .hint("A temporary table goes with its session. Name a permanent one."));
    }
    if !crate::pg::compat::owns_relation(relid, crate::pg::user::current()) {
        return Err(Error::not_owner(name));
    }
    Ok(relation)
}

/// A relation by OID, whatever it is; 42P01 if there is none.
pub fn relation(relid: pg_sys::Oid) -> Result<Relation> {
    Ok(lookup(relid)?.0)
}

fn lookup(relid: pg_sys::Oid) -> Result<(Relation, char)> {
    let found = Spi::connect(|client| -> std::result::Result<_, pgrx::spi::Error> {
        let table = client.select(
            "SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text,
                    c.relispartition
             FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
             WHERE c.oid OPERATOR(pg_catalog.=) $1",
            Some(1),
            &[relid.into()],
        )?;
        if table.is_empty() {
            return Ok(None);
        }
        let row = table.first();
        Ok(Some((
            row.get::<String>(1)?,
            row.get::<String>(2)?,
            row.get::<String>(3)?,
            row.get::<String>(4)?,
            row.get::<bool>(5)?,
        )))
    })?;
    let Some((Some(schema), Some(name), Some(kind), Some(persistence), Some(is_partition))) = found else {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("relation with OID {} does not exist", relid.to_u32()),
        ));
    };
    let first = |s: &str| s.chars().next().unwrap_or(' ');
    let relation = Relation { oid: relid, schema, name, kind: first(&kind), is_partition };
    Ok((relation, first(&persistence)))
}
