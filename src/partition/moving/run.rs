//! A move from beginning to end: many transactions, each of which leaves what the next call takes back or
//! `partition_drain_cancel` removes.

use super::references::References;
use super::source::{self, Leaf, Source};
use super::stage::{self, Stage};
use super::still::{self, Before};
use super::survey::{self, Part};
use super::swap::{self, Move};
use super::way::{way, Way};
use super::{build, copy, few, find, leftover, lock_time, made, old};
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
use std::time::Duration;

/// Changes are applied before the swap until no more than so many come in the meantime, or so often.
pub const FEW_CHANGES: i64 = 200;
const ROUNDS: u32 = 20;

/// The arguments of a call.
pub struct Wanted {
    pub parent: Oid,
    /// None: the default partition.
    pub partition: Option<Oid>,
    pub most: u32,
    pub drop_old: bool,
}

impl Wanted {
    fn kind(&self) -> (Kind, &'static str) {
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
struct Begun {
    run: i64,
    job: Job,
    set: Set,
    source: Source,
    leaves: Vec<Leaf>,
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
    Ok(Some(Begun { run: config::begin_run()?, job, set, source, leaves }))
}

/// After an error: takes back what can be, and leaves the rest to the next call.
fn end(transactions: &Transactions, wanted: &Wanted, begun: &Begun, error: &Error) -> Result<()> {
    let taken_back = step(transactions, || leftover::remove_copies(wanted.parent))
        .and_then(|()| step(transactions, || leftover::release(wanted.parent)));
    step(transactions, || {
        match &taken_back {
            Ok(()) => begun.job.end()?,
            Err(e) => {
                notice(format!("what was begun could not be taken back yet: {}", e.message()));
                begun.job.leave()?;
            }
        }
        let entry = Entry { error: Some(error), ..entry(begun) };
        config::log(begun.run, wanted.kind().1, "failed", entry)
    })
}

fn entry(begun: &Begun) -> Entry<'_> {
    Entry {
        schema: Some(&begun.set.schema),
        table: Some(&begun.set.name),
        partition: Some(&begun.source.name),
        ..Entry::default()
    }
}

/// One transaction of the move; an error leaves nothing of it.
fn step<T>(transactions: &Transactions, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = pinned(|| subtransaction(f));
    transactions.commit();
    done
}

fn work(transactions: &Transactions, wanted: &Wanted, begun: &Begun) -> Result<()> {
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
            if wanted.drop_old {
                step(transactions, || old::can_be_dropped(source))?;
            }
            if let Some(warning) = lock_time::warning(set, source, &parts) {
                notice(warning);
            }
            whole(transactions, wanted, begun, parts, &key)?;
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

/// The whole partition copied beside, and put in its place.
fn whole(
    transactions: &Transactions,
    wanted: &Wanted,
    begun: &Begun,
    parts: Vec<Part>,
    key: &[ddl::KeyColumn],
) -> Result<()> {
    let Begun { job, set, source, leaves, .. } = begun;
    let rows = parts.iter().map(|part| part.rows).sum();
    let (stage, parent, keys) = step(transactions, || {
        job.phase("copying", Some(rows))?;
        let as_it_is = still::of_parent(set)?;
        let parent = blueprint::of(set)?;
        let stage = stage::plan(set, &parent, source, parts)?;
        build::make(set, &parent, source, &stage, key)?;
        Ok((stage, as_it_is, made::version(set, &made::KEYS)?))
    })?;
    let mut references = References::default();
    for piece in &stage.pieces {
        step(transactions, || references.add(set, piece))?;
    }
    let mut noting = vec![];
    for leaf in leaves {
        noting.push(step(transactions, || {
            build::capture(set, &stage, leaf, key)?;
            still::noting(leaf)
        })?);
    }
    for leaf in leaves {
        let pages = step(transactions, || copy::pages(leaf))?;
        let mut page = 0;
        while page < pages {
            step(transactions, || job.advance(copy::pages_from(set, source, &stage, leaf, page)?))?;
            page += copy::PAGES;
        }
    }
    step(transactions, || {
        job.phase("indexing", Some(rows))?;
        copy::remove_noted(set, &stage, key)
    })?;
    for piece in &stage.pieces {
        step(transactions, || {
            copy::index(set, &stage, piece)?;
            job.advance(piece.rows)
        })?;
    }
    let pieces = step(transactions, || made::version(set, &made::PIECES))?;
    let before = Before { parent, noting, keys, pieces };
    step(transactions, || job.phase("swapping", None))?;
    let mut waited = Waited::default();
    let work = Move {
        set,
        source,
        leaves,
        before: &before,
        references: &references,
        key,
        stage: &stage,
        drop_old: wanted.drop_old,
    };
    let mut locked = Duration::ZERO;
    for round in 1.. {
        if step(transactions, || copy::catch_up(set, source, &stage, key))? > FEW_CHANGES && round < ROUNDS {
            continue;
        }
        if let Some(time) = step(transactions, || swap::swap(&work, &mut waited))? {
            locked = time;
            break;
        }
        if round >= 2 * ROUNDS {
            return Err(Error::not_in_state(format!(
                "rows of \"{}\" change faster than they are copied",
                source.name
            ))
            .hint("Call the procedure again when less is written."));
        }
    }
    step(transactions, || log(wanted, begun, &stage, &waited, locked))
}

fn log(wanted: &Wanted, begun: &Begun, stage: &Stage, waited: &Waited, locked: Duration) -> Result<()> {
    let action = wanted.kind().1;
    for piece in &stage.pieces {
        let (lower, upper) = (piece.lower.as_deref(), piece.upper.as_deref());
        let note = Some(format!("rows moved: {}", piece.rows));
        let entry = Entry { partition: Some(&piece.partition), lower, upper, note, ..entry(begun) };
        config::log(begun.run, action, "done", entry)?;
    }
    let note = match wanted.drop_old {
        true => "the old partition was dropped".to_owned(),
        false => format!("the old partition is now table \"{}\", for you to drop", stage.old),
    };
    notice(&*note);
    let note = format!("{note}; the table was locked for {} ms", locked.as_millis());
    let entry = Entry { note: Some(note), waited: Some(waited), ..entry(begun) };
    config::log(begun.run, action, "done", entry)
}
