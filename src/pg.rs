//! The only `unsafe` of the project: what the server has and pgrx does not wrap.
//! Each file wraps one thing and gives the rest of the code a safe function.

pub mod compat;
pub mod guc;
pub mod user;
