//! A run over all sets. A transaction makes one partition, or a few while they are quickly made, and each
//! trouble stays with its set.

use super::config::{self, Entry};
use super::patience::{is_held, Waited};
use super::set::{self, Registered, Set, State};
use super::{blueprint, lock, make, pinned, retire};
use crate::ddl::partition::Blueprint;
use crate::error::{notice, Error, Result};
use crate::pg::procedure::Transactions;
use crate::pg::subxact::subtransaction;
use dbguard_core::partition::Range;
use pgrx::pg_sys;
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// How long a transaction goes on to make partitions of a set: they share what it costs to look at the table. For
/// so long others may have to wait for a table that is referred to.
const HOLD: Duration = Duration::from_millis(20);

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

/// A set and what it is short of.
struct Work {
    set: Set,
    missing: Vec<Range>,
}

impl Work {
    fn is_short(&self, given_up: &[Range]) -> bool {
        self.missing.iter().any(|range| !given_up.contains(range))
    }
}

pub fn run(transactions: &Transactions) -> Result<()> {
    let (number, Survey { due, over, rehearsed, mut troubles }) = pinned(|| {
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
    for mut work in due {
        let mut given_up = Vec::new();
        while work.is_short(&given_up) {
            let (some, outcome) = pinned(|| some(number, &mut work, &given_up))?;
            transactions.commit();
            made += some;
            match outcome {
                Outcome::Made => {}
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
    if rehearsed && !over.is_empty() {
        notice(
            "dbguard.partition_clock is ahead of the real time: partitions are retired by the real time"
                .to_owned(),
        );
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
    due: Vec<Work>,
    /// Those of which something is over, or was begun.
    over: Vec<pg_sys::Oid>,
    /// Whether the clock of a rehearsal is ahead.
    rehearsed: bool,
    /// How many cannot be worked on.
    troubles: u32,
}

fn survey(run: i64, sets: Vec<Registered>) -> Result<Survey> {
    let mut survey = Survey { due: Vec::new(), over: vec![], rehearsed: false, troubles: 0 };
    let begun = retire::begun()?;
    for Registered { schema, name, state, .. } in sets {
        let looked_at = match state {
            State::Gone => continue,
            State::Broken(_, error) => Err(error),
            State::Live(set) => look_at(*set, &begun, &mut survey),
        };
        if let Err(error) = looked_at {
            survey.troubles += 1;
            let (schema, table) = (Some(schema.as_str()), Some(name.as_str()));
            let entry = Entry { schema, table, error: Some(&error), ..Entry::default() };
            config::log(run, "make", "failed", entry)?;
        }
    }
    Ok(survey)
}

fn look_at(set: Set, begun: &[pg_sys::Oid], survey: &mut Survey) -> Result<()> {
    survey.rehearsed |= set.now > set.real;
    if begun.contains(&set.parent) || retire::may_be_due(&set)? {
        survey.over.push(set.parent);
    }
    let missing = set.missing()?;
    if !missing.is_empty() {
        survey.due.push(Work { set, missing });
    }
    Ok(())
}

/// Makes missing ranges of a set, the first of them in any case: how many, and how it ended. Those after the first
/// need the locks that it has taken, and no others: nobody is waited for while somebody waits for us. Beside a DEFAULT
/// partition that is not so, for rows may have to be moved.
fn some(run: i64, work: &mut Work, given_up: &[Range]) -> Result<(u32, Outcome)> {
    let began = Instant::now();
    let mut parent = None;
    let mut made = 0;
    loop {
        let outcome = one(run, work, given_up, &mut parent)?;
        made += u32::from(matches!(outcome, Outcome::Made));
        let may_go_on = matches!(outcome, Outcome::Made) && !work.set.has_default && began.elapsed() < HOLD;
        if !may_go_on || !work.is_short(given_up) {
            return Ok((made, outcome));
        }
    }
}

/// Makes the first missing range of a set, or logs why not. `parent` is what was seen of the table in this
/// transaction: nobody has altered it since, for it is locked.
fn one(run: i64, work: &mut Work, given_up: &[Range], parent: &mut Option<Blueprint>) -> Result<Outcome> {
    // what was being made when an error came
    let doing: RefCell<Option<(Range, make::Step)>> = RefCell::default();
    let mut waited = Waited::default();
    let result = subtransaction(|| {
        if parent.is_none() {
            if !lock(work.set.parent)? {
                return Ok(Outcome::Busy);
            }
            if !work.set.is_current()? {
                let set = set::live(work.set.parent)?;
                *work = Work { missing: set.missing()?, set };
            }
        }
        let Work { set, missing } = &*work;
        let Some(range) = missing.iter().find(|range| !given_up.contains(range)) else {
            return Ok(Outcome::Complete);
        };
        let blueprint = match parent {
            Some(blueprint) => blueprint,
            None => parent.insert(blueprint::patiently(set, &mut waited)?),
        };
        let step = make::step(set, blueprint, *range, &[])?;
        make::make(set, blueprint, &doing.borrow_mut().insert((*range, step)).1, &mut waited)?;
        Ok(Outcome::Made)
    });
    let doing = doing.into_inner();
    let step = doing.as_ref().map(|(_, step)| step);
    let entry = Entry {
        schema: Some(&work.set.schema),
        table: Some(&work.set.name),
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
    let range = doing.map(|(range, _)| range);
    if let Ok(Outcome::Made) = result {
        work.set.children += 1;
        work.missing.retain(|missing| Some(*missing) != range);
    }
    Ok(result.unwrap_or_else(|error| next(&error, range)))
}

/// Whether the other ranges of a set are worth a try: not when somebody holds the table.
fn next(error: &Error, range: Option<Range>) -> Outcome {
    match range {
        Some(range) if !is_held(error) => Outcome::GivenUp(range),
        _ => Outcome::Stopped,
    }
}
