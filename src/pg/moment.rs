//! Statements within statements, and when their changes were made.

use super::trigger::TriggerCall;
use pgrx::pg_sys;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ptr::NonNull;

/// A statement whose end we see.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Frame {
    /// How many such statements it is in, itself included.
    depth: u32,
    /// When its changes were made; 0 until it is asked.
    at: i64,
    /// Of a COPY: the memory context it was called in.
    copy: Option<NonNull<pg_sys::MemoryContextData>>,
}

/// Changes that a statement did not make itself but had a query of the server's make for it (a
/// referential action): that one fires no triggers, they are left to the statement.
#[derive(Clone, Copy)]
struct Action {
    command: pg_sys::CommandId,
    at: i64,
}

thread_local! {
    static FRAME: Cell<Frame> = const { Cell::new(Frame { depth: 0, at: 0, copy: None }) };
    /// Those that are open, innermost last, each with the statement it began in.
    static SUBTRANSACTIONS: RefCell<Vec<(pg_sys::SubTransactionId, Frame)>> = const { RefCell::new(Vec::new()) };
    /// The last time given out: each statement gets a later one.
    static LAST: Cell<i64> = const { Cell::new(0) };
    /// A statement whose end we do not see: when it started, its command, and the time it was given.
    static UNSEEN: Cell<(i64, pg_sys::CommandId, i64)> = const { Cell::new((0, 0, 0)) };
    /// By command, since the outermost statement began to fire its triggers.
    static ACTIONS: RefCell<Vec<Action>> = const { RefCell::new(Vec::new()) };
    /// By command, when it changed a row that the same transaction had made. The server, too, remembers each such
    /// command until the end of the transaction (combo command ids).
    static AGAIN: RefCell<BTreeMap<pg_sys::CommandId, i64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Whether the end of the statement that fires triggers now will be seen. It is not when this very
/// statement loaded the library, nor in a worker that applies replicated changes.
pub fn end_is_seen() -> bool {
    FRAME.get().depth > 0
}

/// How deep the statement that fires triggers now lies within others; 0 if its end is not seen.
pub fn depth() -> u32 {
    FRAME.get().depth
}

/// When a change was made that a trigger fires for now: microseconds since 2000-01-01 UTC, the same
/// for all changes of one command, later than any given before. All its rows are locked by now, so that
/// the times of one row's changes are in their order across sessions.
///
/// A statement in the middle of this one may have changed the row again while this one was at work. Then the change
/// comes right before that one's.
pub fn time_of(change: &TriggerCall) -> i64 {
    let settled = settled(change);
    let again = change.changed_again_by().and_then(|by| AGAIN.with_borrow(|all| all.get(&by).copied()));
    let at = match (settled, again) {
        (Some(at), again) if again.is_none_or(|again| at < again) => at,
        (_, Some(again)) => again - 1,
        _ if end_is_seen() => own_time(),
        _ => unseen_time(change.command()),
    };
    if change.changes_again() {
        AGAIN.with_borrow_mut(|all| {
            *all.entry(change.command()).and_modify(|then| *then = at.min(*then)).or_insert(at)
        });
    }
    at
}

/// The time of the command that made a change, if it has one yet.
fn settled(change: &TriggerCall) -> Option<i64> {
    let frame = FRAME.get();
    let own = || (frame.at != 0).then_some(frame.at);
    if frame.depth > 0 && ACTIONS.with_borrow(Vec::is_empty) {
        return own();
    }
    let command = change.command();
    let action = ACTIONS.with_borrow(|actions| {
        actions.binary_search_by_key(&command, |action| action.command).ok().map(|i| actions[i].at)
    });
    action.or_else(|| if frame.depth > 0 { own() } else { unseen(command) })
}

/// The time of something that happens now, within whatever statement.
pub fn time_of_this() -> i64 {
    settle_outer();
    tick()
}

/// The time of the statement's own changes.
fn own_time() -> i64 {
    let frame = FRAME.get();
    let at = if frame.at == 0 { tick() } else { frame.at };
    FRAME.set(Frame { at, ..frame });
    at
}

/// The time that a statement whose end is not seen was given.
fn unseen(command: pg_sys::CommandId) -> Option<i64> {
    let (started, of, at) = UNSEEN.get();
    ((started, of) == (statement_start(), command)).then_some(at)
}

fn unseen_time(command: pg_sys::CommandId) -> i64 {
    let at = tick();
    UNSEEN.set((statement_start(), command, at));
    at
}

fn statement_start() -> i64 {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetCurrentStatementStartTimestamp() }
}

/// What the statement at hand has changed was changed before what comes now: its time is the earlier
/// one, also for those of its triggers that are still to come. A COPY that still takes in rows comes later.
fn settle_outer() {
    let frame = FRAME.get();
    if frame.depth > 0 && frame.at == 0 && frame.copy.is_none_or(fires_triggers) {
        own_time();
    }
}

/// Whether a COPY has all its rows and fires its AFTER triggers. There is no hook for that, but the server
/// calls them in a memory context of this name, made in the one that the COPY was called in, and deletes it after.
fn fires_triggers(copy: NonNull<pg_sys::MemoryContextData>) -> bool {
    const TRIGGERS: &CStr = c"AfterTriggerTupleContext";
    // SAFETY: the context outlives the COPY, and its children are linked to it; each has a name.
    unsafe {
        let mut child = copy.as_ref().firstchild;
        while !child.is_null() && CStr::from_ptr((*child).name) != TRIGGERS {
            child = (*child).nextchild;
        }
        !child.is_null()
    }
}

/// There is room for one before it.
fn tick() -> i64 {
    let at = super::xact::clock().max(LAST.get() + 2);
    LAST.set(at);
    at
}

/// A statement begins to fire its triggers. The one around it is to be given to `leave`.
pub(super) fn enter() -> Frame {
    settle_outer();
    let outer = FRAME.get();
    FRAME.set(Frame { depth: outer.depth + 1, at: 0, copy: None });
    outer
}

/// A COPY begins: it takes in its rows, with triggers and defaults of theirs, before it fires those that come after.
pub(super) fn enter_copy() -> Frame {
    let outer = enter();
    // SAFETY: reads a variable of the backend.
    let context = unsafe { pg_sys::CurrentMemoryContext };
    FRAME.set(Frame { copy: NonNull::new(context), ..FRAME.get() });
    outer
}

/// It has fired them all.
pub(super) fn leave(outer: Frame) {
    FRAME.set(outer);
    if outer.depth == 0 {
        forget_actions();
    }
}

/// An error leaps over statements that have entered and not left, and ends the subtransaction they are in: then
/// the one at hand is the one of its beginning.
pub(super) fn subtransaction_begins(sub: pg_sys::SubTransactionId) {
    SUBTRANSACTIONS.with_borrow_mut(|all| all.push((sub, FRAME.get())));
}

pub(super) fn subtransaction_ends(sub: pg_sys::SubTransactionId, aborted: bool) {
    let mut then = Frame::default();
    SUBTRANSACTIONS.with_borrow_mut(|all| {
        while let Some((_, frame)) = all.pop_if(|(other, _)| *other >= sub) {
            then = frame;
        }
    });
    // a time that it was given meanwhile it keeps
    if aborted && FRAME.get().depth != then.depth {
        leave(then);
    }
}

pub(super) fn transaction_ends() {
    SUBTRANSACTIONS.with_borrow_mut(Vec::clear);
    AGAIN.with_borrow_mut(BTreeMap::clear);
    leave(Frame::default());
}

fn forget_actions() {
    // memory for ordinary statements is kept, for a huge one not
    ACTIONS.with_borrow_mut(|actions| {
        actions.clear();
        actions.shrink_to(1024);
    });
}

/// Remembers when a query was done whose triggers the statement around it will fire.
pub(super) fn note_action(command: pg_sys::CommandId) {
    settle_outer();
    let at = tick();
    ACTIONS.with_borrow_mut(|actions| {
        // those within it were told when their own statements ended
        while actions.last().is_some_and(|last| last.command >= command) {
            actions.pop();
        }
        actions.push(Action { command, at });
    });
}
