//! Surviving an error: a subtransaction of our own, as PL/pgSQL's EXCEPTION block has one.

use super::{names::listening, timer};
use crate::error::{Error, Result};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Runs `f` in a subtransaction. An error, ours or the server's, undoes what `f` did and comes back
/// as a value; a cancelled statement or a server that stops is never held up.
pub fn subtransaction<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    raised(nested(f, true))
}

/// The same where a cancelled statement, too, comes back as a value: for work that leaves something to be
/// taken back. The caller must raise it when that is done.
pub fn interruptible<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    nested(f, true)
}

/// The same for a look at something: whatever comes of it, its locks are let go and its settings
/// are forgotten.
pub fn look<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    raised(nested(f, false))
}

/// A look that is given up when its time is over: then None.
pub fn brief_look<T>(limit: Duration, f: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    match timer::within(limit, || nested(f, false)) {
        (Err(e), true) if e.code() == PgSqlErrorCode::ERRCODE_QUERY_CANCELED => Ok(None),
        (result, _) => raised(result).map(Some),
    }
}

/// Runs `f` without a subtransaction, and gives an error back to be raised in other words. The caller must
/// raise it: nothing is undone.
pub fn told<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    raised(listening(|| {
        PgTryBuilder::new(AssertUnwindSafe(f)).catch_others(|e| Err(Error::from(e))).execute()
    }))
}

fn raised<T>(result: Result<T>) -> Result<T> {
    match result {
        Err(e) if e.ends_the_statement() => e.raise(),
        other => other,
    }
}

fn nested<T>(f: impl FnOnce() -> Result<T>, keep: bool) -> Result<T> {
    // SAFETY: reads two variables of the backend.
    let (memory, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    // SAFETY: the sequence the server's procedural languages use; `f` is left by a return or an
    // unwind that is caught here, so each begin meets exactly one release or rollback.
    unsafe {
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(memory);
    }
    let result =
        listening(|| PgTryBuilder::new(AssertUnwindSafe(f)).catch_others(|e| Err(Error::from(e))).execute());
    // SAFETY: as above.
    unsafe {
        match result {
            Ok(_) if keep => pg_sys::ReleaseCurrentSubTransaction(),
            _ => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(memory);
        pg_sys::CurrentResourceOwner = owner;
    }
    result
}
