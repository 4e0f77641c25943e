//! The transaction's start as a value of the date and time types.

use super::xact;
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::CStr;

/// A timestamptz (microseconds since 2000-01-01 UTC) as the session shows it.
pub fn shown(at: i64) -> String {
    // SAFETY: timestamptz_out gives a C string in the current memory context.
    unsafe {
        let text =
            pgrx::fcinfo::direct_function_call_as_datum(pg_sys::timestamptz_out, &[Some(Datum::from(at))]);
        text.map(|t| CStr::from_ptr(t.cast_mut_ptr()).to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// now() as timestamptz, timestamp or date, in the session's zone; None for any other type.
pub fn now_as(type_oid: Oid) -> Option<Datum> {
    let now = Datum::from(xact::start_timestamp());
    // SAFETY: the server's own casts from timestamptz; by-value results.
    unsafe {
        match type_oid {
            pg_sys::TIMESTAMPTZOID => Some(now),
            pg_sys::TIMESTAMPOID => {
                pgrx::fcinfo::direct_function_call_as_datum(pg_sys::timestamptz_timestamp, &[Some(now)])
            }
            pg_sys::DATEOID => {
                pgrx::fcinfo::direct_function_call_as_datum(pg_sys::timestamptz_date, &[Some(now)])
            }
            _ => None,
        }
    }
}
