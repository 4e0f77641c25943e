//! What pg_stat_activity shows of this session.

use pgrx::pg_sys;
use std::ffi::CString;

/// Shows `text` as the query of this session, until its next one. Does nothing for a text with a NUL.
pub fn report(text: &str) {
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: the server copies the C string, cut at a character, into its own memory.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, text.as_ptr()) }
}
