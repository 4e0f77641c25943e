//! Which database this is.

use pgrx::pg_sys;

/// Differs between any two databases in which the same OID may mean different things: after dump
/// and restore, in a copy made with CREATE DATABASE, in another cluster.
pub fn database() -> String {
    // SAFETY: reads what the control file and the backend hold.
    unsafe { format!("{}/{}", pg_sys::GetSystemIdentifier(), pg_sys::MyDatabaseId.to_u32()) }
}
