//! What is stored: the sets and the log of runs. Written with the rights of the extension's owner,
//! after the caller's own rights were checked; everybody may read both.

use super::set::Options;
use crate::error::{Error, Result};
use crate::pg::user::{as_role, Fence};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::prelude::*;

/// Runs one statement on a table of the extension.
fn write(sql: &str, args: &[DatumWithOid]) -> Result<usize> {
    let owner = crate::catalog::extension_owner()?;
    as_role(owner, Fence::Local, || Spi::connect_mut(|client| Ok(client.update(sql, None, args)?.len())))
}

pub fn add(parent: pg_sys::Oid, schema: &str, name: &str, options: &Options) -> Result<()> {
    write(
        "INSERT INTO dbguard.partition_set (schema_name, table_name, parent, home, every, ahead, zone)
         VALUES ($1::name, $2::name, $3, $4, $5, $6, $7)",
        &[
            schema.into(),
            name.into(),
            parent.into(),
            crate::pg::identity::database().into(),
            options.every.into(),
            options.ahead.into(),
            options.zone.as_str().into(),
        ],
    )?;
    Ok(())
}

/// Changes the options of the set stored under a name.
pub fn change(schema: &str, name: &str, options: &Options) -> Result<()> {
    write(
        "UPDATE dbguard.partition_set SET every = $3, ahead = $4, zone = $5
         WHERE schema_name = $1::name AND table_name = $2::name",
        &[
            schema.into(),
            name.into(),
            options.every.into(),
            options.ahead.into(),
            options.zone.as_str().into(),
        ],
    )?;
    Ok(())
}

pub fn remove(schema: &str, name: &str) -> Result<()> {
    write(
        "DELETE FROM dbguard.partition_set WHERE schema_name = $1::name AND table_name = $2::name",
        &[schema.into(), name.into()],
    )?;
    Ok(())
}

/// Stores the table's name and OID as they are now.
pub fn follow(old: (&str, &str), new: (&str, &str), parent: pg_sys::Oid) -> Result<()> {
    write(
        "UPDATE dbguard.partition_set SET schema_name = $3::name, table_name = $4::name, parent = $5, home = $6
         WHERE schema_name = $1::name AND table_name = $2::name
           AND (schema_name, table_name, parent, home) IS DISTINCT FROM ($3::name, $4::name, $5, $6)",
        &[
            old.0.into(),
            old.1.into(),
            new.0.into(),
            new.1.into(),
            parent.into(),
            crate::pg::identity::database().into(),
        ],
    )?;
    Ok(())
}

/// A number for a new run; rows of runs long past go.
pub fn begin_run() -> Result<i64> {
    write("DELETE FROM dbguard.partition_run WHERE at < now() - '30 days'::interval", &[])?;
    let owner = crate::catalog::extension_owner()?;
    let number = as_role(owner, Fence::Local, || {
        Spi::connect_mut(|client| {
            client
                .update("SELECT nextval('dbguard.partition_run_number'::regclass)", None, &[])?
                .first()
                .get_one::<i64>()
        })
    })?;
    number.ok_or_else(|| Error::internal("no number for the run"))
}

/// One thing a run did, or failed to do.
#[derive(Default)]
pub struct Entry<'a> {
    pub schema: Option<&'a str>,
    pub table: Option<&'a str>,
    pub partition: Option<&'a str>,
    pub lower: Option<&'a str>,
    pub upper: Option<&'a str>,
    pub error: Option<&'a Error>,
    pub note: Option<String>,
}

pub fn log(run: i64, action: &str, state: &str, entry: Entry) -> Result<()> {
    let message = entry.error.map(|e| e.message().to_owned()).or(entry.note);
    write(
        "INSERT INTO dbguard.partition_run
           (run, action, state, schema_name, table_name, partition_name, lower, upper, sqlstate, message, hint)
         VALUES ($1, $2, $3, $4::name, $5::name, $6::name, $7, $8, $9, $10, $11)",
        &[
            run.into(),
            action.into(),
            state.into(),
            entry.schema.into(),
            entry.table.into(),
            entry.partition.into(),
            entry.lower.into(),
            entry.upper.into(),
            entry.error.map(Error::sqlstate).into(),
            message.into(),
            entry.error.and_then(Error::hint_text).into(),
        ],
    )?;
    Ok(())
}
