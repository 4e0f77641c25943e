//! The transaction's start as a value of the date and time types.

use super::xact;
use pgrx::pg_sys::{self, Datum, Oid};

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
