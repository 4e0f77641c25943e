//! When statements, subtransactions and transactions end: what is kept back until then must be told.

use super::moment::{self, Frame};
use crate::error::Result;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::Cell;
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

thread_local! {
    static APART: Cell<bool> = const { Cell::new(false) };
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

/// Nothing here or below is to be cleaned up after an error of the server: it leaps over these functions as
/// over those of its own, and stays whole, with the names of table and constraint that programs read. What is
/// of ours is put right when the subtransaction ends (`moment::subtransaction_begins`).
unsafe extern "C-unwind" fn executor_finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: the next in the chain, with our caller's argument.
    unsafe {
        let mut outer = Frame::default();
        let fires = begins(query, &mut outer);
        let next = NEXT_FINISH.get().copied().flatten().unwrap_or(server_executor_finish);
        next(query);
        if fires {
            ends(outer);
        }
    }
}

/// Whether it fires triggers.
#[pg_guard]
unsafe extern "C-unwind" fn begins(query: *mut pg_sys::QueryDesc, outer: &mut Frame) -> bool {
    // SAFETY: a query that is being finished has its state.
    let (fires, changes, command) = unsafe {
        let state = (*query).estate;
        let skips = (*state).es_top_eflags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as i32 != 0;
        (!skips, (*query).operation != pg_sys::CmdType::CMD_SELECT, (*state).es_output_cid)
    };
    if !fires && changes {
        moment::note_action(command);
    }
    if fires {
        *outer = moment::enter();
    }
    fires
}

#[pg_guard]
unsafe extern "C-unwind" fn ends(outer: Frame) {
    flush(|ends| ends.flush);
    moment::leave(outer);
}

unsafe extern "C-unwind" {
    // as the server has them, without the guard of pgrx
    #[link_name = "standard_ExecutorFinish"]
    fn server_executor_finish(query: *mut pg_sys::QueryDesc);
    #[link_name = "standard_ProcessUtility"]
    fn server_process_utility(
        statement: *mut pg_sys::PlannedStmt,
        text: *const std::ffi::c_char,
        read_only: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        params: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        dest: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

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
        // COPY fires its triggers without the executor
        let copy = !node.is_null() && (*node).type_ == pg_sys::NodeTag::T_CopyStmt;
        let outer = copy.then(moment::enter_copy);
        let next = NEXT_UTILITY.get().copied().flatten().unwrap_or(server_process_utility);
        next(statement, text, read_only, context, params, environment, dest, completion);
        if let Some(outer) = outer {
            ends(outer);
        }
    }
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
            moment::transaction_ends();
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
        SUBXACT_EVENT_START_SUB => moment::subtransaction_begins(sub),
        SUBXACT_EVENT_PRE_COMMIT_SUB => flush(|ends| ends.flush_all),
        SUBXACT_EVENT_COMMIT_SUB => moment::subtransaction_ends(sub, false),
        SUBXACT_EVENT_ABORT_SUB => {
            moment::subtransaction_ends(sub, true);
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
