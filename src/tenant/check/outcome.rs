//! What an attempt that must fail came to.

use crate::error::{Error, Result};
use crate::tenant::guarded::Guarded;
use pgrx::PgSqlErrorCode;

pub enum Outcome {
    /// The guard held.
    Held,
    /// Another tenant's row was reached.
    Reached(String),
    /// The role has no privilege to try.
    Denied(String),
    /// Something else was in the way, so that nothing is known.
    Unknown(String),
}

/// A read, UPDATE or DELETE of another tenant's row, which must find none and raise no error.
pub fn of_look(table: &Guarded, found: Result<bool>, what: &str) -> Outcome {
    match found {
        Ok(false) => Outcome::Held,
        Ok(true) => Outcome::Reached(what.to_owned()),
        Err(e) if denied(table, &e) => Outcome::Denied(e.message().to_owned()),
        Err(e) => Outcome::Unknown(e.message().to_owned()),
    }
}

/// A row written for another tenant. The policies are asked before constraints are: a row that a constraint refuses
/// has got past them.
pub fn of_write(table: &Guarded, done: Result<bool>, what: &str) -> Outcome {
    let e = match done {
        Ok(_) => return Outcome::Reached(what.to_owned()),
        Err(e) => e,
    };
    let message = e.message().to_owned();
    match e.code() {
        _ if denied(table, &e) => Outcome::Denied(message),
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE if message.contains("row-level security policy") => {
            Outcome::Held
        }
        // these come before the policies
        _ if message.contains("partition")
            || message.starts_with("domain ")
            || message.starts_with("value for domain") =>
        {
            Outcome::Unknown(message)
        }
        PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION
        | PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION
        | PgSqlErrorCode::ERRCODE_CHECK_VIOLATION
        | PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION
        | PgSqlErrorCode::ERRCODE_EXCLUSION_VIOLATION => {
            Outcome::Reached(format!("{what}, and only a constraint stopped it: {message}"))
        }
        _ => Outcome::Unknown(message),
    }
}

/// Of this very table: a trigger or a policy may be denied another.
fn denied(table: &Guarded, e: &Error) -> bool {
    e.code() == PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE
        && (e.message() == format!("permission denied for table {}", table.name)
            || e.message() == format!("permission denied for schema {}", table.schema))
}
