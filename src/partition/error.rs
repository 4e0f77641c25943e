//! Errors that several functions give, and the words of PostgreSQL for what the pure part refuses.

use crate::error::Error;
use dbguard_core::partition as pure;
use pgrx::prelude::*;

pub fn not_enabled(table: &str) -> Error {
    Error::not_in_state(format!("partitioning of \"{table}\" is not enabled"))
        .hint("See dbguard.partition_enable.")
}

pub fn busy(table: &str) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
        format!("another session is at work on the partitions of \"{table}\""),
    )
    .hint("Try again in a moment.")
}

impl From<pure::Error> for Error {
    fn from(e: pure::Error) -> Error {
        let message = e.to_string();
        match e {
            pure::Error::WidthNotPositive
            | pure::Error::WidthMixed
            | pure::Error::WidthNotWholeMinutes
            | pure::Error::WidthNotWholeDays
            | pure::Error::WidthTooLarge => Error::invalid_parameter(message)
                .hint("Give months only, such as '1 month' or '1 year', or days and hours only, such as '1 week' or '1 hour'."),
            pure::Error::AnchorUnreadable
            | pure::Error::AnchorNotWholeMinutes
            | pure::Error::AnchorNotMidnight => {
                Error::invalid_parameter(message).hint("Give it as '2026-01-31' or '2026-01-31 06:00'.")
            }
            pure::Error::UnknownZone => Error::invalid_parameter(message),
            pure::Error::OutOfRange | pure::Error::Unit => {
                Error::new(PgSqlErrorCode::ERRCODE_DATETIME_FIELD_OVERFLOW, message)
                    .hint("Choose a narrower interval or fewer partitions ahead or behind.")
            }
            pure::Error::TooMany(_) => {
                Error::new(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, message)
                    .hint("Choose a wider interval, or detach the partitions that lie far back.")
            }
        }
    }
}
