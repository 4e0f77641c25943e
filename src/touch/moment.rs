//! The time that a column gets: its type may be timestamptz, timestamp, date or a domain over one.

use super::arguments::CLOCK;
use super::kept::Kept;
use crate::error::Result;
use crate::pg::attribute::Attribute;
use crate::pg::{datetime, xact};
use pgrx::pg_sys::Datum;

pub const TYPES: &str = "timestamp with time zone, timestamp or date";

pub fn fits(column: &Attribute) -> bool {
    datetime::is_time(column.base)
}

/// now(), or what time it is, as a value of the column; raises 23514 if its domain takes none such.
pub fn of(kept: &Kept) -> Result<Datum> {
    let at = match kept.arguments.is(&CLOCK, "clock_timestamp") {
        true => xact::clock(),
        false => xact::start_timestamp(),
    };
    let column = &kept.column;
    // a column altered while the statement runs would have been resolved anew
    let value = datetime::as_type(at, column.base, column.base_typmod).unwrap_or(Datum::null());
    column.check_domain(Some(value));
    Ok(value)
}
