//! A move from beginning to end: many transactions, each of which leaves what the next call takes back or
//! `partition_drain_cancel` removes.

use super::source::{self, Leaf, Source};
use super::survey::{self, Part};
use super::way::{way, Way};
use super::whole::whole;
use super::{few, find, leftover, old, rounds, MOST_OF_ALL};
use crate::ddl::moving as ddl;
use crate::error::{notice, Error, Result};
use crate::partition::config::{self, Entry};
use crate::partition::job::{self, Job, Kind};
use crate::partition::patience::Waited;
use crate::partition::set::Set;
use crate::partition::{blueprint, busy, lock, make, pinned, set, writable};
use crate::pg::procedure::Transactions;
use crate::pg::subxact::subtransaction;
use dbguard_core::partition::Range;
use pgrx::pg_sys::Oid;

/// The arguments of a call.
pub struct Wanted {
    pub parent: Oid,
    /// None: the default partition.
    pub partition: Option<Oid>,
    pub most: u32,
    pub drop_old: bool,
}

impl Wanted {
    pub fn kind(&self) -> (Kind, &'static str) {
        match self.partition {
            None => (Kind::Drain, "drain"),
            Some(_) => (Kind::Regrain, "regrain"),
        }
    }

    fn procedure(&self) -> &'static str {
        match self.partition {
            None => "partition_drain",
            Some(_) => "partition_regrain",
        }
    }
}

/// What was begun.
pub struct Begun {
    pub run: i64,
    pub job: Job,
    pub set: Set,
    pub source: Source,
    pub leaves: Vec<Leaf>,
    pub drop_old: bool,
    /// The source was made on the way, to be divided.
    pub is_interim: bool,
}

impl Begun {
    /// The same with a partition made on the way as its source, or with what else is a partition now.
    fn with(&self, partition: Oid, is_interim: bool) -> Result<Begun> {
        let set = set::live(self.set.parent)?;
        let source = source::partition(&set, partition)?;
        let leaves = source.leaves()?;
        source::check(&set, &source, &leaves)?;
        let drop_old = is_interim || self.drop_old;
        Ok(Begun { run: self.run, job: self.job.clone(), set, source, leaves, drop_old, is_interim })
    }
}

pub fn run(transactions: &Transactions, wanted: &Wanted) -> Result<()> {
    writable(wanted.procedure())?;
    let Some(begun) = pinned(|| begin(wanted))? else { return Ok(()) };
    transactions.commit();
    let done = work(transactions, wanted, &begun);
    let ended = match &done {
        Ok(()) => step(transactions, || begun.job.end()),
        Err(error) => end(transactions, wanted, &begun, error),
    };
    done.and(ended)
}

fn begin(wanted: &Wanted) -> Result<Option<Begun>> {
    let table = crate::catalog::own_table(wanted.parent)?;
    let (set, source) = find(wanted.parent, wanted.partition)?;
    let Some(source) = source else {
        notice(format!("\"{}\" has no default partition", set.name));
        return Ok(None);
    };
    let leaves = source.leaves()?;
    source::check(&set, &source, &leaves)?;
    let job = job::begin(wanted.parent, &table, wanted.kind().0)?;
    if leftover::take_back(&table)? {
        notice(format!("what was left of an earlier move of rows of \"{}\" was taken back", set.name));
    }
    let (run, drop_old) = (config::begin_run()?, wanted.drop_old);
    Ok(Some(Begun { run, job, set, source, leaves, drop_old, is_interim: false }))
}

/// After an error: takes back what can be, and leaves the rest to the next call.
fn end(transactions: &Transactions, wanted: &Wanted, begun: &Begun, error: &Error) -> Result<()> {
    let taken_back = step(transactions, || leftover::remove_copies(wanted.parent))
        .and_then(|()| step(transactions, || leftover::release(wanted.parent)));
    step(transactions, || {
        match &taken_back {
            Ok(()) if begun.job.made()?.is_empty() => begun.job.end()?,
            Ok(()) => {
                notice("what is moved stays; the next call goes on");
                begun.job.leave()?;
            }
            Err(e) => {
                notice(format!("what was begun could not be taken back yet: {}", e.message()));
                begun.job.leave()?;
            }
        }
        let entry = Entry { error: Some(error), ..entry(begun) };
        config::log(begun.run, wanted.kind().1, "failed", entry)
    })
}

pub fn entry(begun: &Begun) -> Entry<'_> {
    Entry {
        schema: Some(&begun.set.schema),
        table: Some(&begun.set.name),
        partition: Some(&begun.source.name),
        ..Entry::default()
    }
}

/// One transaction of the move; an error leaves nothing of it.
pub fn step<T>(transactions: &Transactions, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = pinned(|| subtransaction(f));
    transactions.commit();
    done
}

fn work(transactions: &Transactions, wanted: &Wanted, begun: &Begun) -> Result<()> {
    let left = step(transactions, || begun.job.made())?;
    if left.is_empty() {
        return anew(transactions, wanted, begun);
    }
    for name in &left {
        notice(format!("\"{name}\", left by an earlier call, is divided"));
        divide(transactions, wanted, begun, name)?;
    }
    if left.contains(&begun.source.name) {
        return Ok(());
    }
    let begun = step(transactions, || begun.with(begun.source.oid, false))?;
    anew(transactions, wanted, &begun)
}

fn anew(transactions: &Transactions, wanted: &Wanted, begun: &Begun) -> Result<()> {
    let Begun { job, set, source, .. } = begun;
    step(transactions, || job.phase("counting", None))?;
    let parts = step(transactions, || survey::parts(set, source, wanted.most))?;
    let moved: i64 = parts.iter().filter(|part| part.is_cell()).map(|part| part.rows).sum();
    let left: i64 = parts.iter().filter(|part| !part.is_cell()).map(|part| part.rows).sum();
    if survey::is_done(source, &parts) {
        notice(format!("no row of \"{}\" belongs to another partition", source.name));
        return Ok(());
    }
    let way = step(transactions, || way(set, source, &parts))?;
    match way {
        Way::Few => {
            step(transactions, || job.phase("copying", Some(moved)))?;
            for part in &parts {
                let Some(range) = part.range else { continue };
                step(transactions, || one_by_one(begun, range, part.rows))?;
            }
        }
        Way::Copy(key) => {
            if let Some(note) = rounds::note(set, source, &parts) {
                notice(note);
            }
            by_copying(transactions, wanted, begun, parts, &key)?;
        }
    }
    notice(format!("{moved} rows were moved out of \"{}\", {left} were left", source.name));
    Ok(())
}

/// A range whose rows are few.
fn one_by_one(begun: &Begun, range: Range, rows: i64) -> Result<()> {
    if !lock(begun.set.parent)? {
        return Err(busy(&begun.set.name));
    }
    let set = set::live(begun.set.parent)?;
    let parent = blueprint::of(&set)?;
    let made = make::step(&set, &parent, range, &[])?;
    let mut waited = Waited::default();
    few::carry(&set, &parent, &begun.source, &made, &mut waited)?;
    begun.job.advance(rows)?;
    let entry = Entry {
        partition: Some(&made.name),
        lower: Some(&made.lower),
        upper: Some(&made.upper),
        note: Some(format!("rows moved: {rows}")),
        waited: Some(&waited),
        ..entry(begun)
    };
    config::log(begun.run, "drain", "done", entry)
}

/// The whole partition copied beside and put in its place, and so with those that are wider than the grid after that.
/// Each is a move of its own: what is done stays if a later one ends with an error.
fn by_copying(
    transactions: &Transactions,
    wanted: &Wanted,
    begun: &Begun,
    parts: Vec<Part>,
    key: &[ddl::KeyColumn],
) -> Result<()> {
    if begun.drop_old {
        step(transactions, || {
            old::can_be_dropped(&begun.source).map_err(|e| match begun.is_interim {
                true => e.hint("Drop them and call the procedure again."),
                false => e,
            })
        })?;
    }
    let parts = rounds::next(&begun.set, parts);
    for wide in whole(transactions, wanted, begun, parts, key)? {
        divide(transactions, wanted, begun, &wide)?;
    }
    Ok(())
}

/// A partition that was made on the way replaced by those of the grid, if it is still there.
fn divide(transactions: &Transactions, wanted: &Wanted, begun: &Begun, name: &str) -> Result<()> {
    let found = step(transactions, || match partition_of(&begun.set, name)? {
        Some(partition) => begun.with(partition, true).map(Some),
        None => Ok(None),
    })?;
    if let Some(interim) = found {
        let Begun { set, source, .. } = &interim;
        let parts = step(transactions, || survey::parts(set, source, MOST_OF_ALL))?;
        if !survey::is_done(source, &parts) {
            match step(transactions, || way(set, source, &parts))? {
                Way::Copy(key) => by_copying(transactions, wanted, &interim, parts, &key)?,
                Way::Few => {
                    return Err(Error::internal("a range that is moved like the default partition's"))
                }
            }
        }
    }
    step(transactions, || begun.job.unmade(name))
}

/// A partition by name. As a write, to see what another session has just done.
fn partition_of(set: &Set, name: &str) -> Result<Option<Oid>> {
    const PARTITION: &str = "
        SELECT c.oid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhparent = $1 AND n.nspname = $2 AND c.relname = $3";
    let args = [set.parent.into(), set.schema.as_str().into(), name.into()];
    Ok(source::rows(PARTITION, &args, |row| Ok(row.get::<Oid>(1)?))?.into_iter().flatten().next())
}
