//! set_created_by: who made the row, and the same ever after.

use super::arguments::{CHANGE, GIVEN, INVALID, MISSING};
use super::kept::{called, Keeper};
use super::{actor, moving, stays};
use crate::error::Result;
use crate::pg::trigger::Event;
use pgrx::pg_sys;
use pgrx::prelude::*;

pub static KEEPER: Keeper = Keeper {
    function: "set_created_by",
    name: c"set_created_by",
    column: "created_by",
    definition: "text",
    choices: &[MISSING, INVALID, GIVEN, CHANGE],
    events: &[Event::Insert, Event::Update],
    when: "INSERT OR UPDATE",
    takes: actor::fits,
    types: actor::TYPES,
};

#[pg_extern(sql = false)]
fn set_created_by(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    match set(fcinfo) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

fn set(fcinfo: pg_sys::FunctionCallInfo) -> Result<pg_sys::Datum> {
    let (call, kept) = called(fcinfo, &KEEPER)?;
    if call.event() == Event::Update {
        return stays::as_it_was(&call, &kept, &KEEPER);
    }
    let column = &kept.column;
    if moving::arrives(&call, &kept, &KEEPER) {
        return Ok(call.keep_new());
    }
    if !call.first().is_null(column.number) && kept.arguments.is(&GIVEN, "keep") {
        return Ok(call.keep_new());
    }
    match actor::of(&kept)? {
        Some(actor) => Ok(call.set_in_new(column.number, actor)),
        None => Ok(call.keep_new()),
    }
}
