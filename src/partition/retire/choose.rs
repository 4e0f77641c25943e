//! What is to be done next with a set.

use super::noted::{self, Waiting};
use super::{can_be_concurrent, due, step, Due, Step};
use crate::error::Result;
use crate::partition::lock;
use crate::partition::set::{self, Set};
use pgrx::pg_sys::Oid;

/// What is to be done next with a set; what was begun comes before what is new.
pub enum Todo {
    Nothing,
    /// Another session is at it.
    Busy,
    Finalize(Step),
    Finish(Waiting),
    /// With whether it can be CONCURRENTLY.
    Detach(Step, bool),
}

/// A set and what is to go of it.
pub struct Work {
    pub set: Set,
    due: Vec<Due>,
}

/// Looks whether another session has changed the set; reads it anew only then.
pub fn choose(parent: Oid, work: &mut Option<Work>, given_up: &[Oid], top_level: bool) -> Result<Todo> {
    if !lock(parent)? {
        return Ok(Todo::Busy);
    }
    let Work { set, due } = match work {
        Some(work) if work.set.is_current()? => work,
        _ => {
            let set = set::live(parent)?;
            work.insert(Work { due: due(&set)?, set })
        }
    };
    if noted::is_at_work(parent)? {
        return Ok(Todo::Busy);
    }
    let mut pending = noted::pending(parent)?;
    pending.retain(|partition| !given_up.contains(partition));
    for partition in set.partitions.iter().filter(|p| pending.contains(&p.oid)) {
        if let Some(step) = step(set, Due { partition: *partition, bytes: None }, false)? {
            return Ok(Todo::Finalize(step));
        }
    }
    noted::tidy(set)?;
    if let Some(waiting) = noted::due(set, given_up)? {
        return Ok(Todo::Finish(waiting));
    }
    let concurrently = top_level && can_be_concurrent(set)?;
    while let Some(next) = due.first().copied() {
        due.remove(0);
        if let (false, Some(step)) = (given_up.contains(&next.partition.oid), step(set, next, concurrently)?)
        {
            return Ok(Todo::Detach(step, concurrently));
        }
    }
    Ok(Todo::Nothing)
}
