//! What a table was at a moment, from what it is and the changes since.
//!
//! Changes come key by key, a key's in the order of their ids. That is the order of transactions; within
//! one, what a statement changed was changed at its time, before what its triggers changed then. A key is a place: at each time a row may sit in
//! it. The changes of a place cut its time into stretches, one for each row that sat there; a change
//! of key ends a stretch here and begins one there. Only rows that changed their key are kept in
//! memory until all places are seen.

use crate::image::overlay;
use std::collections::HashMap;

/// What a change did to the row in the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Insert,
    /// A row came here from another place.
    Arrive,
    Update,
    Delete,
    /// The row went to another place.
    Leave(Vec<u8>),
}

#[derive(Debug, Clone)]
pub struct Event {
    pub id: i64,
    /// The transaction, and the time that tells its statements apart.
    pub statement: (u64, i64),
    pub act: Act,
    /// The image before, of the columns that changed (of all when the row was deleted).
    pub old: Vec<u8>,
}

/// What is known of a row at the moment.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The row that is in `place` now was there, and these columns had other values.
    Changed { place: Vec<u8>, old: Vec<u8> },
    /// The row that is in `place` now was not there.
    New { place: Vec<u8> },
    /// A row that is no longer there, and was last in `place`.
    Gone { place: Vec<u8>, old: Vec<u8> },
}

#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// It was there at the moment.
    There,
    Inserted,
    /// By the change of this id.
    Arrived(i64),
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Stays,
    Deleted,
    /// By the change of this id.
    Left {
        to: Vec<u8>,
        id: i64,
    },
}

#[derive(Debug)]
struct Stretch {
    start: Start,
    started_by: Option<(u64, i64)>,
    end: End,
    /// The values at its start, of the columns that changed in it.
    old: Option<Vec<u8>>,
}

/// A change whose image cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable(pub i64);

/// The changes of one place.
pub struct Place {
    stretches: Vec<Stretch>,
    /// Those of one transaction, until all of them are there.
    pending: Vec<Event>,
    /// Whether two rows may have one key for a while.
    deferrable: bool,
}

impl Place {
    pub fn new(deferrable: bool) -> Self {
        Place { stretches: vec![], pending: vec![], deferrable }
    }

    /// Takes the next change by id.
    pub fn apply(&mut self, event: Event) -> Result<(), Unreadable> {
        if self.pending.last().is_some_and(|last| last.statement.0 != event.statement.0) {
            self.settle()?;
        }
        self.pending.push(event);
        Ok(())
    }

    /// All changes of the place are there.
    pub fn done(mut self) -> Result<Stretches, Unreadable> {
        self.settle()?;
        Ok(Stretches(self.stretches))
    }

    fn settle(&mut self) -> Result<(), Unreadable> {
        let mut events = std::mem::take(&mut self.pending);
        events.sort_by_key(|e| (e.statement, e.id));
        events.into_iter().try_for_each(|event| self.change(event))
    }

    fn change(&mut self, event: Event) -> Result<(), Unreadable> {
        let start = match event.act {
            Act::Insert => Some(Start::Inserted),
            Act::Arrive => Some(Start::Arrived(event.id)),
            _ => None,
        };
        if let Some(start) = start {
            let started_by = Some(event.statement);
            self.stretches.push(Stretch { start, started_by, end: End::Stays, old: None });
            return Ok(());
        }
        let i = self.row_of(&event);
        let stretch = &mut self.stretches[i];
        stretch.old = Some(match &stretch.old {
            None => event.old,
            Some(first) => overlay(first, &event.old).ok_or(Unreadable(event.id))?,
        });
        match event.act {
            Act::Delete => stretch.end = End::Deleted,
            Act::Leave(to) => stretch.end = End::Left { to, id: event.id },
            _ => {}
        }
        Ok(())
    }

    /// Which row the event changed.
    fn row_of(&mut self, event: &Event) -> usize {
        let open = |s: &Stretch| s.end == End::Stays && !self.came_with(s, event);
        if let Some(i) = self.stretches.iter().position(open) {
            return i;
        }
        // one nobody has touched since the moment; but not if the first thing that happened here was
        // that a row came: then the log has a gap, and what was there at the moment is not known
        let untouched = self.stretches.iter().all(|s| self.came_with(s, event));
        let start = if untouched { Start::There } else { Start::Inserted };
        self.stretches.push(Stretch { start, started_by: None, end: End::Stays, old: None });
        self.stretches.len() - 1
    }

    /// Whether the row came by the same act the event is a part of, so that it cannot be the one the
    /// event changed. Only where keys are checked late can one row come before the other has gone:
    /// in one statement, or when rows swap their keys in one transaction.
    fn came_with(&self, stretch: &Stretch, event: &Event) -> bool {
        let swap = matches!((&stretch.start, &event.act), (Start::Arrived(_), Act::Leave(_)));
        self.deferrable
            && stretch.started_by.is_some_and(|(xact, at)| {
                (xact, at) == event.statement || (swap && xact == event.statement.0)
            })
    }
}

/// The rows that were in one place, one after the other.
pub struct Stretches(Vec<Stretch>);

impl Stretches {
    /// Whether nothing happened there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Puts the stretches of all places together.
#[derive(Default)]
pub struct Rewind {
    arrived: HashMap<i64, Stretch>,
    left: Vec<(bool, Vec<u8>, Vec<u8>, i64)>,
}

impl Rewind {
    /// A place of which all changes are known. `emit` takes what is certain already.
    pub fn add<E>(
        &mut self,
        key: &[u8],
        place: Stretches,
        emit: &mut impl FnMut(Found) -> Result<(), E>,
    ) -> Result<(), E> {
        for stretch in place.0 {
            let was_there = match stretch.start {
                Start::Arrived(id) => {
                    self.arrived.insert(id, stretch);
                    continue;
                }
                Start::There => true,
                Start::Inserted => false,
            };
            match stretch.end {
                End::Left { to, id } => self.left.push((was_there, stretch.old.unwrap_or_default(), to, id)),
                end => found(was_there, key, end == End::Stays, stretch.old, emit)?,
            }
        }
        Ok(())
    }

    /// The same for a place of which only the row matters that was there at the moment.
    pub fn add_row_there<E>(
        &mut self,
        key: &[u8],
        mut place: Stretches,
        emit: &mut impl FnMut(Found) -> Result<(), E>,
    ) -> Result<(), E> {
        place.0.retain(|s| s.start == Start::There);
        self.add(key, place, emit)
    }

    /// The same for a place of which only the rows matter that came from another.
    pub fn add_arrivals(&mut self, place: Stretches) {
        for stretch in place.0 {
            if let Start::Arrived(id) = stretch.start {
                self.arrived.insert(id, stretch);
            }
        }
    }

    /// Whether the place is known to which this change took a row.
    pub fn knows(&self, id: i64) -> bool {
        self.arrived.contains_key(&id)
    }

    /// The next place a row went to that is not known, and the change that took it there.
    pub fn next(&self) -> Option<(&[u8], i64)> {
        self.left.iter().find_map(|(_, _, to, id)| {
            let (mut to, mut id) = (to, id);
            while let Some(stretch) = self.arrived.get(id) {
                let End::Left { to: further, id: by } = &stretch.end else { return None };
                (to, id) = (further, by);
            }
            Some((to.as_slice(), *id))
        })
    }

    /// Follows the rows that changed their key to where they are now.
    pub fn finish<E: From<Unreadable>>(
        mut self,
        emit: &mut impl FnMut(Found) -> Result<(), E>,
    ) -> Result<(), E> {
        for (was_there, mut old, mut place, mut id) in self.left {
            while let Some(stretch) = self.arrived.remove(&id) {
                if let Some(later) = &stretch.old {
                    old = overlay(&old, later).ok_or(Unreadable(id))?;
                }
                match stretch.end {
                    End::Left { to, id: next } => (place, id) = (to, next),
                    end => {
                        found(was_there, &place, end == End::Stays, Some(old), emit)?;
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

fn found<E>(
    was_there: bool,
    key: &[u8],
    stays: bool,
    old: Option<Vec<u8>>,
    emit: &mut impl FnMut(Found) -> Result<(), E>,
) -> Result<(), E> {
    let place = key.to_vec();
    match (was_there, stays) {
        (true, true) => emit(Found::Changed { place, old: old.unwrap_or_default() }),
        (true, false) => emit(Found::Gone { place, old: old.unwrap_or_default() }),
        (false, true) => emit(Found::New { place }),
        (false, false) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
