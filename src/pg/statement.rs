//! When statements, subtransactions and transactions end: what is kept back until then must be told.

use crate::error::Result;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

/// What is called at each end.
pub struct Ends {
    /// Whether anything is kept back: asked often, must be cheap.
    pub pending: fn() -> bool,
    /// The statement at hand has fired its triggers.
    pub flush: fn() -> Result<()>,
    /// The current (sub)transaction is about to commit.
    pub flush_all: fn() -> Result<()>,
    /// A subtransaction and all within it were rolled back. Must not fail.
    pub subtransaction_aborted: fn(pg_sys::SubTransactionId),
    /// The transaction is about to commit and has written all it will.
    pub before_commit: fn(),
    /// The same before PREPARE TRANSACTION.
    pub before_prepare: fn(),
    /// The transaction is over: whether it committed. Must not fail.
    pub transaction_over: fn(bool),
}

static ENDS: OnceLock<Ends> = OnceLock::new();
static NEXT_FINISH: OnceLock<pg_sys::ExecutorFinish_hook_type> = OnceLock::new();
static NEXT_UTILITY: OnceLock<pg_sys::ProcessUtility_hook_type> = OnceLock::new();

/// A statement whose end we see.
#[derive(Clone, Copy)]
struct Frame {
    /// How many such statements it is in, itself included.
    depth: u32,
    /// When its changes were made; 0 until it is asked.
    at: i64,
}

/// Changes that a statement did not make itself but had a query of the server's make for it (a
/// referential action): that one fires no triggers, they are left to the statement.
#[derive(Clone, Copy)]
struct Action {
    command: pg_sys::CommandId,
    at: i64,
}

thread_local! {
    static FRAME: Cell<Frame> = const { Cell::new(Frame { depth: 0, at: 0 }) };
    static APART: Cell<bool> = const { Cell::new(false) };
    /// The last time given out: each statement gets a later one.
    static LAST: Cell<i64> = const { Cell::new(0) };
    /// A statement whose end we do not see: when it started, its command, and the time it was given.
    static UNSEEN: Cell<(i64, pg_sys::CommandId, i64)> = const { Cell::new((0, 0, 0)) };
    /// By command, since the outermost statement began to fire its triggers.
    static ACTIONS: RefCell<Vec<Action>> = const { RefCell::new(Vec::new()) };
}

/// Called once, when the library is loaded.
pub fn install(ends: Ends) {
    if ENDS.set(ends).is_err() {
        return;
    }
    // SAFETY: the server is single-threaded, hooks are chained as its documentation asks, and all
    // functions live as long as the library, which is never unloaded.
    unsafe {
        let _ = NEXT_FINISH.set(pg_sys::ExecutorFinish_hook);
        pg_sys::ExecutorFinish_hook = Some(executor_finish);
        let _ = NEXT_UTILITY.set(pg_sys::ProcessUtility_hook);
        pg_sys::ProcessUtility_hook = Some(process_utility);
        pg_sys::RegisterXactCallback(Some(transaction_event), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_event), std::ptr::null_mut());
    }
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
/// the times of one row's changes are in their order across sessions. `command` is the one that made
/// the change, asked for only if there may be more than one.
pub fn time_of(command: impl FnOnce() -> pg_sys::CommandId) -> i64 {
    let seen = end_is_seen();
    if seen && ACTIONS.with_borrow(Vec::is_empty) {
        return own_time();
    }
    let command = command();
    let action = ACTIONS.with_borrow(|actions| {
        actions.binary_search_by_key(&command, |action| action.command).ok().map(|i| actions[i].at)
    });
    match action {
        Some(at) => at,
        None if seen => own_time(),
        None => unseen_time(command),
    }
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

fn unseen_time(command: pg_sys::CommandId) -> i64 {
    // SAFETY: reads a variable of the backend.
    let started = unsafe { pg_sys::GetCurrentStatementStartTimestamp() };
    let (known, of, at) = UNSEEN.get();
    if (known, of) == (started, command) {
        return at;
    }
    let at = tick();
    UNSEEN.set((started, command, at));
    at
}

/// What the statement at hand has changed was changed before what comes now: its time is the earlier
/// one, also for those of its triggers that are still to come.
fn settle_outer() {
    if end_is_seen() {
        own_time();
    }
}

fn tick() -> i64 {
    let at = super::xact::clock().max(LAST.get() + 1);
    LAST.set(at);
    at
}

/// The statement around us, put back when the inner one ends or fails.
struct Outer(Frame);

impl Outer {
    fn enter() -> Outer {
        settle_outer();
        let outer = FRAME.get();
        FRAME.set(Frame { depth: outer.depth + 1, at: 0 });
        Outer(outer)
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        FRAME.set(self.0);
        if self.0.depth == 0 {
            forget_actions();
        }
    }
}

fn forget_actions() {
    // memory for ordinary statements is kept, for a huge one not
    ACTIONS.with_borrow_mut(|actions| {
        actions.clear();
        actions.shrink_to(1024);
    });
}

/// Remembers when a query was done whose triggers the statement around it will fire.
fn note_action(command: pg_sys::CommandId) {
    settle_outer();
    let at = tick();
    ACTIONS.with_borrow_mut(|actions| {
        // one that was rolled back has given its number to the next
        while actions.last().is_some_and(|last| last.command >= command) {
            actions.pop();
        }
        actions.push(Action { command, at });
    });
}

/// Runs statements of our own in the middle of another: their ends are not that one's.
pub fn apart<T>(f: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            APART.set(self.0);
        }
    }
    let _back = Back(APART.replace(true));
    f()
}

fn flush(which: fn(&Ends) -> fn() -> Result<()>) {
    if APART.get() {
        return;
    }
    if let Some(ends) = ENDS.get() {
        if (ends.pending)() {
            if let Err(e) = which(ends)() {
                e.raise();
            }
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn executor_finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: a query that is being finished has its state.
    let (fires, changes, command) = unsafe {
        let state = (*query).estate;
        let skips = (*state).es_top_eflags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as i32 != 0;
        (!skips, (*query).operation != pg_sys::CmdType::CMD_SELECT, (*state).es_output_cid)
    };
    if !fires && changes {
        note_action(command);
    }
    let outer = fires.then(Outer::enter);
    // SAFETY: the next in the chain, with our caller's argument.
    unsafe {
        match NEXT_FINISH.get().copied().flatten() {
            Some(next) => ffi_boundary(|| next(query)),
            None => pg_sys::standard_ExecutorFinish(query),
        }
    }
    if outer.is_some() {
        flush(|ends| ends.flush);
    }
}

/// COPY fires its triggers without the executor.
#[pg_guard]
#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    text: *const std::ffi::c_char,
    read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    dest: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: the next in the chain, with our caller's arguments; a planned statement has a node.
    unsafe {
        let node = (*statement).utilityStmt;
        let is_copy = !node.is_null() && (*node).type_ == pg_sys::NodeTag::T_CopyStmt;
        let outer = is_copy.then(Outer::enter);
        match NEXT_UTILITY.get().copied().flatten() {
            Some(next) => ffi_boundary(|| {
                next(statement, text, read_only, context, params, environment, dest, completion)
            }),
            None => pg_sys::standard_ProcessUtility(
                statement,
                text,
                read_only,
                context,
                params,
                environment,
                dest,
                completion,
            ),
        }
        if outer.is_some() {
            flush(|ends| ends.flush);
        }
    }
}

/// Calls a function of the server's that pgrx does not guard: its errors become unwinding.
///
/// # Safety
/// What `f` calls must be safe to call.
unsafe fn ffi_boundary<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: as promised.
    unsafe { crate::ffi::pg_guard_ffi_boundary(f) }
}

#[pg_guard]
unsafe extern "C-unwind" fn transaction_event(event: pg_sys::XactEvent::Type, _arg: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::*;
    let Some(ends) = ENDS.get() else { return };
    match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PRE_PREPARE => {
            if (ends.pending)() {
                flush_with_snapshot();
            }
            if event == XACT_EVENT_PRE_COMMIT {
                (ends.before_commit)();
            } else {
                (ends.before_prepare)();
            }
        }
        XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE => {
            forget_actions();
            (ends.transaction_over)(event == XACT_EVENT_COMMIT);
        }
        _ => {}
    }
}

/// Before a commit the transaction can still do anything; what is written may need a snapshot, for
/// TOAST.
fn flush_with_snapshot() {
    // SAFETY: a push and a pop around a write; an error in between ends the transaction.
    unsafe {
        let without = !pg_sys::ActiveSnapshotSet();
        if without {
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        flush(|ends| ends.flush_all);
        if without {
            pg_sys::PopActiveSnapshot();
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn subtransaction_event(
    event: pg_sys::SubXactEvent::Type,
    sub: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _arg: *mut std::ffi::c_void,
) {
    use pg_sys::SubXactEvent::*;
    match event {
        SUBXACT_EVENT_PRE_COMMIT_SUB => flush(|ends| ends.flush_all),
        SUBXACT_EVENT_ABORT_SUB => {
            if let Some(ends) = ENDS.get() {
                (ends.subtransaction_aborted)(sub);
            }
        }
        _ => {}
    }
}

/// The subtransaction we are in; the transaction itself counts as one.
pub fn subtransaction() -> pg_sys::SubTransactionId {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
}
