//! Drawing from a sequence without SQL.

use pgrx::pg_sys::Oid;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    // commands/sequence.h, which pgrx does not bind
    fn nextval_internal(relid: Oid, check_permissions: bool) -> i64;
}

/// The next value, whoever is current: for sequences of our own.
pub fn next(sequence: Oid) -> i64 {
    // SAFETY: opens and locks the sequence itself; a sequence that is gone raises an ordinary error.
    unsafe { nextval_internal(sequence, false) }
}
