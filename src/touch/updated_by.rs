//! set_updated_by: who made the last real change.

use super::actor;
use super::arguments::{GIVEN, IGNORE, INVALID, MISSING};
use super::kept::{called, Cache, Keeper};
use crate::error::Result;
use crate::pg::trigger::Event;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

pub const KEEPER: Keeper = Keeper {
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

thread_local! {
    static CACHE: Cache = Cache::new();
}

fn forget(relid: Option<Oid>) {
    CACHE.with(|cache| cache.forget(relid));
}

#[pg_extern(sql = false)]
fn set_updated_by(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    match set(fcinfo) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

fn set(fcinfo: pg_sys::FunctionCallInfo) -> Result<pg_sys::Datum> {
    let (call, kept) = called(fcinfo, &KEEPER, &CACHE, forget)?;
    let column = &kept.column;
    let given = match call.event() {
        Event::Insert => !call.first().is_null(column.number),
        _ => {
            let found = kept.compare(&call);
            if !found.others {
                return Ok(call.keep_new());
            }
            found.kept
        }
    };
    if given && kept.arguments.is(&GIVEN, "keep") {
        return Ok(call.keep_new());
    }
    match actor::of(&kept)? {
        Some(actor) => Ok(call.set_in_new(column.number, actor)),
        // nobody knows who: better than the one before, but no better than what the statement says
        None if given => Ok(call.keep_new()),
        None => {
            column.check_domain(None);
            Ok(call.set_in_new(column.number, None))
        }
    }
}
