//! A partition copied beside and put in its place.

use super::references::References;
use super::run::{entry, step, Begun, Wanted};
use super::stage::{self, Stage};
use super::still::{self, Before};
use super::survey::Part;
use super::swap::{self, Move};
use super::{build, copy, made, wide};
use crate::ddl::moving as ddl;
use crate::error::{notice, Error, Result};
use crate::partition::blueprint;
use crate::partition::config::{self, Entry};
use crate::partition::patience::Waited;
use crate::pg::procedure::Transactions;
use std::time::Duration;

/// Changes are applied before the swap until no more than so many come in the meantime, or so often.
pub const FEW_CHANGES: i64 = 200;
const ROUNDS: u32 = 20;

pub fn whole(
    transactions: &Transactions,
    wanted: &Wanted,
    begun: &Begun,
    parts: Vec<Part>,
    key: &[ddl::KeyColumn],
) -> Result<()> {
    let Begun { job, set, source, leaves, drop_old, .. } = begun;
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
        drop_old: *drop_old,
    };
    let mut locked = Duration::ZERO;
    for round in 1.. {
        if step(transactions, || copy::catch_up(set, source, &stage, key))? > FEW_CHANGES && round < ROUNDS {
            continue;
        }
        let swapped = step(transactions, || {
            let swapped = swap::swap(&work, &mut waited)?;
            if swapped.is_some() {
                wide::note(set, stage.pieces.iter().filter(|piece| piece.is_wide))?;
            }
            Ok(swapped)
        })?;
        if let Some(time) = swapped {
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
    let note = match begun.drop_old {
        true => "the old partition was dropped".to_owned(),
        false => format!("the old partition is now table \"{}\", for you to drop", stage.old),
    };
    if !begun.is_interim {
        notice(&*note);
    }
    let note = format!("{note}; the table was locked for {} ms", locked.as_millis());
    let entry = Entry { note: Some(note), waited: Some(waited), ..entry(begun) };
    config::log(begun.run, action, "done", entry)
}
