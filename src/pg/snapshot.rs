//! What queries see.

use pgrx::pg_sys;

/// Runs `f` where queries see what is committed by now, and what this transaction has written: after a lock was waited
/// for, the snapshot of the statement is older than what the lock protects. A query that is run as a write sees that,
/// too, but needs a transaction id, which a standby has not (pgrx draws one). An error inside needs no clean-up: aborting the
/// (sub)transaction drops the snapshot.
pub fn fresh<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: the pair of calls the server itself uses; nothing that `f` leaves refers to the snapshot.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        let result = f();
        pg_sys::PopActiveSnapshot();
        result
    }
}
