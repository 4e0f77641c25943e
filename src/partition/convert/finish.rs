//! What comes after a cut-over, each step in a transaction of its own. What is ended in between is taken up by the
//! next call, or left at that by dbguard.partition_convert_cancel.

use super::stored::{self, Conversion};
use crate::catalog;
use crate::ddl::as_owner;
use crate::ddl::convert as ddl;
use crate::ddl::retire::Table as Name;
use crate::error::{notice, warning, Error, Result};
use crate::partition::job::Job;
use crate::partition::patience::{self, Waited};
use crate::partition::set::{self, Set};
use crate::partition::{config, enable, pinned};
use crate::pg::procedure::Transactions;
use crate::pg::subxact::interruptible;
use dbguard_core::partition::Range;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

pub fn finish(transactions: &Transactions, parent: Oid, job: &Job) -> Result<()> {
    validate(transactions, parent, job)?;
    let run = step(transactions, job, config::begin_run)?;
    let mut tried: Vec<Range> = vec![];
    while let Some(range) = step(transactions, job, || next_partition(run, parent, &tried))? {
        tried.push(range);
    }
    step(transactions, job, || {
        let table = catalog::relation(parent)?;
        as_owner(table.owner, &ddl::analyze((&table.schema, &table.name)))?;
        stored::finished(parent)?;
        job.end()
    })
}

/// One transaction. After an error, and when it is cancelled, any session may go on.
pub fn step<T>(transactions: &Transactions, job: &Job, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = interruptible(|| pinned(f));
    if done.is_err() {
        pinned(|| job.leave())?;
    }
    transactions.commit();
    done
}

/// Makes one; what cannot be made is told and left to dbguard.partition_maintain.
fn next_partition(run: i64, parent: Oid, tried: &[Range]) -> Result<Option<Range>> {
    let set: Set = set::live(parent)?;
    let Some(range) = set.missing()?.into_iter().find(|range| !tried.contains(range)) else {
        return Ok(None);
    };
    for one in enable::make_missing(run, &set, vec![range])? {
        if let Some(error) = one.error {
            notice(format!("partition \"{}\" was not made: {}", one.step.name, error.message()));
        }
    }
    Ok(Some(range))
}

/// A foreign key that was made anew.
struct Key {
    schema: String,
    table: String,
    name: String,
    owner: Oid,
}

impl Key {
    /// None if it is gone since.
    fn of(oid: Oid) -> Result<Option<Key>> {
        const KEY: &str = "
            SELECT n.nspname::text, c.relname::text, k.conname::text, c.relowner
            FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE k.oid = $1";
        Spi::connect(|client| {
            let Some(row) = client.select(KEY, Some(1), &[oid.into()])?.next() else { return Ok(None) };
            Ok(Some(Key {
                schema: row.get(1)?.unwrap_or_default(),
                table: row.get(2)?.unwrap_or_default(),
                name: row.get(3)?.unwrap_or_default(),
                owner: row.get(4)?.unwrap_or(Oid::INVALID),
            }))
        })
    }

    fn table(&self) -> Name<'_> {
        (&self.schema, &self.table)
    }

    fn is_left(&self, code: PgSqlErrorCode, why: &str) -> Error {
        Error::new(
            code,
            format!("foreign key \"{}\" of table \"{}\" {why} is left NOT VALID", self.name, self.table),
        )
    }
}

/// One that does not hold is left as it is: its rows were there before, and are the user's to put right.
pub fn validate(transactions: &Transactions, relation: Oid, job: &Job) -> Result<()> {
    use PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION;
    let keys = pinned(|| stored::of(relation))?.map(|conversion| conversion.to_validate).unwrap_or_default();
    for oid in keys {
        step(transactions, job, || {
            if let Some(key) = Key::of(oid)? {
                let sql = ddl::validate(key.table(), &key.name);
                match patience::steps(relation, &mut Waited::default(), || as_owner(key.owner, &sql)) {
                    Err(e) if e.code() == ERRCODE_FOREIGN_KEY_VIOLATION => warning(
                        key.is_left(ERRCODE_FOREIGN_KEY_VIOLATION, "does not hold, and")
                            .detail(e.detail_text().unwrap_or(e.message()))
                            .hint(format!("Change or delete such rows, and then: {sql}")),
                    ),
                    other => other?,
                }
            }
            stored::validated(relation, oid)
        })?;
    }
    Ok(())
}

/// Nothing more is done: the cut-over stands, and each foreign key that was not validated is named.
pub fn leave(conversion: &Conversion, name: &str) -> Result<()> {
    use PgSqlErrorCode::ERRCODE_WARNING;
    for oid in &conversion.to_validate {
        if let Some(key) = Key::of(*oid)? {
            let sql = ddl::validate(key.table(), &key.name);
            warning(
                key.is_left(ERRCODE_WARNING, "was not checked, and")
                    .hint(format!("To have it checked: {sql}")),
            );
        }
    }
    if conversion.original == conversion.relation {
        notice(format!("\"{name}\" stays an ordinary table"));
        return stored::forget(conversion.relation);
    }
    notice(format!("\"{name}\" stays partitioned; CALL dbguard.partition_maintain() makes its partitions"));
    stored::finished(conversion.relation)
}
