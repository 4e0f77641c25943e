//! NOTIFY from inside.

#![allow(non_snake_case, reason = "the server's names")]

use pgrx::pg_sys;
use std::ffi::{c_char, CStr};

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    // commands/async.h, which pgrx does not bind
    fn Async_Notify(channel: *const c_char, payload: *const c_char);
}

/// Longer names are cut, as those in LISTEN are.
pub const MAX_CHANNEL: usize = pg_sys::NAMEDATALEN as usize - 1;

/// Sends `payload` to those who listen on `channel` when this transaction commits; a rolled back
/// subtransaction takes its own notifications along. A transaction that has sent one cannot be prepared.
pub fn notify(channel: &CStr, payload: &CStr) {
    // SAFETY: C strings that the server copies; an empty or long channel raises an ordinary error.
    unsafe { Async_Notify(channel.as_ptr(), payload.as_ptr()) }
}
