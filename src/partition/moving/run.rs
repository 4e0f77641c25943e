//! A move from beginning to end: many transactions, each of which leaves what the next call takes back or
//! `partition_drain_cancel` removes.

use super::source::{self, Leaf, Source};
use super::survey::{self, Part};
use super::way::{copying_key, way, Way};
use super::whole::whole;
use super::{few, find, leftover, old, rounds, wide, MOST_OF_ALL};
use crate::ddl::moving as ddl;
use crate::error::{notice, Error, Result};
use crate::partition::config::{self, Entry};
use crate::partition::job::{self, Job, Kind};
use crate::partition::patience::Waited;
use crate::partition::set::Set;
use crate::partition::{blueprint, busy, lock, make, pinned, set, writable};
use crate::pg::procedure::Transactions;
use crate::pg::subxact::interruptible;
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
    /// The same with a partition that was made on the way as its source.
    fn with(&self, partition: Oid) -> Result<Begun> {
        let set = set::live(self.set.parent)?;
        let source = source::partition(&set, partition)?;
        let leaves = source.leaves()?;
        source::check(&set, &source, &leaves)?;
        notice(format!("\"{}\" is divided", source.name));
        let job = self.job.quietly();
        Ok(Begun { run: self.run, job, set, source, leaves, drop_old: true, is_interim: true })
    }
}

pub fn run(transactions: &Transactions, wanted: &Wanted) -> Result<()> {
    writable(wanted.procedure())?;
    let Some(begun) = pinned(|| begin(wanted))? else { return Ok(()) };
    transactions.commit();
    let Err(error) = work(transactions, wanted, &begun) else {
        return step(transactions, || begun.job.end());
    };
    if let Err(e) = end(transactions, wanted, &begun, &error) {
        notice(format!("what was begun could not be ended: {}", e.message()));
    }
    Err(error)
}

fn begin(wanted: &Wanted) -> Result<Option<Begun>> {
    let table = crate::catalog::own_table(wanted.parent)?;
    let (set, source) = find(wanted.parent, wanted.partition)?;
    let wide = wide::left(wanted.parent)?;
    let source = match (source, wide.first()) {
        (Some(source), _) => source,
        (None, Some((first, _))) => source::partition(&set, *first)?,
        (None, None) => {
            notice(format!("\"{}\" has no default partition", set.name));
            return Ok(None);
        }
    };
    let is_interim = wide.iter().any(|(oid, _)| *oid == source.oid);
    let leaves = source.leaves()?;
    source::check(&set, &source, &leaves)?;
    let job = job::begin(wanted.parent, &table, wanted.kind().0)?;
    if leftover::take_back(&table)? {
        notice(format!("what was left of an earlier move of rows of \"{}\" was taken back", set.name));
    }
    let (run, drop_old) = (config::begin_run()?, wanted.drop_old);
    Ok(Some(Begun { run, job, set, source, leaves, drop_old, is_interim }))
}

/// After an error: takes back what can be, and leaves the rest to the next call. Who cancels does not wait for that.
fn end(transactions: &Transactions, wanted: &Wanted, begun: &Begun, error: &Error) -> Result<()> {
    let cancelled = error.ends_the_statement();
    let taken_back = match cancelled {
        true => Ok(()),
        false => step(transactions, || leftover::remove_copies(wanted.parent))
            .and_then(|()| step(transactions, || leftover::release(wanted.parent))),
    };
    step(transactions, || {
        match &taken_back {
            Ok(()) if cancelled => begun.job.leave()?,
            Ok(()) => begun.job.end()?,
            Err(e) => {
                notice(format!("what was begun could not be taken back yet: {}", e.message()));
                begun.job.leave()?;
            }
        }
        let wide = wide::left(wanted.parent)?.len();
        if wide > 0 {
            let call = ddl::drain((&begun.set.schema, &begun.set.name), None);
            notice(format!("what was moved stays; {wide} partitions are still to be divided: {call}"));
        }
        if cancelled {
            return Ok(());
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

/// One transaction of the move; an error leaves nothing of it. A cancel comes back as one.
pub fn step<T>(transactions: &Transactions, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = pinned(|| interruptible(f));
    transactions.commit();
    done
}

/// The source first: the partitions made on the way are divided faster beside an empty default partition.
fn work(transactions: &Transactions, wanted: &Wanted, begun: &Begun) -> Result<()> {
    if !begun.is_interim {
        anew(transactions, wanted, begun)?;
    }
    while let Some((wide, _)) = step(transactions, || Ok(wide::left(wanted.parent)?.into_iter().next()))? {
        divide(transactions, wanted, begun, wide)?;
    }
    Ok(())
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
            if let Some(note) = step(transactions, || rounds::note(set, source, &parts))? {
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

/// The whole partition copied beside and put in its place.
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
    let parts = step(transactions, || rounds::next(&begun.set, &begun.source, parts))?;
    whole(transactions, wanted, begun, parts, key)
}

/// A partition that was made on the way replaced by those of the grid. A move of its own: what is done stays if a later
/// one ends with an error.
fn divide(transactions: &Transactions, wanted: &Wanted, begun: &Begun, partition: Oid) -> Result<()> {
    let interim = step(transactions, || begun.with(partition))?;
    let Begun { set, source, .. } = &interim;
    let parts = step(transactions, || survey::parts(set, source, MOST_OF_ALL))?;
    if !survey::is_done(source, &parts) {
        let key = step(transactions, || copying_key(set, source))?;
        by_copying(transactions, wanted, &interim, parts, &key)?;
    }
    step(transactions, || wide::done(wanted.parent, partition))
}
