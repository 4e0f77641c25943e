//! Changes kept back until their statement ends, in the order they were made: a level for each
//! statement within another, whose changes are its own, and for each subtransaction, so that what is
//! rolled back is forgotten with it.

use super::image::Span;
use super::log;
use super::moved;
use super::target::Target;
use crate::error::{Error, Result};
use crate::pg::{moment, statement};
use pgrx::pg_sys::{CommandId, Oid, SubTransactionId};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// One change; its datums lie in the bytes beside it.
pub struct Entry {
    pub target: Rc<Target>,
    /// The relation that holds, or held, the row: the partition.
    pub leaf: Oid,
    /// 0 until it is written.
    pub id: i64,
    pub at: i64,
    /// I, U, D or T
    pub op: u8,
    pub tenant: Option<Span>,
    pub key: Option<Span>,
    pub old_key: Option<Span>,
    pub old: Option<Span>,
    pub new: Option<Span>,
    /// A DELETE that is the first half of a move to another partition.
    pub moves_on: bool,
    /// Of either half of a move: the command that made it.
    pub command: Option<CommandId>,
    /// Of either half: the values of its redacted columns, to see whether they change.
    pub hidden: Option<Vec<u8>>,
}

/// Changes to be written together.
#[derive(Default)]
pub struct Batch {
    pub entries: Vec<Entry>,
    pub bytes: Vec<u8>,
}

struct Level {
    place: Place,
    batch: Batch,
}

/// Who keeps changes back: a statement, in a subtransaction.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    sub: SubTransactionId,
    depth: u32,
}

impl Place {
    fn here() -> Place {
        Place { sub: statement::subtransaction(), depth: moment::depth() }
    }
}

/// As many as one draw of ids is good for.
const MOST_ENTRIES: usize = log::DRAW as usize;
const MOST_BYTES: usize = 1 << 20;

thread_local! {
    // not dropped at exit: the server's memory is gone by then
    static LEVELS: RefCell<ManuallyDrop<Vec<Level>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

/// Adds a change whose datums lie in `bytes`, which begin aligned.
pub fn push(entry: Entry, bytes: &[u8]) -> Result<()> {
    let here = Place::here();
    let seen = moment::end_is_seen();
    let at_once = !seen && !entry.moves_on;
    let due = LEVELS.with_borrow_mut(|levels| {
        let own = top(levels).filter(|top| top.place == here);
        // the halves of a move must meet
        own.is_some_and(|own| own.batch.is_due(seen) && !own.batch.ends_with_half_of(&entry))
    });
    if due {
        flush()?;
    }
    LEVELS.with_borrow_mut(|levels| match own(levels, here) {
        Some(own) => own.batch.add(entry, bytes),
        None => Err(Error::internal("no level to keep a change in")),
    })?;
    if at_once {
        flush()?;
    }
    Ok(())
}

/// Whether the last change kept back here waits for the other half of its move.
pub fn awaits_second_half() -> bool {
    let here = Place::here();
    LEVELS.with_borrow_mut(|levels| {
        let last = top(levels).filter(|top| top.place == here).and_then(|top| top.batch.entries.last());
        last.is_some_and(|entry| entry.moves_on)
    })
}

impl Batch {
    /// Whether it is time to write: enough is kept back, or the end of the statement is not seen.
    fn is_due(&self, end_is_seen: bool) -> bool {
        let full = self.entries.len() >= MOST_ENTRIES || self.bytes.len() >= MOST_BYTES;
        (full || !end_is_seen) && !self.entries.is_empty()
    }

    fn ends_with_half_of(&self, entry: &Entry) -> bool {
        self.entries.last().is_some_and(|before| moved::halves(before, entry))
    }

    fn add(&mut self, mut entry: Entry, bytes: &[u8]) -> Result<()> {
        if self.ends_with_half_of(&entry) {
            if let Some(before) = self.entries.pop() {
                return moved::join(self, before, entry, bytes);
            }
        }
        dbguard_core::jsonb::align(&mut self.bytes);
        let base = self.bytes.len();
        self.bytes
            .try_reserve(bytes.len())
            .map_err(|_| super::image::refused(dbguard_core::jsonb::Refused::OutOfMemory))?;
        self.bytes.extend_from_slice(bytes);
        for span in [&mut entry.tenant, &mut entry.key, &mut entry.old_key, &mut entry.old, &mut entry.new] {
            *span = span.map(|s| s.moved(base));
        }
        self.entries.push(entry);
        Ok(())
    }
}

/// The level of a place where something is changed.
fn own(levels: &mut Vec<Level>, place: Place) -> Option<&mut Level> {
    // one that is done and empty serves again
    match top(levels) {
        Some(top) if top.place == place => {}
        Some(top) if top.batch.entries.is_empty() => top.place = place,
        _ => levels.push(Level { place, batch: Batch::default() }),
    }
    levels.last_mut()
}

/// The innermost level that keeps anything back. One that a subtransaction left empty must not hide
/// what the ones around it keep.
fn top(levels: &mut Vec<Level>) -> Option<&mut Level> {
    while levels.len() > 1 && levels.last().is_some_and(|top| top.batch.entries.is_empty()) {
        levels.pop();
    }
    levels.last_mut()
}

/// Whether anything is kept back.
pub fn pending() -> bool {
    LEVELS.with_borrow_mut(|levels| top(levels).is_some_and(|top| !top.batch.entries.is_empty()))
}

/// Writes what the statement at hand keeps back. What the ones around it do is theirs to write: by the
/// time they end they have told all of it, and who is acting is again who acted.
pub fn flush() -> Result<()> {
    let here = Place::here();
    let batch = LEVELS.with_borrow_mut(|levels| match top(levels) {
        Some(top) if top.place == here => Some(std::mem::take(&mut top.batch)),
        _ => None,
    });
    let Some(mut batch) = batch.filter(|batch| !batch.entries.is_empty()) else { return Ok(()) };
    log::write(&mut batch)?;
    batch.entries.clear();
    batch.bytes.clear();
    // memory for ordinary changes is kept, for a huge one not
    batch.bytes.shrink_to(2 * MOST_BYTES);
    LEVELS.with_borrow_mut(|levels| {
        if let Some(top) = levels.last_mut().filter(|top| top.place == here && top.batch.entries.is_empty()) {
            top.batch = batch;
        }
    });
    Ok(())
}

/// Writes what is left of the current subtransaction and of those that were committed into it.
pub fn flush_all() -> Result<()> {
    let sub = statement::subtransaction();
    let left: Vec<Batch> = LEVELS.with_borrow_mut(|levels| {
        let mine = levels.iter_mut().filter(|level| level.place.sub >= sub);
        mine.map(|level| std::mem::take(&mut level.batch)).collect()
    });
    left.into_iter()
        .filter(|batch| !batch.entries.is_empty())
        .try_for_each(|mut batch| log::write(&mut batch))
}

pub fn subtransaction_aborted(sub: SubTransactionId) {
    LEVELS.with_borrow_mut(|levels| {
        // the subtransactions within it have higher numbers
        while levels.last().is_some_and(|top| top.place.sub >= sub) {
            levels.pop();
        }
    });
}

pub fn transaction_over() {
    LEVELS.with_borrow_mut(|levels| {
        levels.truncate(1);
        if let Some(level) = levels.first_mut() {
            level.batch.entries.clear();
            level.batch.bytes.clear();
            // numbers begin anew with each transaction
            level.place = Place { sub: 0, depth: 0 };
        }
    });
}
