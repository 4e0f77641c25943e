//! A partition leaves its table: noted before, detached, and noted after.

use super::run::of_step;
use super::{noted, Step};
use crate::catalog::is_still;
use crate::ddl::{as_owner, retire as ddl};
use crate::error::{Error, Result};
use crate::partition::config::{self, Entry};
use crate::partition::patience::{self, is_held, Waited};
use crate::partition::pinned;
use crate::pg::lock::{share_update_exclusive, Kept};
use crate::pg::procedure::Transactions;
use crate::pg::subxact::{interruptible, subtransaction};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A partition that is noted as leaving.
pub struct Leaving {
    pub set: Oid,
    pub parent: (String, String),
    pub owner: Oid,
    pub step: Step,
}

impl Leaving {
    fn parent(&self) -> ddl::Table<'_> {
        (&self.parent.0, &self.parent.1)
    }
}

/// What came of it.
pub enum Left {
    Gone,
    /// Finished next, in short steps.
    HalfDone,
    Failed,
    /// Nor can any other partition of the table leave now.
    InUse,
}

/// In transactions of its own.
pub fn run(transactions: &Transactions, run: i64, leaving: &Leaving) -> Result<Left> {
    let mut waited = Waited::default();
    let left = detach(transactions, leaving, &mut waited);
    if let Err(error) = &left {
        if error.ends_the_statement() {
            pinned(|| noted::abandoned(leaving.step.partition.oid))?;
            transactions.commit();
        }
    }
    let left = match left {
        Err(error) if error.ends_the_statement() => error.raise(),
        other => other,
    };
    let half_done = pinned(|| {
        subtransaction(|| note(run, leaving, &left, &waited)).or_else(|error| {
            config::log(run, "detach", "failed", Entry { error: Some(&error), ..entry(leaving) })?;
            Ok(false)
        })
    })?;
    transactions.commit();
    Ok(match left {
        Ok(()) => Left::Gone,
        Err(error) if half_done && is_held(&error) => Left::HalfDone,
        Err(error) if leaving.step.concurrently && is_held(&error) => Left::InUse,
        Err(_) => Left::Failed,
    })
}

/// Concurrently as a statement of its own, else in this transaction, in short steps. The server waits for those
/// who use the table however long they take: who uses it for long is found out before.
fn detach(transactions: &Transactions, leaving: &Leaving, waited: &mut Waited) -> Result<()> {
    let partition = leaving.step.table();
    if leaving.step.concurrently {
        let kept = pinned(|| {
            interruptible(|| {
                patience::unused(leaving.set, leaving.step.partition.oid, waited)?;
                patience::steps(leaving.set, waited, || {
                    share_update_exclusive(leaving.set);
                    is_still(leaving.set, leaving.parent(), leaving.owner)
                })?;
                Ok(Kept::new(leaving.set))
            })
        })?;
        transactions.commit();
        // half-way through, a timeout would leave what must be taken up again
        let statement = ddl::detach_concurrently(leaving.parent(), partition);
        transactions.interruptible(&statement, leaving.owner, c"0")?;
        kept.release();
        return Ok(());
    }
    let statement = ddl::detach(leaving.parent(), partition);
    let detach = || {
        patience::ladder(leaving.set, waited, || {
            is_still(leaving.set, leaving.parent(), leaving.owner)?;
            as_owner(leaving.owner, &statement)
        })
    };
    pinned(|| interruptible(detach))
}

fn entry(leaving: &Leaving) -> Entry<'_> {
    let (schema, table) = (Some(&*leaving.parent.0), Some(&*leaving.parent.1));
    of_step(Entry { schema, table, ..Entry::default() }, &leaving.step)
}

/// Whether its first half was done, when it was interrupted in the second.
fn note(run: i64, leaving: &Leaving, left: &Result<()>, waited: &Waited) -> Result<bool> {
    let entry = Entry { waited: Some(waited).filter(|waited| waited.tries > 0), ..entry(leaving) };
    let partition = leaving.step.partition.oid;
    // that it was to leave is forgotten, or what somebody else detaches would be taken for ours
    let half_done = left.is_err() && noted::pending(leaving.set)?.contains(&partition);
    if left.is_err() && !half_done {
        noted::forget(partition)?;
    }
    match left {
        Ok(()) => {
            noted::left(partition)?;
            config::log(run, "detach", "done", entry)
        }
        Err(error) if error.code() == PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION => {
            let told = referred_to(error, &leaving.step)?;
            config::log(run, "detach", "failed", Entry { error: Some(&told), ..entry })
        }
        // the next round says what becomes of it
        Err(error) if half_done && is_held(error) => Ok(()),
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
        let mut found = client.select(ROOT, Some(1), &[step.partition.oid.into(), error.message().into()])?;
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
