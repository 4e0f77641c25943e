//! Settings at the level of the server.

use pgrx::pg_sys;
use std::ffi::CStr;

/// Refuses later `SET prefix.unknown`, and says which of those already set are unknown.
pub fn reserve_prefix(prefix: &'static CStr) {
    // SAFETY: a static C string; the server copies it.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) }
}
