//! Columns of new tables are kept without being asked: which schemas want it, and the event trigger that sees to it.

use super::all::Wanted;
use super::enable::enable;
use super::kept::Keeper;
use crate::auto;
use crate::catalog::{self, extension_owner};
use crate::ddl;
use crate::error::{notice, warning, Error, Result};
use crate::pg::attribute::attributes_of_relation;
use crate::pg::event::{self, Statement};
use crate::pg::identity;
use crate::pg::kept::Kept;
use crate::pg::subxact::subtransaction;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

type Names = Option<Vec<Option<String>>>;

#[pg_extern(sql = false)]
fn touch_auto_enable(
    schema: Option<&str>,
    what: Names,
    options: Names,
) -> std::result::Result<bool, ErrorReport> {
    Ok(register(schema, what, options)?)
}

#[pg_extern(sql = false)]
fn touch_auto_disable(schema: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    let was = auto::unregister("touch_auto", schema)?;
    if !was {
        let place = schema.map_or("all schemas".to_owned(), |s| format!("schema \"{s}\""));
        notice(format!("touch of new tables in {place} is not automatic, nothing to do"));
    }
    Ok(was)
}

fn register(schema: Option<&str>, what: Names, options: Names) -> Result<bool> {
    const WRITE: &str = "
        INSERT INTO dbguard.touch_auto AS a (schema_name, schema, home, what, options) VALUES ($1::name, $2, $3, $4, $5)
        ON CONFLICT (schema_name) DO UPDATE
        SET schema = excluded.schema, home = excluded.home, what = excluded.what, options = excluded.options
        RETURNING a.xmax = 0";
    let oid = auto::check_owner(schema)?;
    Wanted::parse(what.clone(), options.clone())?;
    let args = [
        schema.into(),
        oid.into(),
        identity::database().into(),
        what.unwrap_or_default().into(),
        options.unwrap_or_default().into(),
    ];
    let new = as_role(extension_owner()?, Fence::Local, || {
        Spi::connect_mut(|client| client.update(WRITE, None, &args)?.first().get_one::<bool>())
    })?;
    Ok(new == Some(true))
}

/// Event trigger at the end of commands that make tables, move them, or rename schemas.
#[pg_extern(sql = false)]
fn touch_auto(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = follow(fcinfo) {
        e.raise();
    }
}

fn follow(fcinfo: pg_sys::FunctionCallInfo) -> Result<()> {
    // whoever makes a table may have no business in our schema
    let moved = event::statement(fcinfo) == Statement::SetSchema;
    let new = as_role(extension_owner()?, Fence::Local, || {
        auto::follow_schemas("touch_auto")?;
        new_tables(moved)
    })?;
    for (table, wanted) in new {
        let columns = attributes_of_relation(table);
        for keeper in wanted.keepers.iter().filter(|k| columns.iter().any(|a| a.name == k.column)) {
            keep(table, keeper, &wanted)?;
        }
    }
    Ok(())
}

/// The tables the command made, or moved into the schema they are in. Partitions follow their table.
fn new_tables(moved: bool) -> Result<Vec<(Oid, Wanted)>> {
    let sql = ddl::auto::new_tables("touch_auto", "a.what, a.options", "false");
    Spi::connect_mut(|client| -> Result<Vec<_>> {
        let mut list = vec![];
        for row in client.update(Kept(&sql), None, &[moved.into()])? {
            let Some(table) = row.get::<Oid>(1)? else { continue };
            list.push((table, Wanted::parse(row.get(2)?, row.get(3)?)?));
        }
        Ok(list)
    })
}

/// A column that cannot be kept is no reason not to make the table; but it is told.
fn keep(table: Oid, keeper: &Keeper, wanted: &Wanted) -> Result<()> {
    let done = subtransaction(|| enable(table, keeper, keeper.column, &wanted.options_of(keeper)));
    if let Err(e) = done {
        let name = catalog::relation(table)?.name;
        let message = format!("\"{}\" of new table \"{name}\" is not kept: {}", keeper.column, e.message());
        warning(Error::new(e.code(), message).hint("Call dbguard.touch_enable when that is mended."));
    }
    Ok(())
}
