//! Doing it. A partition takes a few transactions to go, and what was begun is noted before: a run that was
//! killed is taken up by the next.

use super::at_once;
use super::choose::{choose, Next, Work};
use super::leave::{self, Leaving, Left};
use super::noted::{self, Waiting};
use super::{obstacle, Step};
use crate::catalog::is_still;
use crate::ddl::{as_owner, retire as ddl};
use crate::error::{Error, Result};
use crate::partition::config::{self, Entry};
use crate::partition::patience::{self, Waited};
use crate::partition::pinned;
use crate::partition::set::Set;
use crate::pg::lock::access_exclusive;
use crate::pg::procedure::Transactions;
use crate::pg::subxact::subtransaction;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// What a run did to a set.
#[derive(Default)]
pub struct Tally {
    pub retired: u32,
    pub troubles: u32,
    pub skipped: u32,
}

impl Work {
    /// These are partitions of the set no more, by our own doing.
    fn gone(&mut self, partitions: &[Oid]) {
        if let Some((set, due)) = &mut self.read {
            set.children -= partitions.len() as i64;
            due.retain(|due| !partitions.contains(&due.partition.oid));
        }
    }
}

/// What came of a transaction.
enum Outcome {
    Nothing,
    Busy,
    Done,
    /// These left, and that one could not be dropped at once.
    Left(Vec<Oid>, Option<Oid>),
    Failed(Oid),
    /// Nothing of the set can be done.
    Stopped,
    Leaving(Box<Leaving>),
}

/// Retires what is ripe of one set, each partition on its own.
pub fn run(transactions: &Transactions, run: i64, parent: Oid) -> Result<Tally> {
    let mut tally = Tally::default();
    let top_level = transactions.is_top_level();
    let mut work = Work { parent, top_level, read: None, given_up: vec![], with_care: vec![] };
    loop {
        // whatever goes wrong stays with the set
        let outcome = pinned(|| subtransaction(|| one(run, &mut work)).or_else(|e| failed(run, parent, &e)))?;
        transactions.commit();
        match outcome {
            Outcome::Nothing => return Ok(tally),
            Outcome::Busy => {
                tally.skipped += 1;
                return Ok(tally);
            }
            Outcome::Stopped => {
                tally.troubles += 1;
                return Ok(tally);
            }
            Outcome::Done => {}
            Outcome::Left(partitions, held) => {
                tally.retired += u32::try_from(partitions.len()).unwrap_or(u32::MAX);
                work.gone(&partitions);
                work.with_care.extend(held);
            }
            Outcome::Failed(partition) => {
                tally.troubles += 1;
                work.given_up.push(partition);
            }
            Outcome::Leaving(leaving) => {
                let partition = leaving.step.partition.oid;
                match leave::run(transactions, run, &leaving)? {
                    Left::Gone => {
                        tally.retired += 1;
                        work.gone(&[partition]);
                    }
                    Left::HalfDone => {}
                    Left::Failed => {
                        tally.troubles += 1;
                        work.given_up.push(partition);
                    }
                    Left::InUse => {
                        tally.troubles += 1;
                        return Ok(tally);
                    }
                }
            }
        }
    }
}

/// One transaction: the next thing to do, done and logged.
fn one(run: i64, work: &mut Work) -> Result<Outcome> {
    let parent = work.parent;
    let next = choose(work)?;
    let Some((set, _)) = &work.read else { return Ok(Outcome::Busy) };
    let entry = Entry { schema: Some(&set.schema), table: Some(&set.name), ..Entry::default() };
    match next {
        Next::Nothing => Ok(Outcome::Nothing),
        Next::Busy => {
            let note = Some("another session is retiring partitions of this set".to_owned());
            config::log(run, "retire", "skipped", Entry { note, ..entry })?;
            Ok(Outcome::Busy)
        }
        Next::Finalize(step) => {
            let entry = of_step(entry, &step);
            let finalized = attempt(run, "finalize", step.partition.oid, entry, |waited| {
                let statement = ddl::finalize((&set.schema, &set.name), step.table());
                patience::ladder(parent, waited, || {
                    is_still(parent, (&set.schema, &set.name), set.owner)?;
                    as_owner(set.owner, &statement)
                })?;
                noted::left(step.partition.oid)
            })?;
            Ok(match finalized {
                Outcome::Done => Outcome::Left(vec![step.partition.oid], None),
                other => other,
            })
        }
        Next::Forget(partition, name) => {
            noted::forget(partition)?;
            let note = Some("it was renamed or moved while it waited, and is kept".to_owned());
            config::log(run, "forget", "done", Entry { partition: Some(&name), note, ..entry })?;
            Ok(Outcome::Done)
        }
        Next::Finish(waiting) => {
            let entry = Entry { partition: Some(&waiting.name), ..entry };
            attempt(run, waiting.retire.word(), waiting.partition.oid, entry, |waited| {
                finish(set, &waiting, waited)?;
                noted::forget(waiting.partition.oid)
            })
        }
        Next::Drop(steps) => {
            let (gone, held) = at_once::drop(set, &steps);
            for step in &gone {
                let entry = Entry { schema: entry.schema, table: entry.table, ..Entry::default() };
                config::log(run, "drop", "done", of_step(entry, step))?;
            }
            Ok(Outcome::Left(
                gone.iter().map(|step| step.partition.oid).collect(),
                held.map(|step| step.partition.oid),
            ))
        }
        Next::Detach(step) => {
            let (partition, retention) = (step.partition.oid, &set.retention);
            if let Err(error) = obstacle::look(set, &step) {
                let entry = Entry { error: Some(&error), ..of_step(entry, &step) };
                config::log(run, retention.retire.word(), "failed", entry)?;
                return Ok(Outcome::Failed(partition));
            }
            if let Some((schema, name)) = &retention.archive {
                let archived = attempt(run, "archive", partition, of_step(entry, &step), |_| {
                    archive(set, (schema, name), &step)
                })?;
                if !matches!(archived, Outcome::Done) {
                    return Ok(archived);
                }
                if !set.is_current()? {
                    let note = Some(format!("function {schema}.{name} has changed the set"));
                    let entry =
                        Entry { schema: Some(&set.schema), table: Some(&set.name), note, ..Entry::default() };
                    config::log(run, "retire", "skipped", entry)?;
                    return Ok(Outcome::Busy);
                }
            }
            noted::leaving(set, &step)?;
            let name = (set.schema.clone(), set.name.clone());
            Ok(Outcome::Leaving(Box::new(Leaving { set: parent, parent: name, owner: set.owner, step })))
        }
    }
}

/// Nothing more can be done for the set in this run.
fn failed(run: i64, parent: Oid, error: &Error) -> Result<Outcome> {
    let table = crate::catalog::relation(parent).ok();
    let (schema, name) = table.as_ref().map(|t| (&*t.schema, &*t.name)).unzip();
    let entry = Entry { schema, table: name, error: Some(error), ..Entry::default() };
    config::log(run, "retire", "failed", entry)?;
    Ok(Outcome::Stopped)
}

/// Does it in a subtransaction and logs what came of it.
fn attempt(
    run: i64,
    action: &str,
    partition: Oid,
    entry: Entry,
    f: impl FnOnce(&mut Waited) -> Result<()>,
) -> Result<Outcome> {
    let mut waited = Waited::default();
    let done = subtransaction(|| f(&mut waited));
    let entry = Entry { waited: Some(&waited).filter(|waited| waited.tries > 0), ..entry };
    match done {
        Ok(()) => {
            config::log(run, action, "done", entry)?;
            Ok(Outcome::Done)
        }
        Err(error) => {
            config::log(run, action, "failed", Entry { error: Some(&error), ..entry })?;
            Ok(Outcome::Failed(partition))
        }
    }
}

pub fn of_step<'a>(entry: Entry<'a>, step: &'a Step) -> Entry<'a> {
    Entry { partition: Some(&step.name), lower: Some(&step.lower), upper: Some(&step.upper), ..entry }
}

/// Drops or moves a partition that was detached.
fn finish(set: &Set, waiting: &Waiting, waited: &mut Waited) -> Result<()> {
    let Some(statement) = waiting.statement() else { return Ok(()) };
    patience::steps(waiting.partition.oid, waited, || {
        // under its lock it is looked at once more: somebody may have attached it again
        access_exclusive(waiting.partition.oid);
        match noted::is_free(waiting)? {
            true => as_owner(set.owner, &statement),
            false => Err(Error::not_in_state(format!(
                "table \"{}\" was changed by another session meanwhile",
                waiting.name
            ))),
        }
    })
}

/// Calls the owner's function; only true lets the partition go.
fn archive(set: &Set, function: ddl::Table, step: &Step) -> Result<()> {
    let query = ddl::archive(function);
    let may_go = as_role(set.owner, Fence::Restricted, || {
        Spi::connect_mut(|client| {
            let args = [step.partition.oid.into(), step.lower.as_str().into(), step.upper.as_str().into()];
            client.update(&query, Some(1), &args)?.first().get_one::<bool>()
        })
    })?;
    if may_go == Some(true) {
        return Ok(());
    }
    Err(Error::not_in_state(format!("function {}.{} did not let the partition go", function.0, function.1))
        .hint("It stays until the function returns true."))
}
