//! An ordinary table becomes a partitioned one while it is in use. `request` is what was asked for, `table` and
//! `around` what there is, `blocked`, `oddities` and `rights` what is in the way, `plan` the preflight, `cutover`
//! and `statistics` the statements, `run` doing it and `finish` what comes after; `leftover` takes back, `undo` is
//! the way back, `stored` what it needs for that.

mod around;
mod blocked;
mod cutover;
mod finish;
mod leftover;
mod oddities;
mod plan;
mod request;
mod rights;
mod run;
mod statistics;
mod stored;
mod table;
mod undo;

use super::extra::Extra;
use super::job::{self, Kind};
use super::patience::Step;
use super::set::{self, Options};
use super::{make, pinned, texts, writable};
use crate::catalog;
use crate::error::{notice, Error, Result};
use crate::pg::procedure::{self, argument};
use crate::pg::user::{as_role, Fence};
use dbguard_core::partition::name;
use pgrx::datum::Interval;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use request::Request;
use table::Table;

/// The check that saves ATTACH from reading the table.
const CHECK: &str = "dbguard_convert";
/// What indexes that are to take the place of others have at the end of their names until they do.
const BUILT: &str = "_dbguard_convert";

/// A statement, and the role whose table it is about.
struct Act {
    role: pg_sys::Oid,
    sql: String,
}

/// What the server tells of statements that nobody typed is nobody's to read.
fn perform(step: &Step, acts: &[Act]) -> Result<()> {
    crate::pg::guc::with(&[(c"client_min_messages", c"warning")], || {
        acts.iter().try_for_each(|act| {
            step.rest(|| as_role(act.role, Fence::Restricted, || crate::ddl::run(&act.sql)))?
        })
    })
}

/// The name of the index that is to take the place of `index`: always the same, so that it is found again.
fn extended_name(table: &Table, index: &str) -> String {
    let free = |_: &str| Ok::<_, std::convert::Infallible>(false);
    match name::fit(index, BUILT, &format!("{} {index}", table.schema), free) {
        Ok(name) => name,
        Err(never) => match never {},
    }
}

/// A free name for what steps aside.
fn aside(schema: &str, of: &str, chosen: &mut Vec<String>) -> Result<String> {
    let name = name::fit(of, "_p_old", &format!("{schema}.{of}"), |name| {
        Ok::<_, Error>(chosen.iter().any(|other| other == name) || make::exists(schema, name)?)
    })?;
    chosen.push(name.clone());
    Ok(name)
}

// one argument for each of SQL's
#[allow(clippy::too_many_arguments)]
fn asked(
    relation: Option<pg_sys::Oid>,
    key: Option<String>,
    every: Option<Interval>,
    ahead: Option<i32>,
    zone: Option<String>,
    anchor: Option<String>,
    key_unit: Option<String>,
    extend_keys: Option<bool>,
    storage_options: Option<Vec<Option<String>>>,
    unique_on: Option<Vec<Option<String>>>,
    policies: Option<bool>,
) -> Result<Request> {
    let zone = zone.ok_or_else(|| Error::null_argument("zone"))?;
    Ok(Request {
        relation: relation.ok_or_else(|| Error::null_argument("relation"))?,
        key: key.ok_or_else(|| Error::null_argument("key"))?,
        options: Options {
            every: every.ok_or_else(|| Error::null_argument("every"))?,
            ahead: ahead.ok_or_else(|| Error::null_argument("ahead"))?,
            anchor: anchor.map(|text| set::anchor(&text, &zone)).transpose()?,
            zone,
            key_unit,
        },
        extra: Extra {
            storage_options: texts("storage_options", storage_options)?,
            unique_on: texts("unique_on", unique_on)?,
            policies: policies.ok_or_else(|| Error::null_argument("policies"))?,
            ..Extra::default()
        },
        extend_keys: extend_keys.ok_or_else(|| Error::null_argument("extend_keys"))?,
    })
}

#[allow(clippy::too_many_arguments, clippy::type_complexity)]
#[pg_extern(sql = false)]
fn partition_convert_plan(
    relation: Option<pg_sys::Oid>,
    key: Option<String>,
    every: Option<Interval>,
    ahead: Option<i32>,
    zone: Option<String>,
    anchor: Option<String>,
    key_unit: Option<String>,
    extend_keys: Option<bool>,
    storage_options: Option<Vec<Option<String>>>,
    unique_on: Option<Vec<Option<String>>>,
    policies: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (name!(step, i32), name!(kind, &'static str), name!(message, String), name!(sql, Option<String>)),
    >,
    ErrorReport,
> {
    let request = asked(
        relation,
        key,
        every,
        ahead,
        zone,
        anchor,
        key_unit,
        extend_keys,
        storage_options,
        unique_on,
        policies,
    )?;
    let rows = pinned(|| crate::pg::guc::with(&[(c"lock_timeout", c"2s")], || plan::rows(&request)))?;
    Ok(TableIterator::new((1..).zip(rows).map(|(step, (kind, message, sql))| (step, kind, message, sql))))
}

#[pg_extern(sql = false)]
fn partition_convert(fcinfo: pg_sys::FunctionCallInfo) -> std::result::Result<(), ErrorReport> {
    Ok(procedure::run(fcinfo, "partition_convert", |transactions| {
        let request = asked(
            argument(fcinfo, 0),
            argument(fcinfo, 1),
            argument(fcinfo, 2),
            argument(fcinfo, 3),
            argument(fcinfo, 4),
            argument(fcinfo, 5),
            argument(fcinfo, 6),
            argument(fcinfo, 7),
            argument(fcinfo, 8),
            argument(fcinfo, 9),
            argument(fcinfo, 10),
        )?;
        writable("partition_convert")?;
        run::convert(transactions, &request)
    })?)
}

#[pg_extern(sql = false)]
fn partition_unconvert(fcinfo: pg_sys::FunctionCallInfo) -> std::result::Result<(), ErrorReport> {
    Ok(procedure::run(fcinfo, "partition_unconvert", |transactions| {
        let relation = argument(fcinfo, 0).ok_or_else(|| Error::null_argument("relation"))?;
        writable("partition_unconvert")?;
        undo::unconvert(transactions, relation)
    })?)
}

#[pg_extern(sql = false)]
fn partition_convert_cancel(relation: Option<pg_sys::Oid>) -> std::result::Result<bool, ErrorReport> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    Ok(pinned(|| {
        let table = catalog::own_table(relation)?;
        writable("partition_convert_cancel")?;
        let kind = match job::kind_of(relation)?.as_deref() {
            Some("unconvert") => Kind::Unconvert,
            _ => Kind::Convert,
        };
        let job = job::begin(relation, &table, kind)?;
        let found = match stored::of(relation)? {
            Some(conversion) if !conversion.finished => {
                finish::leave(&conversion, &table.name)?;
                true
            }
            Some(conversion) => leftover::take_back(&job, conversion.original)?,
            None => leftover::take_back(&job, relation)?,
        };
        if !found {
            notice(format!("no conversion left anything on \"{}\"", table.name));
        }
        job.end()?;
        Ok(found)
    })?)
}
