//! Keeping step with the tables. The triggers' arguments: the numbers in them say which columns are
//! redacted whatever they are called, but only the names go through a dump and restore. And the log,
//! which must know a table's new name before anything is dumped.

use super::audited;
use super::enable::attach;
use super::leaves;
use super::status;
use crate::audit::read::version;
use crate::catalog::extension_owner;
use crate::error::Result;
use crate::pg::event::{self, Statement};
use crate::pg::kept::Kept;
use crate::pg::relation::{describe, with_inheritors};
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

/// Event trigger at the end of commands that may rename or drop columns, and of CREATE TRIGGER, which
/// is how a restored table comes by its audit.
#[pg_extern(sql = false)]
fn audit_follow_columns(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = follow(event::statement(fcinfo)) {
        e.raise();
    }
}

fn follow(statement: Statement) -> Result<()> {
    for relation in touched(statement)? {
        let Some(table) = describe(relation) else { continue };
        let Some(audited) = audited::of(&table)? else { continue };
        let options = audited.options.brought_up_to_date(&audited::columns(&table), &audited::home(&table));
        // one that somebody made by hand is not ours to replace
        if options != audited.options && audited.well_named() {
            let names: Vec<&str> = audited.triggers.iter().map(String::as_str).collect();
            as_role(extension_owner()?, Fence::Local, || attach(&table, &options, audited.state, &names))?;
        }
        version::note(&table, &options, false)?;
        leaves::let_owner_make_them(&table)?;
    }
    Ok(())
}

/// The audited tables that the command may have changed. What it reports names the table itself, but
/// not its heirs; a constraint that was renamed, a type that changed, or what was dropped with something else, no
/// table at all. A partition that comes or goes changes none of the others: to look at each of thousands would
/// take long, and wait for whoever has locked one.
fn touched(statement: Statement) -> Result<Vec<Oid>> {
    const COMMANDS: &str = "
        SELECT objid,
               command_tag IN ('ALTER TABLE', 'CREATE TRIGGER') AND classid IN ('pg_class'::regclass, 'pg_trigger'::regclass),
               object_type = 'trigger'
        FROM pg_event_trigger_ddl_commands()";
    const TABLE_OF_TRIGGER: &str = "SELECT tgrelid FROM pg_trigger WHERE oid = $1";
    let commands = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(Kept(COMMANDS), None, &[])? {
            list.push((row.get::<Oid>(1)?, row.get::<bool>(2)?, row.get::<bool>(3)?));
        }
        Ok(list)
    })?;
    if commands.is_empty() || commands.iter().any(|(_, named, _)| *named != Some(true)) {
        return status::tables();
    }
    let mut tables = vec![];
    for (object, _, is_trigger) in commands {
        let Some(object) = object else { continue };
        if is_trigger == Some(true) {
            let table = Spi::connect_mut(|client| {
                client.update(TABLE_OF_TRIGGER, Some(1), &[object.into()])?.first().get_one::<Oid>()
            })?;
            tables.extend(table);
        } else if matches!(statement, Statement::Attach | Statement::Detach) {
            tables.push(object);
        } else {
            tables.extend(with_inheritors(object));
        }
    }
    tables.sort_by_key(|t| t.to_u32());
    tables.dedup();
    Ok(tables)
}
