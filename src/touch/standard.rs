//! standard_columns: brings a table to the house standard, without a rewrite or a long lock. `table` is what there is,
//! `wanted` what there should be, `plan` the way; here what is quick is done, and the rest told.

mod id;
mod not_null;
mod plan;
mod table;
mod wanted;

use super::enable::{enable, keeper};
use crate::catalog::writable;
use crate::ddl;
use crate::error::{notice, Error, Result};
use crate::pg::guc;
use crate::pg::lock::access_exclusive;
use crate::pg::subxact::told;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use plan::{How, Step, Work};
use table::Table;
use wanted::Wanted;

type Row = (i32, Oid, &'static str, &'static str, Option<String>, Option<&'static str>, bool, String);

/// The plan, and what it was made for.
fn planned(relation: Option<Oid>, wanted: &Wanted) -> Result<(Table, Vec<Step>)> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let table = Table::of(relation)?;
    let steps = plan::steps(wanted, &table)?;
    if steps.is_empty() {
        notice(format!("table \"{}\" is up to standard, nothing to do", table.name));
    }
    Ok((table, steps))
}

/// `done`: what the rows say of what the call does.
fn rows(table: &Table, steps: Vec<Step>, done: &'static str) -> Vec<Row> {
    let row = |(number, step): (i32, Step)| {
        let statement = match step.work {
            Work::Sql(sql) => Some(sql),
            Work::Keep(what) => Some(ddl::standard::touch_enable(table.id(), what)),
            Work::None => None,
        };
        let action = match step.how {
            How::Call => done,
            How::User => "left",
            How::Advice => "advice",
        };
        (number, table.oid, step.column, action, statement, step.lock, step.rewrites, step.why)
    };
    (1..).zip(steps).map(row).collect()
}

/// All that is quick, in one transaction.
fn run(table: &Table, steps: &[Step]) -> Result<()> {
    let quick = || steps.iter().filter(|step| step.how == How::Call);
    if quick().any(|step| matches!(step.work, Work::Sql(_))) {
        access_exclusive(table.oid);
        if Table::of(table.oid)? != *table {
            return Err(Error::not_in_state(format!(
                "table \"{}\" was changed by another session meanwhile",
                table.name
            ))
            .hint("Try again."));
        }
    }
    for step in quick() {
        match &step.work {
            Work::Sql(sql) => ddl::as_owner(table.owner, sql)?,
            Work::Keep(what) => {
                let keeper = keeper(Some(what))?;
                enable(table.oid, keeper, keeper.column, &[])?;
            }
            Work::None => {}
        }
    }
    Ok(())
}

/// Whoever waits for a lock holds up all who come after: a second of that is enough.
fn patiently<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    told(|| guc::with(&[(c"lock_timeout", c"1s")], f)).map_err(|e| match e.code() {
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => {
            Error::new(e.code(), "could not lock the table within a second")
                .detail("Another session uses it. Nothing was changed.")
                .hint("Try again, best when there are no long transactions.")
        }
        _ => e,
    })
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn standard_columns_plan(
    relation: Option<Oid>,
    columns: Option<Vec<Option<String>>>,
    id_type: Option<&str>,
    tenant_type: Option<&str>,
    existing: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(relation, Oid),
            name!(column, &'static str),
            name!(action, &'static str),
            name!(statement, Option<String>),
            name!(lock, Option<&'static str>),
            name!(rewrites, bool),
            name!(why, String),
        ),
    >,
    ErrorReport,
> {
    let wanted = Wanted::parse(columns, id_type, tenant_type, existing)?;
    let (table, steps) = planned(relation, &wanted)?;
    Ok(TableIterator::new(rows(&table, steps, "do")))
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn standard_columns(
    relation: Option<Oid>,
    columns: Option<Vec<Option<String>>>,
    id_type: Option<&str>,
    tenant_type: Option<&str>,
    existing: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(relation, Oid),
            name!(column, &'static str),
            name!(action, &'static str),
            name!(statement, Option<String>),
            name!(lock, Option<&'static str>),
            name!(rewrites, bool),
            name!(why, String),
        ),
    >,
    ErrorReport,
> {
    writable("standard_columns")?;
    let wanted = Wanted::parse(columns, id_type, tenant_type, existing)?;
    let (table, steps) = patiently(|| {
        let (table, steps) = planned(relation, &wanted)?;
        run(&table, &steps)?;
        Ok((table, steps))
    })?;
    Ok(TableIterator::new(rows(&table, steps, "done")))
}
