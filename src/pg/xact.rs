//! The transaction we are in.

use pgrx::pg_sys;

/// When it started: what now() says, in microseconds since 2000-01-01 UTC.
pub fn start_timestamp() -> i64 {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// What time it is, in microseconds since 2000-01-01 UTC.
pub fn clock() -> i64 {
    // SAFETY: asks the system's clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// Its id with epoch, as pg_current_xact_id() gives it; assigned if it had none.
pub fn top_id() -> u64 {
    // SAFETY: assigns an id if needed; raises an ordinary error in a read-only state.
    unsafe { pg_sys::GetTopFullTransactionId().value }
}

/// The id that the next transaction to need one will get. Not a snapshot's xmax: transactions above that
/// may have begun.
pub fn next_id() -> u64 {
    // SAFETY: reads shared memory under its lock.
    unsafe { pg_sys::ReadNextFullTransactionId().value }
}

/// The id of the current subtransaction (or of the transaction itself).
pub fn current_id() -> pg_sys::TransactionId {
    // SAFETY: as above.
    unsafe { pg_sys::GetCurrentTransactionId() }
}

/// Whether what `xid` wrote in this transaction still stands: true for the transaction itself and
/// for its subtransactions that are running or were released, false for those rolled back.
pub fn stands(xid: pg_sys::TransactionId) -> bool {
    // SAFETY: looks into the backend's transaction stack.
    unsafe { pg_sys::TransactionIdIsCurrentTransactionId(xid) }
}

/// Which command of the transaction is running: the same for all that one statement does and its AFTER
/// triggers are called for, higher for every statement after one that changed something.
pub fn command() -> u32 {
    // SAFETY: reads the snapshot of the running statement, if there is one.
    unsafe {
        match pg_sys::ActiveSnapshotSet() {
            true => (*pg_sys::GetActiveSnapshot()).curcid,
            false => 0,
        }
    }
}

/// Whether this server is a standby.
pub fn is_standby() -> bool {
    // SAFETY: reads state of the backend.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Whether all statements of this transaction see what there was at its beginning (REPEATABLE READ, SERIALIZABLE).
pub fn keeps_its_snapshot() -> bool {
    // SAFETY: reads a variable of the backend. IsolationUsesXactSnapshot of xact.h.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}
