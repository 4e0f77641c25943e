//! What every part asks of the catalogs before it touches a relation.

use crate::error::{Error, Result};
use crate::pg::kept::Kept;
use crate::pg::lock::access_share;
use crate::pg::relation::{describe, Relation};
use crate::pg::{procedure, xact};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// The owner of the extension: who owns the log and may write the configuration tables.
pub fn extension_owner() -> Result<pg_sys::Oid> {
    let owner = Spi::connect(|client| {
        client
            .select(
                Kept("SELECT extowner FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'dbguard'"),
                Some(1),
                &[],
            )?
            .first()
            .get_one::<pg_sys::Oid>()
    })?;
    owner.ok_or_else(|| Error::internal("extension \"dbguard\" is not installed in this database"))
}

/// A relation by OID, whatever it is; 42P01 if there is none.
pub fn relation(relid: pg_sys::Oid) -> Result<Relation> {
    describe(relid).ok_or_else(|| {
        Error::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("relation with OID {} does not exist", relid.to_u32()),
        )
    })
}

/// To be asked when it is locked, before a statement names it: whoever owns the schema could have put a table of
/// his own in its place, and would have its code run with the rights of `owner`. 55000 if anything changed.
pub fn is_still(relid: pg_sys::Oid, (schema, name): (&str, &str), owner: pg_sys::Oid) -> Result<()> {
    match describe(relid) {
        Some(now) if (&*now.schema, &*now.name, now.owner) == (schema, name, owner) => Ok(()),
        _ => Err(Error::not_in_state(format!("\"{name}\" was changed by another session meanwhile"))
            .hint("Try again.")),
    }
}

/// The same before a statement reads or writes it: from here to the end of the transaction it is what it is.
pub fn hold(relid: pg_sys::Oid, table: (&str, &str), owner: pg_sys::Oid) -> Result<()> {
    access_share(relid);
    is_still(relid, table, owner)
}

/// Looks a relation up and refuses what no part can work on: anything but an ordinary or
/// partitioned table, temporary tables, system catalogs, dbguard's own tables, another's table.
pub fn own_table(relid: pg_sys::Oid) -> Result<Relation> {
    let relation = relation(relid)?;
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
    if relation.persistence == 't' {
        return Err(Error::wrong_object_type(format!("\"{name}\" is a temporary table"))
            .hint("A temporary table goes with its session. Name a permanent one."));
    }
    if !crate::pg::compat::owns_relation(relid, crate::pg::user::current()) {
        return Err(Error::not_owner(name));
    }
    Ok(relation)
}

/// A schema by name, in which there are all tables of a list.
///
/// # Errors
/// 3F000 if there is no such schema, 42P01 if a table of the list is not in it.
pub fn schema_with(schema: &str, tables: &[String]) -> Result<pg_sys::Oid> {
    const SCHEMA: &str = "SELECT oid FROM pg_namespace WHERE nspname = $1";
    const UNKNOWN: &str = "
        SELECT s.name FROM unnest($2) s(name)
        WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = $1 AND c.relname = s.name AND c.relkind IN ('r', 'p'))
        LIMIT 1";
    Spi::connect(|client| {
        let mut found = client.select(SCHEMA, Some(1), &[schema.into()])?;
        let Some(oid) = found.next().map_or(Ok(None), |row| row.get::<pg_sys::Oid>(1))? else {
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
                format!("schema \"{schema}\" does not exist"),
            ));
        };
        let mut unknown = client.select(UNKNOWN, Some(1), &[oid.into(), tables.to_vec().into()])?;
        match unknown.next().map_or(Ok(None), |row| row.get::<String>(1))? {
            None => Ok(oid),
            Some(name) => Err(Error::new(
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                format!("relation \"{name}\" does not exist in schema \"{schema}\""),
            )),
        }
    })
}

/// 25006, as the server says it of a statement, where nothing can be written.
pub fn writable(function: &str) -> Result<()> {
    let (error, hint) = if xact::is_standby() {
        (
            format!("cannot execute {function} during recovery"),
            "Call it on the primary; what only reads works here, too.",
        )
    } else if procedure::is_read_only() {
        (
            format!("cannot execute {function} in a read-only transaction"),
            "Call it after SET default_transaction_read_only = off, outside of a transaction that is read only.",
        )
    } else {
        return Ok(());
    };
    Err(Error::new(PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION, error).hint(hint))
}
