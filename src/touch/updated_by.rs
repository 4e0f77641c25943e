//! set_updated_by: who made the last real change.

use super::arguments::{GIVEN, IGNORE, INVALID, MISSING};
use super::kept::{called, Keeper, Kept};
use super::{actor, moving};
use crate::error::Result;
use crate::pg::trigger::Event;
use pgrx::pg_sys;
use pgrx::prelude::*;

pub static KEEPER: Keeper = Keeper {
    function: "set_updated_by",
    name: c"set_updated_by",
    column: "updated_by",
    definition: "text",
    choices: &[MISSING, INVALID, GIVEN, IGNORE],
    events: &[Event::Insert, Event::Update],
    when: "INSERT OR UPDATE",
    takes: actor::fits,
    types: actor::TYPES,
};

#[pg_extern(sql = false)]
fn set_updated_by(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    match set(fcinfo) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

fn set(fcinfo: pg_sys::FunctionCallInfo) -> Result<pg_sys::Datum> {
    let (call, kept) = called(fcinfo, &KEEPER)?;
    let number = kept.column.number;
    if call.event() == Event::Insert {
        if moving::arrives(&call, &kept, &KEEPER) {
            return Ok(call.keep_new());
        }
        let given = call.first().get(number);
        return Ok(match writer(&kept, given.is_some())? {
            Some(value) => call.set_in_new(number, value),
            None => call.keep_new(),
        });
    }
    let found = kept.compare(&call);
    let value = match found.others {
        true => writer(&kept, found.kept)?,
        false => None,
    };
    moving::leaves(&kept, &KEEPER, value.unwrap_or_else(|| call.second().get(number)));
    Ok(match value {
        Some(value) => call.set_in_new(number, value),
        None => call.keep_new(),
    })
}

/// What is to be written; None: what the statement gave.
fn writer(kept: &Kept, given: bool) -> Result<Option<Option<pg_sys::Datum>>> {
    if given && kept.arguments.is(&GIVEN, "keep") {
        return Ok(None);
    }
    match actor::of(kept)? {
        Some(actor) => Ok(Some(actor)),
        // nobody knows who: better than the one before, but no better than what the statement says
        None if given => Ok(None),
        None => {
            kept.column.check_domain(None);
            Ok(Some(None))
        }
    }
}
