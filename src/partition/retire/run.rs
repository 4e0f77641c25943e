//! Doing it. A partition takes a few transactions to go, and what was begun is noted before: a run that was
//! killed is taken up by the next.

use super::at_once;
use super::choose::{choose, Next, Work};
use super::noted::{self, Waiting};
use super::Step;
use crate::ddl::retire as ddl;
use crate::error::{Error, Result};
use crate::partition::config::{self, Entry};
use crate::partition::patience::{self, Waited};
use crate::partition::retention::Retire;
use crate::partition::set::Set;
use crate::partition::{make, pinned};
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

/// A partition that is noted as leaving.
struct Leaving {
    set: Oid,
    parent: (String, String),
    owner: Oid,
    step: Step,
}

impl Leaving {
    fn parent(&self) -> ddl::Table<'_> {
        (&self.parent.0, &self.parent.1)
    }
}

/// Retires what is ripe of one set, each partition on its own.
pub fn run(transactions: &Transactions, run: i64, parent: Oid) -> Result<Tally> {
    let mut tally = Tally::default();
    let top_level = transactions.is_top_level();
    let mut work = Work { parent, top_level, read: None, given_up: vec![], with_care: vec![] };
    loop {
        let outcome = pinned(|| one(run, &mut work))?;
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
                let mut waited = Waited::default();
                let left = leave(transactions, &leaving, &mut waited);
                let half_done = pinned(|| note(run, &leaving, &left, &waited))?;
                transactions.commit();
                match left {
                    Ok(()) => {
                        tally.retired += 1;
                        work.gone(&[leaving.step.oid]);
                    }
                    // finished next, in short steps
                    Err(error) if half_done && patience::is_held(&error) => {}
                    Err(_) => {
                        tally.troubles += 1;
                        work.given_up.push(leaving.step.oid);
                    }
                }
            }
        }
    }
}

/// One transaction: the next thing to do, done and logged.
fn one(run: i64, work: &mut Work) -> Result<Outcome> {
    let parent = work.parent;
    let todo = match subtransaction(|| choose(work)) {
        Ok(chosen) => chosen,
        Err(error) => {
            let table = crate::catalog::relation(parent).ok();
            let (schema, name) = table.as_ref().map(|t| (&*t.schema, &*t.name)).unzip();
            let entry = Entry { schema, table: name, error: Some(&error), ..Entry::default() };
            config::log(run, "retire", "failed", entry)?;
            return Ok(Outcome::Stopped);
        }
    };
    let Some((set, _)) = &work.read else { return Ok(Outcome::Busy) };
    let entry = Entry { schema: Some(&set.schema), table: Some(&set.name), ..Entry::default() };
    match todo {
        Next::Nothing => Ok(Outcome::Nothing),
        Next::Busy => {
            let note = Some("another session is retiring partitions of this set".to_owned());
            config::log(run, "retire", "skipped", Entry { note, ..entry })?;
            Ok(Outcome::Busy)
        }
        Next::Finalize(step) => {
            let entry = of_step(entry, &step);
            let finalized = attempt(run, "finalize", step.oid, entry, |waited| {
                let statement = ddl::finalize((&set.schema, &set.name), step.table());
                patience::ladder(parent, waited, || as_owner(set.owner, &statement))?;
                noted::left(step.oid)
            })?;
            Ok(match finalized {
                Outcome::Done => Outcome::Left(vec![step.oid], None),
                other => other,
            })
        }
        Next::Finish(waiting) => {
            let entry = Entry { partition: Some(&waiting.name), ..entry };
            attempt(run, waiting.retire.word(), waiting.oid, entry, |waited| {
                finish(set, &waiting, waited)?;
                noted::forget(waiting.oid)
            })
        }
        Next::Drop(steps) => {
            let (gone, held) = at_once::drop(set, &steps);
            for step in &gone {
                let entry = Entry { schema: entry.schema, table: entry.table, ..Entry::default() };
                config::log(run, "drop", "done", of_step(entry, step))?;
            }
            Ok(Outcome::Left(gone.iter().map(|step| step.oid).collect(), held.map(|step| step.oid)))
        }
        Next::Detach(step) => {
            let retention = &set.retention;
            if let (Retire::Move, Some(schema)) = (retention.retire, &retention.schema) {
                if make::exists(schema, &step.name)? {
                    let error = in_the_way(schema, &step.name);
                    config::log(
                        run,
                        "move",
                        "failed",
                        Entry { error: Some(&error), ..of_step(entry, &step) },
                    )?;
                    return Ok(Outcome::Failed(step.oid));
                }
            }
            if let Some((schema, name)) = &retention.archive {
                let archived = attempt(run, "archive", step.oid, of_step(entry, &step), |_| {
                    archive(set, (schema, name), &step)
                })?;
                if !matches!(archived, Outcome::Done) {
                    return Ok(archived);
                }
            }
            noted::leaving(set, (step.oid, &step.schema, &step.name))?;
            let name = (set.schema.clone(), set.name.clone());
            Ok(Outcome::Leaving(Box::new(Leaving { set: parent, parent: name, owner: set.owner, step })))
        }
    }
}

/// Looked at before the partition leaves: it must not end up nowhere.
fn in_the_way(schema: &str, name: &str) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE,
        format!("relation \"{name}\" already exists in schema \"{schema}\""),
    )
    .hint("Rename or remove it: the partition stays where it is until then.")
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

fn of_step<'a>(entry: Entry<'a>, step: &'a Step) -> Entry<'a> {
    Entry { partition: Some(&step.name), lower: Some(&step.lower), upper: Some(&step.upper), ..entry }
}

/// With the rights of the set's owner.
pub fn as_owner(owner: Oid, statement: &str) -> Result<()> {
    as_role(owner, Fence::Restricted, || crate::ddl::run(statement))
}

/// Drops or moves a partition that was detached.
fn finish(set: &Set, waiting: &Waiting, waited: &mut Waited) -> Result<()> {
    let table = (waiting.schema.as_str(), waiting.name.as_str());
    let statement = match (waiting.retire, &waiting.to) {
        (Retire::Drop, _) => ddl::drop(table),
        (Retire::Move, Some(schema)) => ddl::set_schema(table, schema),
        _ => return Ok(()),
    };
    patience::steps(waiting.oid, waited, || {
        // under its lock it is looked at once more: somebody may have attached it again
        access_exclusive(waiting.oid);
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
            let args = [step.oid.into(), step.lower.as_str().into(), step.upper.as_str().into()];
            client.update(&query, Some(1), &args)?.first().get_one::<bool>()
        })
    })?;
    if may_go == Some(true) {
        return Ok(());
    }
    Err(Error::not_in_state(format!("function {}.{} did not let the partition go", function.0, function.1))
        .hint("It stays until the function returns true."))
}

/// Detaches it: concurrently as a statement of its own, else in this transaction, in short steps.
fn leave(transactions: &Transactions, leaving: &Leaving, waited: &mut Waited) -> Result<()> {
    let partition = leaving.step.table();
    if leaving.step.concurrently {
        // half-way through, a timeout would leave what must be taken up again
        let statement = ddl::detach_concurrently(leaving.parent(), partition);
        return transactions.top_level(&statement, leaving.owner, c"0");
    }
    let statement = ddl::detach(leaving.parent(), partition);
    pinned(|| patience::ladder(leaving.set, waited, || as_owner(leaving.owner, &statement)))
}

/// Whether its first half was done, when it was interrupted in the second.
fn note(run: i64, leaving: &Leaving, left: &Result<()>, waited: &Waited) -> Result<bool> {
    let waited = Some(waited).filter(|waited| waited.tries > 0);
    let (schema, table) = (Some(&*leaving.parent.0), Some(&*leaving.parent.1));
    let entry = Entry { schema, table, waited, ..Entry::default() };
    let entry = of_step(entry, &leaving.step);
    // that it was to leave is forgotten, or what somebody else detaches would be taken for ours
    let half_done = left.is_err() && noted::pending(leaving.set)?.contains(&leaving.step.oid);
    if left.is_err() && !half_done {
        noted::forget(leaving.step.oid)?;
    }
    match left {
        Ok(()) => {
            noted::left(leaving.step.oid)?;
            config::log(run, "detach", "done", entry)
        }
        Err(error) if error.code() == PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION => {
            let told = referred_to(error, &leaving.step)?;
            config::log(run, "detach", "failed", Entry { error: Some(&told), ..entry })
        }
        // the next round says what becomes of it
        Err(error) if half_done && patience::is_held(error) => Ok(()),
        Err(error) => config::log(run, "detach", "failed", Entry { error: Some(error), ..entry }),
    }?;
    Ok(half_done)
}

/// The server names the copy of the foreign key that the partition has, which nobody knows.
fn referred_to(error: &Error, step: &Step) -> Result<Error> {
    const ROOT: &str = "
        WITH RECURSIVE up AS (
          SELECT oid, conparentid, conname, conrelid FROM pg_constraint
          WHERE confrelid = $1 AND contype = 'f' AND strpos($2, format('\"%s\"', conname)) > 0
          UNION ALL
          SELECT c.oid, c.conparentid, c.conname, c.conrelid FROM up JOIN pg_constraint c ON c.oid = up.conparentid)
        SELECT conname::text, conrelid::regclass::text FROM up WHERE conparentid = 0";
    let root = Spi::connect(|client| -> std::result::Result<_, pgrx::spi::Error> {
        let mut found = client.select(ROOT, Some(1), &[step.oid.into(), error.message().into()])?;
        found.next().map_or(Ok((None, None)), |row| Ok((row.get::<String>(1)?, row.get::<String>(2)?)))
    })?;
    let told = Error::new(error.code(), error.message().to_owned());
    Ok(match root {
        (Some(constraint), Some(table)) => told.hint(format!(
            "Rows of table {table} refer to it by foreign key \"{constraint}\": it stays until they are gone."
        )),
        _ => told,
    })
}
