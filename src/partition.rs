//! Time partitions: what users call. The grid and the plan are in `dbguard_core::partition`.

mod asked;
mod blueprint;
mod config;
mod convert;
mod enable;
mod error;
mod extra;
mod fence;
mod health;
mod job;
mod maintain;
mod make;
mod moving;
mod partman;
mod patience;
mod plan;
mod retention;
mod retire;
mod set;

use crate::catalog::writable;
use crate::ddl::partition::script;
use crate::error::{notice, Error, Result};
use crate::pg::subxact::look;
use asked::Asked;
use dbguard_core::partition::{self as pure, civil};
use enable::Made;
use error::{busy, not_enabled};
use extra::Extra;
use pgrx::datum::Interval;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use set::{Options, Registered, Set, State};

// one argument for each of SQL's
#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn partition_enable(
    parent: Option<pg_sys::Oid>,
    every: Option<Interval>,
    ahead: Option<i32>,
    zone: Option<String>,
    anchor: Option<String>,
    behind: Option<i32>,
    key_unit: Option<String>,
    dry_run: Option<bool>,
    storage_options: Option<Vec<Option<String>>>,
    unique_on: Option<Vec<Option<String>>>,
    policies: Option<bool>,
    sub_by: Option<String>,
    sub_count: Option<i32>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(partition, String),
            name!(lower, String),
            name!(upper, String),
            name!(state, &'static str),
            name!(message, Option<String>),
            name!(sql, String),
        ),
    >,
    ErrorReport,
> {
    let parent = parent.ok_or_else(|| Error::null_argument("parent"))?;
    let behind = behind.ok_or_else(|| Error::null_argument("behind"))?;
    let dry_run = dry_run.ok_or_else(|| Error::null_argument("dry_run"))?;
    let asked = Asked {
        every,
        ahead,
        zone,
        anchor,
        key_unit,
        storage_options: storage_options.map(|list| texts("storage_options", Some(list))).transpose()?,
        unique_on: unique_on.map(|list| texts("unique_on", Some(list))).transpose()?,
        policies,
        sub_by,
        sub_count,
    };
    writable("partition_enable")?;
    let rows: Vec<Row> = pinned(|| {
        // somebody may hold the table: waited for as shortly as when a partition is made
        let table = crate::pg::guc::with(&[(c"lock_timeout", c"2s")], || crate::catalog::own_table(parent))?;
        let (schema, name) = (&*table.schema, &*table.name);
        let complete = || {
            enable::hold(parent, name)?;
            asked.complete(set::of(parent)?)
        };
        if dry_run {
            return look(|| {
                let (options, extra) = complete()?;
                enable::plan(parent, schema, name, &options, behind, &extra).map(planned)
            });
        }
        let (options, extra) = complete()?;
        let made = enable::enable(parent, schema, name, &options, behind, &extra)?;
        Ok(made.into_iter().map(told).collect())
    })?;
    Ok(TableIterator::new(rows))
}

/// The elements of an array argument, none of which may be NULL.
fn texts(argument: &str, array: Option<Vec<Option<String>>>) -> Result<Vec<String>> {
    let texts = array.and_then(|array| array.into_iter().collect());
    texts.ok_or_else(|| Error::null_argument(argument))
}

/// partition, lower, upper, state, message, sql
type Row = (String, String, String, &'static str, Option<String>, String);

fn planned(steps: Vec<make::Step>) -> Vec<Row> {
    let row = |step: make::Step| {
        let sql = script(&step.statements);
        (step.name, step.lower, step.upper, "planned", None, sql)
    };
    steps.into_iter().map(row).collect()
}

fn told(one: Made) -> Row {
    let (state, sql) = (one.state(), one.sql());
    let Made { step, error } = one;
    (step.name, step.lower, step.upper, state, error.map(|e| e.message().to_owned()), sql)
}

/// For parts whose own tables are a set: no check of ownership, in the calendar of UTC.
pub fn enable_internal(
    parent: pg_sys::Oid,
    schema: &str,
    name: &str,
    every: Interval,
    ahead: i32,
) -> Result<()> {
    let options = Options { every, ahead, zone: "UTC".to_owned(), anchor: None, key_unit: None };
    let made = pinned(|| enable::enable(parent, schema, name, &options, 0, &Extra::default()))?;
    made.into_iter().find_map(|one| one.error).map_or(Ok(()), Err)
}

#[pg_extern(sql = false)]
fn partition_disable(parent: Option<pg_sys::Oid>) -> std::result::Result<bool, ErrorReport> {
    let parent = parent.ok_or_else(|| Error::null_argument("parent"))?;
    writable("partition_disable")?;
    Ok(pinned(|| {
        let table = crate::catalog::own_table(parent)?;
        enable::disable(parent, &table.name)
    })?)
}

#[pg_extern(sql = false)]
fn partition_plan(
    parent: Option<pg_sys::Oid>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(parent_table, pg_sys::Oid),
            name!(action, &'static str),
            name!(partition, Option<String>),
            name!(lower, Option<String>),
            name!(upper, Option<String>),
            name!(sql, Option<String>),
            name!(message, Option<String>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::new(pinned(|| plan::rows(parent))?))
}

/// What a set is short of, if that can be made as its options say.
fn missing(set: &Set) -> Result<Vec<pure::Range>> {
    set.extra.check()?;
    set.missing()
}

#[pg_extern(sql = false)]
fn partition_status() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(parent_table, Option<pg_sys::Oid>),
            name!(schema_name, String),
            name!(table_name, String),
            name!(every, Interval),
            name!(ahead, i32),
            name!(zone, String),
            name!(state, &'static str),
            name!(partitions, Option<i32>),
            name!(missing, Option<i32>),
            name!(covered_until, Option<String>),
            name!(message, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let sets = pinned(|| set::load(None))?;
    Ok(TableIterator::new(sets.into_iter().map(|registered| {
        let Registered { schema, name, options: Options { every, ahead, zone, .. }, state, .. } = registered;
        let fixed = (every, ahead, zone);
        let row = |parent, (schema, name), state, counts: Option<(i32, i32)>, until, message| {
            let (every, ahead, zone) = fixed;
            let (partitions, missing) = counts.unzip();
            (parent, schema, name, every, ahead, zone, state, partitions, missing, until, message)
        };
        match state {
            State::Gone => row(None, (schema, name), "gone", None, None, None),
            State::Broken(parent, error) => {
                row(Some(parent), (schema, name), "broken", None, None, Some(error.message().to_owned()))
            }
            State::Live(set) => {
                let partitions = set.partitions.len() as i32;
                let named = (set.schema.clone(), set.name.clone());
                match missing(&set) {
                    Ok(missing) => {
                        let state = if missing.is_empty() { "ok" } else { "due" };
                        let counts = Some((partitions, missing.len() as i32));
                        row(Some(set.parent), named, state, counts, covered_until(&set), None)
                    }
                    Err(error) => {
                        let message = Some(error.message().to_owned());
                        row(Some(set.parent), named, "broken", None, covered_until(&set), message)
                    }
                }
            }
        }
    })))
}

/// How far rows from now on find a partition, as a bound of the key's type.
fn covered_until(set: &Set) -> Option<String> {
    let until = pure::plan::covered_until(&set.grid, set.now, &set.ranges()).ok()??;
    match until {
        pure::Micros::MAX => Some("infinity".to_owned()),
        until => civil::literal(set.grid.key, until).ok(),
    }
}

#[pg_extern(sql = false)]
fn partition_maintain(fcinfo: pg_sys::FunctionCallInfo) -> std::result::Result<(), ErrorReport> {
    Ok(crate::pg::procedure::run(fcinfo, "partition_maintain", |transactions| {
        if crate::pg::procedure::is_read_only() {
            notice("nothing was done: this session is read only");
            return Ok(());
        }
        maintain::run(transactions)
    })?)
}

/// Runs `f` where no setting of the session changes what names and new tables mean.
fn pinned<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    crate::pg::guc::with(&[(c"search_path", c"pg_catalog, pg_temp"), (c"default_tablespace", c"")], f)
}

/// Keeps other sessions from making partitions of the same table until this transaction ends;
/// false when one is at it. By the row of the set, which nobody else has the right to lock; by the
/// table itself while there is none.
fn lock(parent: pg_sys::Oid) -> Result<bool> {
    let Some((schema, name)) = set::stored(parent)? else {
        return Ok(crate::pg::lock::try_share_update_exclusive(parent));
    };
    config::lock(&schema, &name)
}
