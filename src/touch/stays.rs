//! What is set once stays: an UPDATE gets the old value, or an error.

use super::arguments::CHANGE;
use super::kept::{Keeper, Kept};
use super::moving;
use crate::error::{Error, Result};
use crate::pg::trigger::TriggerCall;
use pgrx::pg_sys::Datum;
use pgrx::PgSqlErrorCode;

/// # Errors
/// 428C9, as for a generated column, with `change=error`.
pub fn as_it_was(call: &TriggerCall, kept: &Kept, keeper: &'static Keeper) -> Result<Datum> {
    let (old, new) = (call.first(), call.second());
    let column = &kept.column;
    moving::leaves(kept, keeper, old.get(column.number));
    if column.same(&old, &new) {
        return Ok(call.keep_new());
    }
    if kept.arguments.is(&CHANGE, "error") {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_GENERATED_ALWAYS,
            format!("column \"{}\" of relation \"{}\" cannot be changed", column.name, call.relation_name()),
        )
        .detail("It is set when a row is made.")
        .hint("Leave it out of the UPDATE, or disable the trigger for a correction."));
    }
    Ok(call.replace_by(column.number, &old))
}
