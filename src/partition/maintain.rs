//! A run over all sets. Each partition is a transaction of its own, and each trouble stays with
//! its set.

use super::config::{self, Entry};
use super::set::{self, Registered, State};
use super::{blueprint, lock, make, pinned};
use crate::error::{Error, Result};
use crate::pg::procedure::Transactions;
use crate::pg::subxact::subtransaction;
use dbguard_core::partition::Range;
use pgrx::prelude::*;
use std::cell::RefCell;

/// What one transaction came to.
enum Outcome {
    Made,
    /// Nothing is missing any more, but for what was given up.
    Complete,
    /// This range cannot be made now; others of the set may be.
    GivenUp(Range),
    /// Nothing more can be done for this set in this run.
    Stopped,
}

pub fn run(transactions: &Transactions) -> Result<()> {
    let (number, due) = pinned(|| {
        let number = config::begin_run()?;
        Ok((number, survey(number)?))
    })?;
    transactions.commit();
    let mut made = 0;
    let mut troubles = 0;
    for parent in &due {
        let mut given_up = Vec::new();
        loop {
            let outcome = pinned(|| one(number, *parent, &given_up))?;
            transactions.commit();
            match outcome {
                Outcome::Made => made += 1,
                Outcome::GivenUp(range) => {
                    troubles += 1;
                    given_up.push(range);
                }
                Outcome::Stopped => {
                    troubles += 1;
                    break;
                }
                Outcome::Complete => break,
            }
        }
    }
    pinned(|| {
        let note = Some(format!("{made} made, {troubles} not"));
        let state = if troubles == 0 { "done" } else { "failed" };
        config::log(number, "run", state, Entry { note, ..Entry::default() })
    })
}

/// Follows renamed tables, forgets dropped ones, reports broken ones; returns those that are short
/// of something.
fn survey(run: i64) -> Result<Vec<pg_sys::Oid>> {
    let mut due = Vec::new();
    for Registered { schema, name, state, .. } in set::load(None)? {
        let entry = Entry { schema: Some(&schema), table: Some(&name), ..Entry::default() };
        match state {
            State::Gone => {
                config::remove(&schema, &name)?;
                let note = Some("the table is gone; the set was removed".to_owned());
                config::log(run, "forget", "done", Entry { note, ..entry })?;
            }
            State::Broken(_, error) => {
                config::log(run, "make", "failed", Entry { error: Some(&error), ..entry })?;
            }
            State::Live(set) => {
                config::follow((&schema, &name), (&set.schema, &set.name), set.parent)?;
                match set.missing() {
                    Ok(missing) if missing.is_empty() => {}
                    Ok(_) => due.push(set.parent),
                    Err(error) => {
                        config::log(run, "make", "failed", Entry { error: Some(&error), ..entry })?;
                    }
                }
            }
        }
    }
    Ok(due)
}

/// Makes the first missing range of a set, or logs why not.
fn one(run: i64, parent: pg_sys::Oid, given_up: &[Range]) -> Result<Outcome> {
    // What was being done when an error came.
    let doing: RefCell<(Option<(String, String)>, Option<(Range, make::Step)>)> = RefCell::default();
    let result = subtransaction(|| {
        if !lock(parent)? {
            return Ok(Outcome::Stopped);
        }
        let set = set::live(parent)?;
        doing.borrow_mut().0 = Some((set.schema.clone(), set.name.clone()));
        let missing = set.missing()?;
        let Some(range) = missing.into_iter().find(|range| !given_up.contains(range)) else {
            return Ok(Outcome::Complete);
        };
        let blueprint = blueprint::of(&set)?;
        let step = make::step(&set, &blueprint, range, &[])?;
        doing.borrow_mut().1 = Some((range, step));
        if let Some((_, step)) = &doing.borrow().1 {
            make::make(&set, &blueprint, step)?;
        }
        Ok(Outcome::Made)
    });
    let (table, step) = doing.into_inner();
    let entry = Entry {
        schema: table.as_ref().map(|(schema, _)| schema.as_str()),
        table: table.as_ref().map(|(_, name)| name.as_str()),
        partition: step.as_ref().map(|(_, step)| step.name.as_str()),
        lower: step.as_ref().map(|(_, step)| step.lower.as_str()),
        upper: step.as_ref().map(|(_, step)| step.upper.as_str()),
        ..Entry::default()
    };
    match result {
        Ok(Outcome::Made) => {
            config::log(run, "make", "done", entry)?;
            Ok(Outcome::Made)
        }
        Ok(Outcome::Stopped) => {
            let note = Some("another session is making partitions of this set".to_owned());
            config::log(run, "make", "skipped", Entry { note, ..entry })?;
            Ok(Outcome::Stopped)
        }
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            config::log(run, "make", "failed", Entry { error: Some(&error), ..entry })?;
            Ok(next(&error, step.map(|(range, _)| range)))
        }
    }
}

/// Whether the other ranges of a set are worth a try: not when somebody holds the table.
fn next(error: &Error, range: Option<Range>) -> Outcome {
    match range {
        Some(range) if error.code() != PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => Outcome::GivenUp(range),
        _ => Outcome::Stopped,
    }
}
