//! Audit of new tables without being asked: which schemas want it, and the event trigger that sees to it.

use super::enable::enable;
use super::wanted::{require_key, Arguments, Names, Wanted};
use crate::auto;
use crate::catalog::{self, extension_owner};
use crate::ddl;
use crate::error::{notice, Error, Result};
use crate::pg::event::{self, Statement};
use crate::pg::identity;
use crate::pg::kept::Kept;
use crate::pg::subxact::subtransaction;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn audit_auto_enable(
    schema: Option<&str>,
    capture: Option<&str>,
    exclude: Names,
    redact: Names,
    operations: Names,
    tenant: Option<&str>,
    redact_with: Option<&str>,
    bulk: Option<&str>,
    always: Option<bool>,
) -> std::result::Result<bool, ErrorReport> {
    let arguments = Arguments { capture, exclude, redact, operations, tenant, redact_with, bulk, always };
    Ok(register(schema, arguments)?)
}

#[pg_extern(sql = false)]
fn audit_auto_disable(schema: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    Ok(unregister(schema)?)
}

fn register(schema: Option<&str>, arguments: Arguments) -> Result<bool> {
    // an option that is not given stays as it was
    const WRITE: &str = "
        INSERT INTO dbguard.audit_auto AS a
          (schema_name, schema, home, capture, exclude, redact, operations, tenant, redact_with, bulk, always)
        VALUES ($1::name, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (schema_name) DO UPDATE
        SET schema = excluded.schema, home = excluded.home,
            capture = coalesce(excluded.capture, a.capture),
            exclude = coalesce(excluded.exclude, a.exclude),
            redact = coalesce(excluded.redact, a.redact),
            operations = coalesce(excluded.operations, a.operations),
            tenant = coalesce(excluded.tenant, a.tenant),
            redact_with = coalesce(excluded.redact_with, a.redact_with),
            bulk = coalesce(excluded.bulk, a.bulk),
            always = coalesce(excluded.always, a.always)
        RETURNING a.xmax = 0";
    if let Some(ours) = schema.filter(|s| ["dbguard", "pg_catalog", "information_schema"].contains(s)) {
        return Err(Error::invalid_parameter(format!("tables of schema \"{ours}\" cannot be audited"))
            .hint("Name a schema of your own."));
    }
    let oid = auto::check_owner(schema)?;
    let wanted = Wanted::parse(arguments)?;
    if wanted.redact_with == Some(super::options::Redaction::Hash) {
        require_key()?;
    }
    let args = [
        schema.into(),
        oid.into(),
        identity::database().into(),
        wanted.capture.map(|c| c.word()).into(),
        wanted.exclude.into(),
        wanted.redact.into(),
        wanted.operations.map(|o| o.words()).into(),
        wanted.tenant.into(),
        wanted.redact_with.map(|r| r.word()).into(),
        wanted.bulk.map(|b| b.word()).into(),
        wanted.always.into(),
    ];
    let new = as_role(extension_owner()?, Fence::Local, || {
        Spi::connect_mut(|client| client.update(WRITE, None, &args)?.first().get_one::<bool>())
    })?;
    Ok(new == Some(true))
}

fn unregister(schema: Option<&str>) -> Result<bool> {
    let was = auto::unregister("audit_auto", schema)?;
    if !was {
        notice(match schema {
            Some(schema) => {
                format!("audit of new tables in schema \"{schema}\" is not automatic, nothing to do")
            }
            None => "audit of new tables in all schemas is not automatic, nothing to do".to_owned(),
        });
    }
    Ok(was)
}

/// Event trigger at the end of commands that make tables, move them, or rename schemas.
#[pg_extern(sql = false)]
fn audit_auto(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = follow(fcinfo) {
        e.raise();
    }
}

fn follow(fcinfo: pg_sys::FunctionCallInfo) -> Result<()> {
    // whoever makes a table may have no business in our schema
    let owner = extension_owner()?;
    let moved = event::statement(fcinfo) == Statement::SetSchema;
    let new = as_role(owner, Fence::Local, || {
        auto::follow_schemas("audit_auto")?;
        new_tables(moved)
    })?;
    new.iter().try_for_each(audit)
}

/// A table that should be audited and its options.
struct New {
    table: Oid,
    /// The schema it is registered for; None for all.
    registered: Option<String>,
    wanted: Wanted,
}

/// The tables the command made, or moved into the schema they are in.
fn new_tables(moved: bool) -> Result<Vec<New>> {
    const OPTIONS: &str = "a.schema_name::text, a.capture, a.exclude, a.redact, a.operations, a.tenant, a.redact_with, a.bulk, a.always";
    const AUDITED: &str = "
        EXISTS (SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
                WHERE t.tgrelid = c.oid AND f.proname IN ('audit_row', 'audit_truncate')
                  AND f.pronamespace = 'dbguard'::regnamespace)";
    let sql = ddl::auto::new_tables("audit_auto", OPTIONS, AUDITED);
    Spi::connect_mut(|client| -> Result<Vec<New>> {
        let mut list = vec![];
        for row in client.update(Kept(&sql), None, &[moved.into()])? {
            let Some(table) = row.get::<Oid>(1)? else { continue };
            let wanted = Wanted::parse(Arguments {
                capture: row.get::<String>(3)?.as_deref(),
                exclude: row.get(4)?,
                redact: row.get(5)?,
                operations: row.get(6)?,
                tenant: row.get::<String>(7)?.as_deref(),
                redact_with: row.get::<String>(8)?.as_deref(),
                bulk: row.get::<String>(9)?.as_deref(),
                always: row.get(10)?,
            })?;
            list.push(New { table, registered: row.get(2)?, wanted });
        }
        Ok(list)
    })
}

/// An audit that must be automatic and silently is not would be worse than a table that is not made.
fn audit(new: &New) -> Result<()> {
    let table = catalog::relation(new.table)?;
    let done = subtransaction(|| enable(new.table, &new.wanted.as_far_as_it_concerns(&table)));
    done.map(|_| ()).map_err(|e| {
        let (place, argument) = match &new.registered {
            Some(schema) => (format!("schema \"{schema}\""), format!("'{schema}'")),
            None => ("all schemas".to_owned(), "NULL".to_owned()),
        };
        Error::new(e.code(), format!("new table \"{}\" cannot be audited: {}", table.name, e.message()))
            .detail(format!("Audit of new tables is automatic in {place}."))
            .hint(format!("Change its options with dbguard.audit_auto_enable({argument}, ...), or end it with dbguard.audit_auto_disable({argument})."))
    })
}
