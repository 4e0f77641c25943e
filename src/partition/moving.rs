//! Rows moved out of a partition that is not of the grid: the DEFAULT partition, or one that is too wide. It is
//! copied, not emptied, and what is copied takes its place in one short transaction: no reader ever misses a
//! row or sees one twice.

mod build;
mod capture;
mod copy;
pub mod few;
mod leftover;
mod made;
mod old;
mod outside;
mod references;
mod resting;
mod rounds;
mod run;
mod source;
mod stage;
mod still;
mod survey;
mod swap;
mod way;
mod whole;
mod wide;

use super::job::{self, Kind};
use super::set::{self, Set};
use super::{not_enabled, pinned, writable};
use crate::catalog::own_table;
use crate::ddl::partition::script;
use crate::ddl::{moving as ddl, retire};
use crate::error::{notice, Error, Result};
use crate::partition::blueprint;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use source::Source;
use way::{way, Way};

/// As many partitions at once as nobody means to have made by one call.
pub const MOST_OF_ALL: u32 = 5000;

/// As many as are made unless told otherwise: the default of `most`.
pub const MOST: u32 = 1000;

#[pg_extern(sql = false)]
fn partition_drain(
    parent: Option<pg_sys::Oid>,
    most: Option<i32>,
    drop_old: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    Ok(crate::pg::procedure::run(fcinfo, "partition_drain", |transactions| {
        let drop_old = drop_old.ok_or_else(|| Error::null_argument("drop_old"))?;
        let wanted = run::Wanted { parent: given(parent)?, partition: None, most: checked(most)?, drop_old };
        run::run(transactions, &wanted)
    })?)
}

#[pg_extern(sql = false)]
fn partition_regrain(
    parent: Option<pg_sys::Oid>,
    partition: Option<pg_sys::Oid>,
    most: Option<i32>,
    drop_old: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    Ok(crate::pg::procedure::run(fcinfo, "partition_regrain", |transactions| {
        let partition = Some(partition.ok_or_else(|| Error::null_argument("partition"))?);
        let drop_old = drop_old.ok_or_else(|| Error::null_argument("drop_old"))?;
        let wanted = run::Wanted { parent: given(parent)?, partition, most: checked(most)?, drop_old };
        run::run(transactions, &wanted)
    })?)
}

#[pg_extern(sql = false)]
fn partition_drain_cancel(parent: Option<pg_sys::Oid>) -> std::result::Result<bool, ErrorReport> {
    let parent = given(parent)?;
    writable("partition_drain_cancel")?;
    Ok(pinned(|| {
        let table = own_table(parent)?;
        let begun = job::kind_of(parent)?;
        let kind = match begun.as_deref() {
            // a dump does not tell what was begun
            None | Some("drain") => Kind::Drain,
            Some("regrain") => Kind::Regrain,
            _ => return Ok(false),
        };
        let job = job::begin(parent, &table, kind)?;
        let found = leftover::take_back(&table)?;
        let wide = wide::left(parent)?;
        for (_, name) in &wide {
            notice(format!("\"{name}\" stays wider than the grid; dbguard.partition_regrain divides it"));
        }
        wide::forget(parent)?;
        job.end()?;
        Ok(found || begun.is_some() || !wide.is_empty())
    })?)
}

type Plan = TableIterator<
    'static,
    (
        name!(partition, Option<String>),
        name!(lower, Option<String>),
        name!(upper, Option<String>),
        name!(rows, i64),
        name!(sql, String),
    ),
>;

#[pg_extern(sql = false)]
fn partition_drain_plan(
    parent: Option<pg_sys::Oid>,
    most: Option<i32>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(partition, Option<String>),
            name!(lower, Option<String>),
            name!(upper, Option<String>),
            name!(rows, i64),
            name!(sql, String),
        ),
    >,
    ErrorReport,
> {
    let (parent, most) = (given(parent)?, checked(most)?);
    Ok(pinned(|| plan(parent, None, most))?)
}

#[pg_extern(sql = false)]
fn partition_regrain_plan(
    parent: Option<pg_sys::Oid>,
    partition: Option<pg_sys::Oid>,
    most: Option<i32>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(partition, Option<String>),
            name!(lower, Option<String>),
            name!(upper, Option<String>),
            name!(rows, i64),
            name!(sql, String),
        ),
    >,
    ErrorReport,
> {
    let (parent, most) = (given(parent)?, checked(most)?);
    let partition = Some(partition.ok_or_else(|| Error::null_argument("partition"))?);
    Ok(pinned(|| plan(parent, partition, most))?)
}

fn given(parent: Option<pg_sys::Oid>) -> Result<pg_sys::Oid> {
    parent.ok_or_else(|| Error::null_argument("parent"))
}

fn checked(most: Option<i32>) -> Result<u32> {
    let most = most.ok_or_else(|| Error::null_argument("most"))?;
    if let Some(most) = u32::try_from(most).ok().filter(|most| (1..=MOST_OF_ALL).contains(most)) {
        return Ok(most);
    }
    Err(Error::invalid_parameter(format!("invalid value for \"most\": {most}"))
        .hint(format!("Give a number of partitions from 1 to {MOST_OF_ALL}.")))
}

/// The set, and the partition of it whose rows are to be moved; none if it has no default partition.
fn find(parent: pg_sys::Oid, partition: Option<pg_sys::Oid>) -> Result<(Set, Option<Source>)> {
    let table = own_table(parent)?;
    if set::of(parent)?.is_none() {
        return Err(not_enabled(&table.name));
    }
    let set = set::live(parent)?;
    let source = match partition {
        None => source::default_of(&set)?,
        Some(partition) => {
            let source = source::partition(&set, partition)?;
            if source.range.is_none() {
                let drain = ddl::drain((&set.schema, &set.name), None);
                return Err(Error::wrong_object_type(format!(
                    "\"{}\" is the default partition",
                    source.name
                ))
                .hint(drain));
            }
            Some(source)
        }
    };
    Ok((set, source))
}

fn plan(parent: pg_sys::Oid, partition: Option<pg_sys::Oid>, most: u32) -> Result<Plan> {
    let (set, source) = find(parent, partition)?;
    let left: Vec<String> =
        wide::left(parent)?.into_iter().map(|(_, name)| format!("-- \"{name}\" is divided")).collect();
    let left = left.into_iter().map(|note| (None, None, None, 0, note));
    let Some(source) = source else { return Ok(TableIterator::new(left)) };
    source::same_owner(&set, &source, &source.leaves()?)?;
    let blueprint = blueprint::of(&set)?;
    let parts = survey::parts(&set, &source, most)?;
    // where there is nothing to move nothing stands in the way
    let copied = !survey::is_done(&source, &parts) && matches!(way(&set, &source, &parts)?, Way::Copy(_));
    let note = if copied { rounds::note(&set, &source, &parts)? } else { None };
    let stage = stage::plan(&set, &blueprint, &source, parts)?;
    let of = (&*set.schema, &*set.name);
    let mut rows = vec![];
    for piece in stage.pieces {
        let mut statements = piece.table.clone();
        let table = (&*set.schema, &*piece.name);
        if let (Some(lower), Some(upper)) = (&piece.lower, &piece.upper) {
            let rows = ddl::Rows {
                source: source.table(),
                columns: &source.columns,
                key: source.key(),
                lower,
                upper,
            };
            statements.push(match source.range {
                None => ddl::carry(&rows, table),
                Some(_) => ddl::copy_range(&rows, table),
            });
        }
        statements.extend(piece.indexes.iter().cloned());
        // what is left in the default partition stays there, as far as rows are concerned
        if !piece.is_default {
            if source.range.is_some() && rows.is_empty() {
                statements.push(retire::detach(of, source.table()));
            }
            statements.push(crate::ddl::partition::attach(of, table, &piece.bound()));
        }
        let sql = if piece.is_default { String::new() } else { script(&statements) };
        rows.push((Some(piece.partition), piece.lower, piece.upper, piece.rows, sql));
    }
    rows.extend(note.map(|note| (None, None, None, 0, format!("-- {note}"))));
    rows.extend(left);
    Ok(TableIterator::new(rows))
}
