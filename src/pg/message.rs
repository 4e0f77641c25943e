//! Messages in the WAL for logical decoding.

use super::compat::log_logical_message;
use pgrx::pg_sys;
use std::ffi::CStr;

/// Whether this server decodes at all: elsewhere a message would only take up space.
pub fn decoded() -> bool {
    // SAFETY: reads a variable of the server.
    unsafe { pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_LOGICAL as i32 }
}

/// Writes a message that decoders see in its place among the transaction's changes, if it commits.
pub fn transactional(prefix: &CStr, message: &[u8]) {
    log_logical_message(prefix, message);
}
