//! partition_health: every trouble of the sets, a row each, and what to do about it. Reads only, so that it
//! works on a standby, and asks about all sets at once.

mod catalog;
mod default;
mod runs;

use super::pinned;
use super::retire::policy;
use super::set::{self, Registered, Set, State};
use crate::ddl::health as ddl;
use crate::error::{Error, Result};
use dbguard_core::partition::retire::{before, ripe, Piece, Policy};
use dbguard_core::partition::{civil, health, Micros};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// More than so many make planning slow.
const MANY: usize = 1000;

/// So many partitions ahead are wanted, or as many as the set has if that is one.
const ENOUGH_AHEAD: u32 = 2;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Error,
    Warning,
    Info,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// The table a trouble is of; nothing when it is of all.
#[derive(Clone, Default)]
struct Table {
    parent: Option<pg_sys::Oid>,
    schema: Option<String>,
    name: Option<String>,
}

/// A trouble.
struct Finding {
    table: Table,
    severity: Severity,
    problem: &'static str,
    message: String,
    fix: Option<String>,
}

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn partition_health() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(parent_table, Option<pg_sys::Oid>),
            name!(schema_name, Option<String>),
            name!(table_name, Option<String>),
            name!(severity, &'static str),
            name!(problem, &'static str),
            name!(message, String),
            name!(fix, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let mut findings = pinned(all)?;
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.severity, f.table.schema.clone(), f.table.name.clone(), f.problem);
        key(a).cmp(&key(b))
    });
    Ok(TableIterator::new(findings.into_iter().map(|f| {
        let Table { parent, schema, name } = f.table;
        (parent, schema, name, f.severity.word(), f.problem, f.message, f.fix)
    })))
}

fn all() -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let sets = set::load(None)?;
    if sets.is_empty() {
        return Ok(findings);
    }
    let last_run = runs::last()?;
    let mut unworkable = Vec::new();
    for Registered { schema, name, state, .. } in &sets {
        let mut table = Table { parent: None, schema: Some(schema.clone()), name: Some(name.clone()) };
        match state {
            State::Gone => findings.push(gone(table)),
            State::Broken(parent, error) => {
                table.parent = Some(*parent);
                unworkable.push(*parent);
                findings.push(broken(table, error));
            }
            State::Live(set) => {
                let table = of_set(set);
                match ranges(set, &table, &mut findings) {
                    Ok(()) => {}
                    Err(error) => findings.push(broken(table.clone(), &error)),
                }
                if let Some(last_run) = last_run {
                    match overdue(set, last_run, &table) {
                        Ok(finding) => findings.extend(finding),
                        Err(error) => findings.push(broken(table.clone(), &error)),
                    }
                }
                if set.partitions.len() > MANY {
                    findings.push(many(set, table));
                }
            }
        }
    }
    catalog::look(&mut findings)?;
    default::look(&sets, &mut findings)?;
    runs::look(&unworkable, &mut findings)?;
    Ok(findings)
}

fn of_set(set: &Set) -> Table {
    Table { parent: Some(set.parent), schema: Some(set.schema.clone()), name: Some(set.name.clone()) }
}

fn gone(table: Table) -> Finding {
    Finding {
        table,
        severity: Severity::Warning,
        problem: "parent_gone",
        message: "the table is gone; the next run forgets it".to_owned(),
        fix: Some(ddl::maintain()),
    }
}

fn broken(table: Table, error: &Error) -> Finding {
    Finding {
        table,
        severity: Severity::Error,
        problem: "set_broken",
        message: error.message().to_owned(),
        fix: error.hint_text().map(str::to_owned),
    }
}

fn many(set: &Set, table: Table) -> Finding {
    Finding {
        table,
        severity: Severity::Warning,
        problem: "too_many",
        message: format!("{} partitions: queries that do not name the key plan slowly", set.partitions.len()),
        fix: Some(
            "Choose a wider interval, or retire old partitions with dbguard.partition_retain.".to_owned(),
        ),
    }
}

/// What is short or missing.
fn ranges(set: &Set, table: &Table, findings: &mut Vec<Finding>) -> Result<()> {
    let wanted = ENOUGH_AHEAD.min(set.ahead);
    let ahead = health::ahead(&set.grid, set.now, wanted, &set.ranges())?;
    let short = match ahead {
        None => Some((Severity::Error, "rows of now find no partition".to_owned())),
        Some(count) if count < wanted => {
            Some((Severity::Warning, format!("only {count} partitions ahead, of {}", set.ahead)))
        }
        Some(_) => None,
    };
    if let Some((severity, message)) = short {
        findings.push(Finding {
            table: table.clone(),
            severity,
            problem: "horizon_short",
            message,
            fix: Some(ddl::maintain()),
        });
    }
    let holes = health::holes(&set.missing()?, &set.ranges());
    if let Some(first) = holes.first() {
        let (from, to) = civil::literals(set.grid.key, *first)?;
        findings.push(Finding {
            table: table.clone(),
            severity: Severity::Warning,
            problem: "hole",
            message: format!(
                "{} ranges missing between partitions, the first from {from} to {to}",
                holes.len()
            ),
            fix: Some(ddl::maintain()),
        });
    }
    Ok(())
}

/// Partitions that were over when the last run took place. By age only: what is over by size is not asked
/// here, for that would wait for whoever has locked a partition.
fn overdue(set: &Set, last_run: Micros, table: &Table) -> Result<Option<Finding>> {
    let Some(retain) = &set.retention.retain else { return Ok(None) };
    let then = last_run.min(set.now);
    let cutoff = before(&set.grid.zone, then, retain.months(), retain.days(), retain.micros())?;
    let policy = Policy { cutoff: Some(set.grid.clock(cutoff)?), most_bytes: None, ..policy(set) };
    let pieces: Vec<Piece> = set.ranges().into_iter().map(|range| Piece { range, bytes: 0 }).collect();
    let count = ripe(&pieces, set.grid.clock(then)?, &policy).len();
    Ok((count > 0).then(|| Finding {
        table: table.clone(),
        severity: Severity::Warning,
        problem: "not_retired",
        message: format!("{count} partitions are over and were left by the last run"),
        fix: Some("See the failures in dbguard.partition_run.".to_owned()),
    }))
}
