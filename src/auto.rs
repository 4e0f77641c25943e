//! What is done to new tables without being asked: in which schemas. Two parts have such a table.

use crate::catalog::extension_owner;
use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::identity;
use crate::pg::kept::Kept;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// # Errors
/// 3F000 if there is no such schema, 42501 if the caller does not own it (the database for all).
pub fn check_owner(schema: Option<&str>) -> Result<Option<Oid>> {
    const SCHEMA: &str = "SELECT oid, pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = $1";
    const DATABASE: &str =
        "SELECT pg_has_role(datdba, 'USAGE'), datname::text FROM pg_database WHERE datname = current_database()";
    let not_owner = |what: String| {
        Err(Error::new(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE, format!("must be owner of {what}")))
    };
    let Some(schema) = schema else {
        let (owns, name) = Spi::get_two::<bool, String>(DATABASE)?;
        return match owns {
            Some(true) => Ok(None),
            _ => not_owner(format!("database {}", name.unwrap_or_default())),
        };
    };
    let (oid, owns) = Spi::connect(|client| {
        let mut found = client.select(SCHEMA, Some(1), &[schema.into()])?;
        found.next().map_or(Ok((None, None)), |row| Ok((row.get::<Oid>(1)?, row.get::<bool>(2)?)))
    })
    .map_err(|e: pgrx::spi::Error| e)?;
    match (oid, owns) {
        (None, _) => Err(Error::new(
            PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
            format!("schema \"{schema}\" does not exist"),
        )),
        (oid, Some(true)) => Ok(oid),
        _ => not_owner(format!("schema {schema}")),
    }
}

/// Takes a schema off the list (None: what is for all of them). Whether it was there.
pub fn unregister(list: &str, schema: Option<&str>) -> Result<bool> {
    // what was registered for a schema that is gone may be taken off by whoever owns the database
    let gone = check_owner(schema).err().filter(|e| e.code() == PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME);
    match gone {
        Some(_) => check_owner(None)?,
        None => check_owner(schema)?,
    };
    as_role(extension_owner()?, Fence::Local, || {
        let sql = ddl::auto::forget(list);
        Ok(Spi::connect_mut(|client| {
            Ok::<_, pgrx::spi::Error>(!client.update(sql.as_str(), None, &[schema.into()])?.is_empty())
        })?)
    })
}

/// Gives a schema that the command has renamed its new name on the list. To be called as the extension's owner.
pub fn follow_schemas(list: &str) -> Result<()> {
    let home = identity::database();
    let sql = ddl::auto::renamed_schema(list);
    let renamed = Spi::connect_mut(|client| {
        let mut found = client.update(Kept(&sql), Some(1), &[home.as_str().into()])?;
        found.next().map_or(Ok(None), |row| row.get::<Oid>(1))
    })?;
    if let Some(schema) = renamed {
        for sql in [ddl::auto::forget_other(list), ddl::auto::follow_name(list)] {
            Spi::run_with_args(&sql, &[schema.into(), home.as_str().into()])?;
        }
    }
    Ok(())
}
