//! set_updated_at: keeps the time of the last real change. A write without effect stays without effect.

use super::arguments::{CLOCK, GIVEN, IGNORE};
use super::kept::{called, Keeper};
use super::moment;
use crate::error::Result;
use crate::pg::trigger::Event;
use pgrx::pg_sys;
use pgrx::prelude::*;

pub static KEEPER: Keeper = Keeper {
    function: "set_updated_at",
    name: c"set_updated_at",
    column: "updated_at",
    definition: "timestamptz NOT NULL DEFAULT now()",
    choices: &[CLOCK, GIVEN, IGNORE],
    events: &[Event::Update],
    when: "UPDATE",
    takes: moment::fits,
    types: moment::TYPES,
};

#[pg_extern(sql = false)]
fn set_updated_at(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    match touch(fcinfo) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

fn touch(fcinfo: pg_sys::FunctionCallInfo) -> Result<pg_sys::Datum> {
    let (call, kept) = called(fcinfo, &KEEPER)?;
    let found = kept.compare(&call);
    if !found.others || (found.kept && kept.arguments.is(&GIVEN, "keep")) {
        return Ok(call.keep_new());
    }
    Ok(call.replace_kept(&kept.column, &found, moment::of(&kept)?))
}
