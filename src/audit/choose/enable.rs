//! Switching audit on and off for a table.

use super::audited::{self, Audited};
use super::leaves;
use super::options::Options;
use super::wanted::{Arguments, Names, Wanted};
use crate::audit::read::version;
use crate::audit::store::make::make_log;
use crate::catalog::writable;
use crate::catalog::{self, extension_owner, own_table};
use crate::ddl;
use crate::ddl::audit::{ROW_TRIGGER, TRUNCATE_TRIGGER};
use crate::error::{notice, Error, Result};
use crate::pg::lock;
use crate::pg::relation::Relation;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

#[allow(clippy::type_complexity, clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn audit_enable(
    relation: Option<Oid>,
    capture: Option<&str>,
    exclude: Names,
    redact: Names,
    operations: Names,
    tenant: Option<&str>,
    redact_with: Option<&str>,
    bulk: Option<&str>,
    always: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(action, String),
            name!(state, String),
            name!(capture, String),
            name!(statements, Vec<String>),
            name!(exclude, Vec<String>),
            name!(redact, Vec<String>),
            name!(redacts_with, String),
            name!(tenant_column, Option<String>),
            name!(keeps, String),
            name!(key_columns, Vec<String>),
        ),
    >,
    ErrorReport,
> {
    writable("audit_enable")?;
    let arguments = Arguments { capture, exclude, redact, operations, tenant, redact_with, bulk, always };
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let wanted = Wanted::parse(arguments)?;
    let action = enable(relation, &wanted)?;
    let table = catalog::relation(relation)?;
    let audited = audited::of(&table)?.ok_or_else(|| Error::internal("the triggers were not made"))?;
    let shown = audited.shown(&table);
    Ok(TableIterator::once((
        relation,
        action.to_owned(),
        audited.state.to_owned(),
        shown.capture,
        shown.statements,
        shown.exclude,
        shown.redact,
        shown.redact_with,
        shown.tenant,
        shown.bulk,
        table.key(),
    )))
}

#[pg_extern(sql = false)]
fn audit_disable(relation: Option<Oid>) -> std::result::Result<bool, ErrorReport> {
    writable("audit_disable")?;
    Ok(disable(relation)?)
}

/// Audits a table as `wanted`; says what was done: enabled, changed or unchanged.
pub fn enable(relation: Oid, wanted: &Wanted) -> Result<&'static str> {
    own_table(relation)?;
    lock::share_row_exclusive(relation);
    // what was true before the wait for the lock may not be any more
    let table = own_table(relation)?;
    if table.is_partition {
        return Err(Error::wrong_object_type(format!("\"{}\" is a partition", table.name))
            .hint("Enable audit on the partitioned table: its partitions follow, those made later too."));
    }
    let before = audited::of(&table)?;
    let options = wanted.applied(&table, before.as_ref().map(|a| &a.options))?;
    if let Some(pause) = &options.paused {
        return Err(Error::not_in_state(format!("audit of table \"{}\" is paused", table.name))
            .detail(format!("It is {}.", pause.told()))
            .hint("Call dbguard.audit_resume first."));
    }
    let always = match (wanted.always, &before) {
        (Some(always), _) => always,
        (None, before) => before.as_ref().is_some_and(|a| a.state == "always"),
    };
    let state = if always { "always" } else { "enabled" };
    leaves::let_owner_make_them(&table)?;
    let action = match &before {
        Some(a) if a.state == state && a.as_left(&options) && leaves::covered(&table, &options)? => {
            notice(format!("audit of table \"{}\" is already enabled, nothing to do", table.name));
            return Ok("unchanged");
        }
        Some(_) => "changed",
        None => "enabled",
    };
    leaves::none_of_its_own(&table)?;
    let names = audited::names(before.as_ref());
    // the trigger functions are not for everybody: only here are they attached, by their owner
    as_role(extension_owner()?, Fence::Local, || -> Result<()> {
        make_log()?;
        // what was not logged so far is missing from the log
        version::note(&table, &options, !before.as_ref().is_some_and(Audited::is_whole))?;
        attach(&table, &options, state, &names)?;
        leaves::place(&table, &options, state)
    })?;
    Ok(action)
}

/// Makes, replaces or drops triggers, as the extension's owner: those of our two that are in `names`
/// as the options want them. The others there are ours under a name somebody gave them, and go.
pub fn attach(table: &Relation, options: &Options, state: &str, names: &[&str]) -> Result<()> {
    let args = options.to_args();
    let events = options.operations.row_words();
    let wanted = |name: &str| match name {
        ROW_TRIGGER => !events.is_empty(),
        TRUNCATE_TRIGGER => options.operations.truncate,
        _ => false,
    };
    for name in names {
        ddl::run(&match *name {
            ROW_TRIGGER if wanted(name) => {
                ddl::audit::create_row_trigger(&table.schema, &table.name, &events, &args)
            }
            TRUNCATE_TRIGGER if wanted(name) => {
                ddl::audit::create_truncate_trigger(&table.schema, &table.name, &args)
            }
            other => ddl::audit::drop_trigger(other, &table.schema, &table.name),
        })?;
    }
    // made anew they are enabled, whatever they were
    if state != "enabled" {
        for name in names.iter().filter(|name| wanted(name)) {
            ddl::run(&ddl::audit::set_trigger_state(name, &table.schema, &table.name, state))?;
        }
    }
    // The table was named in SQL, with rights its owner has not got. Its schema may have been renamed
    // meanwhile, and the name be another table's: then all is taken back.
    let now = catalog::relation(table.oid)?;
    let there = |name: &&str| now.triggers.iter().any(|t| t.name == **name && t.args == args);
    if names.iter().filter(|name| wanted(name)).all(there) {
        Ok(())
    } else {
        Err(moved(&table.name))
    }
}

/// 40001: what was locked is not what the name means now.
pub fn moved(table: &str) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        format!("table \"{table}\" was renamed or moved by another session"),
    )
    .hint("Try again.")
}

fn disable(relation: Option<Oid>) -> Result<bool> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let table = own_table(relation)?;
    let Some(Audited { triggers, .. }) = audited::of(&table)? else {
        notice(format!("audit of table \"{}\" is not enabled, nothing to do", table.name));
        return Ok(false);
    };
    for name in &triggers {
        ddl::run(&ddl::audit::drop_trigger(name, &table.schema, &table.name))?;
    }
    leaves::clear(&table)?;
    Ok(true)
}
