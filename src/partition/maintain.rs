//! A run over all sets. Each partition is a transaction of its own, and each trouble stays with
//! its set.

use super::config::{self, Entry};
use super::patience::{is_held, Waited};
use super::set::{self, Registered, State};
use super::{blueprint, lock, make, pinned, retention, retire};
use crate::error::{Error, Result};
use crate::pg::procedure::Transactions;
use crate::pg::subxact::subtransaction;
use dbguard_core::partition::Range;
use pgrx::pg_sys;
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
    /// Another session is at it.
    Busy,
}

/// A set with something to make.
struct Due {
    parent: pg_sys::Oid,
    schema: String,
    name: String,
}

pub fn run(transactions: &Transactions) -> Result<()> {
    let (number, Survey { due, over, mut troubles }) = pinned(|| {
        let number = config::begin_run()?;
        config::purge()?;
        let mut sets = set::load(None)?;
        if config::tidy(number, &sets)? {
            sets = set::load(None)?;
        }
        Ok((number, survey(number, sets)?))
    })?;
    transactions.commit();
    let (mut made, mut skipped) = (0, 0);
    for set in &due {
        let mut given_up = Vec::new();
        loop {
            let outcome = pinned(|| one(number, set, &given_up))?;
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
                Outcome::Busy => {
                    skipped += 1;
                    break;
                }
                Outcome::Complete => break,
            }
        }
    }
    // last, for it may have to wait for whoever reads an old partition
    let mut retired = 0;
    for parent in over {
        let tally = retire::run::run(transactions, number, parent)?;
        retired += tally.retired;
        troubles += tally.troubles;
        skipped += tally.skipped;
    }
    pinned(|| {
        let note = Some(format!(
            "partitions made: {made}, retired: {retired}, troubles: {troubles}, sets skipped: {skipped}"
        ));
        let state = if troubles == 0 { "done" } else { "failed" };
        config::log(number, "run", state, Entry { note, ..Entry::default() })
    })
}

/// What there is to do.
struct Survey {
    /// The sets that are short of something.
    due: Vec<Due>,
    /// Those of which something is over, or was begun.
    over: Vec<pg_sys::Oid>,
    /// How many cannot be worked on.
    troubles: u32,
}

fn survey(run: i64, sets: Vec<Registered>) -> Result<Survey> {
    let mut survey = Survey { due: Vec::new(), over: retire::begun()?, troubles: 0 };
    let retention = retention::all()?;
    survey.over.retain(|parent| retention.contains_key(parent));
    for Registered { schema, name, state, .. } in sets {
        let (parent, missing) = match state {
            State::Gone => continue,
            State::Broken(parent, error) => (parent, Err(error)),
            State::Live(set) => {
                let retention = retention.get(&set.parent).filter(|r| !r.keeps_all());
                let is_over = retention.map_or(Ok(false), |retention| retire::is_due(&set, retention))?;
                if is_over && !survey.over.contains(&set.parent) {
                    survey.over.push(set.parent);
                }
                (set.parent, set.missing())
            }
        };
        match missing {
            Ok(missing) if missing.is_empty() => {}
            Ok(_) => survey.due.push(Due { parent, schema, name }),
            Err(error) => {
                survey.troubles += 1;
                let (schema, table) = (Some(schema.as_str()), Some(name.as_str()));
                let entry = Entry { schema, table, error: Some(&error), ..Entry::default() };
                config::log(run, "make", "failed", entry)?;
            }
        }
    }
    Ok(survey)
}

/// Makes the first missing range of a set, or logs why not.
fn one(run: i64, due: &Due, given_up: &[Range]) -> Result<Outcome> {
    // what was being made when an error came
    let doing: RefCell<Option<(Range, make::Step)>> = RefCell::default();
    let mut waited = Waited::default();
    let result = subtransaction(|| {
        if !lock(due.parent)? {
            return Ok(Outcome::Busy);
        }
        let set = set::live(due.parent)?;
        let missing = set.missing()?;
        let Some(range) = missing.into_iter().find(|range| !given_up.contains(range)) else {
            return Ok(Outcome::Complete);
        };
        let blueprint = blueprint::of(&set)?;
        let step = make::step(&set, &blueprint, range, &[])?;
        make::make(&set, &blueprint, &doing.borrow_mut().insert((range, step)).1, &mut waited)?;
        Ok(Outcome::Made)
    });
    let doing = doing.into_inner();
    let step = doing.as_ref().map(|(_, step)| step);
    let entry = Entry {
        schema: Some(&due.schema),
        table: Some(&due.name),
        partition: step.map(|step| step.name.as_str()),
        lower: step.map(|step| step.lower.as_str()),
        upper: step.map(|step| step.upper.as_str()),
        waited: Some(&waited).filter(|waited| waited.tries > 0),
        ..Entry::default()
    };
    match &result {
        Ok(Outcome::Made) => config::log(run, "make", "done", entry)?,
        Ok(Outcome::Busy) => {
            let note = Some("another session is making partitions of this set".to_owned());
            config::log(run, "make", "skipped", Entry { note, ..entry })?;
        }
        Ok(_) => {}
        Err(error) => config::log(run, "make", "failed", Entry { error: Some(error), ..entry })?,
    }
    Ok(result.unwrap_or_else(|error| next(&error, doing.map(|(range, _)| range))))
}

/// Whether the other ranges of a set are worth a try: not when somebody holds the table.
fn next(error: &Error, range: Option<Range>) -> Outcome {
    match range {
        Some(range) if !is_held(error) => Outcome::GivenUp(range),
        _ => Outcome::Stopped,
    }
}
