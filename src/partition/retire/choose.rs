//! What is to be done next with a set.

use super::noted::{self, Waiting};
use super::{can_be_concurrent, size, step, Due, Step};
use crate::error::Result;
use crate::partition::lock;
use crate::partition::set::{self, Set};
use pgrx::pg_sys::Oid;

/// What is to be done next with a set; what was begun comes before what is new.
pub enum Next {
    Nothing,
    /// Another session is at it.
    Busy,
    Finalize(Step),
    /// A detached partition that goes by another name now than by this: it is kept.
    Forget(Oid, String),
    Finish(Waiting),
    /// Those that can be dropped without keeping anybody waiting.
    Drop(Vec<Step>),
    /// With whether it can be CONCURRENTLY.
    Detach(Step),
}

/// What a run knows of a set.
pub struct Work {
    pub parent: Oid,
    /// Whether statements can be run that are refused in a transaction block.
    pub top_level: bool,
    /// The set and what is to go of it, as last read.
    pub read: Option<(Set, Vec<Due>)>,
    /// What could not be done in this run.
    pub given_up: Vec<Oid>,
    /// What could not be dropped at once.
    pub with_care: Vec<Oid>,
}

/// Dropped in one transaction, at most.
const BATCH: usize = 20;

/// A partition of more tables and indexes takes too long to drop while others wait for the table.
const MANY: i64 = 50;

/// Looks whether another session has changed the set; reads it anew only then.
pub fn choose(work: &mut Work) -> Result<Next> {
    let parent = work.parent;
    if !lock(parent)? {
        return Ok(Next::Busy);
    }
    let (set, due) = match &mut work.read {
        // what is over by size depends on what others write
        Some((set, due)) if set.retention.most_bytes.is_none() && set.is_current()? => (set, due),
        read => {
            let mut set = set::live(parent)?;
            set.be_no_later_than_now()?;
            let (set, due) = read.insert((set, vec![]));
            *due = super::due(set)?;
            (set, due)
        }
    };
    if noted::is_at_work(parent)? {
        return Ok(Next::Busy);
    }
    let mut pending = noted::pending(parent)?;
    pending.retain(|partition| !work.given_up.contains(partition));
    for partition in set.partitions.iter().filter(|p| pending.contains(&p.oid)) {
        if let Some(step) = step(set, Due { partition: *partition, bytes: None }, false)? {
            return Ok(Next::Finalize(step));
        }
    }
    noted::tidy(set)?;
    if let Some((partition, name)) = noted::renamed(set)? {
        return Ok(Next::Forget(partition, name));
    }
    let mut waiting = noted::due(set)?.into_iter();
    if let Some(waiting) = waiting.find(|waiting| !work.given_up.contains(&waiting.partition.oid)) {
        return Ok(Next::Finish(waiting));
    }
    due.retain(|due| !work.given_up.contains(&due.partition.oid));
    if set.retention.only_drops() {
        let mut batch = vec![];
        for due in due.iter().take(BATCH) {
            let partition = due.partition.oid;
            if work.with_care.contains(&partition) || size::relations(partition)? > MANY {
                break;
            }
            batch.extend(step(set, *due, false)?);
        }
        if !batch.is_empty() {
            return Ok(Next::Drop(batch));
        }
    }
    let concurrently = work.top_level && can_be_concurrent(set)?;
    for next in due.iter() {
        if let Some(step) = step(set, *next, concurrently)? {
            return Ok(Next::Detach(step));
        }
    }
    Ok(Next::Nothing)
}
