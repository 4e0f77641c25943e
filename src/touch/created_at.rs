//! protect_created_at: set when the row is made, and the same ever after.

use super::arguments::{CHANGE, CLOCK, COMES_WITH};
use super::kept::{called, Keeper};
use super::{moment, moving, stays};
use crate::error::Result;
use crate::pg::trigger::Event;
use pgrx::pg_sys;
use pgrx::prelude::*;

pub static KEEPER: Keeper = Keeper {
    function: "protect_created_at",
    name: c"protect_created_at",
    column: "created_at",
    definition: "timestamptz NOT NULL DEFAULT now()",
    choices: &[CHANGE, COMES_WITH, CLOCK],
    events: &[Event::Insert, Event::Update],
    when: "INSERT OR UPDATE",
    takes: moment::fits,
    types: moment::TYPES,
};

#[pg_extern(sql = false)]
fn protect_created_at(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    match protect(fcinfo) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

fn protect(fcinfo: pg_sys::FunctionCallInfo) -> Result<pg_sys::Datum> {
    let (call, kept) = called(fcinfo, &KEEPER)?;
    if call.event() == Event::Update {
        return stays::as_it_was(&call, &kept, &KEEPER);
    }
    if moving::arrives(&call, &kept, &KEEPER) {
        return Ok(call.keep_new());
    }
    // what an import or the default gave
    let given = !call.first().is_null(kept.column.number) && kept.arguments.is(&COMES_WITH, "keep");
    match given {
        true => Ok(call.keep_new()),
        false => Ok(call.replace_in_new(kept.column.number, moment::of(&kept)?)),
    }
}
