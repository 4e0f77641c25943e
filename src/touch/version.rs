//! bump_version: one more at every real change, and optimistic locking: who gives the version he has
//! read is refused when the row has another by now.

use super::arguments::{IGNORE, NEXT};
use super::kept::{called, Keeper};
use crate::error::{Error, Result};
use crate::pg::attribute::Attribute;
use crate::pg::trigger::{Event, TriggerCall};
use pgrx::pg_sys;
use pgrx::prelude::*;

pub static KEEPER: Keeper = Keeper {
    function: "bump_version",
    name: c"bump_version",
    column: "version",
    definition: "bigint NOT NULL DEFAULT 1",
    choices: &[NEXT, IGNORE],
    events: &[Event::Insert, Event::Update],
    when: "INSERT OR UPDATE",
    takes: Attribute::is_integer,
    types: "bigint, integer or smallint",
};

#[pg_extern(sql = false)]
fn bump_version(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    match bump(fcinfo) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

fn bump(fcinfo: pg_sys::FunctionCallInfo) -> Result<pg_sys::Datum> {
    let (call, kept) = called(fcinfo, &KEEPER)?;
    let column = &kept.column;
    let write = |version: i64| {
        let value = column.integer(version).ok_or_else(|| full(&call, column))?;
        column.check_domain(Some(value));
        Ok(call.replace_in_new(column.number, value))
    };
    let old = call.first();
    if call.event() == Event::Insert {
        return if old.is_null(column.number) { write(1) } else { Ok(call.keep_new()) };
    }
    let new = call.second();
    let (stored, given) = (column.as_integer(&old), column.as_integer(&new));
    let after = stored.map_or(Some(1), |v| v.checked_add(1)).ok_or_else(|| full(&call, column))?;
    if given != stored {
        let given = given.ok_or_else(|| none_given(column))?;
        // a row that has no version yet takes any
        let next = given == after && kept.arguments.is(&NEXT, "accept");
        return match stored {
            Some(stored) if !next => Err(stale(&call, column, stored, given)),
            _ => Ok(call.keep_new()),
        };
    }
    if kept.compare(&call).others {
        return write(after);
    }
    Ok(call.keep_new())
}

/// 40001: whoever gets it reads the row again and tries again.
fn stale(call: &TriggerCall, column: &Attribute, stored: i64, given: i64) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        format!("row of relation \"{}\" has {} {stored}, not {given}", call.relation_name(), column.name),
    )
    .detail("Somebody else changed it since it was read.")
    .hint("Read the row again, and try again.")
}

fn none_given(column: &Attribute) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        format!("column \"{}\" cannot be set to NULL", column.name),
    )
    .hint("Give the version that was read, or leave the column out.")
}

fn full(call: &TriggerCall, column: &Attribute) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        format!("column \"{}\" of relation \"{}\" is out of range", column.name, call.relation_name()),
    )
    .hint("Make the column bigint.")
}
