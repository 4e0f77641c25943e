//! Audit goes on with another table that takes the place of one: with the same options and the same history.

use super::audited;
use super::enable::attach;
use super::leaves;
use super::options::Options;
use crate::audit::read::{access, version};
use crate::catalog::extension_owner;
use crate::error::Result;
use crate::pg::relation::Relation;
use crate::pg::user::{as_role, Fence};

/// What is to be taken before the triggers of the table are dropped.
pub struct Carried {
    options: Options,
    state: &'static str,
    lineage: Option<i32>,
}

/// None if the table is not audited.
pub fn take(table: &Relation) -> Result<Option<Carried>> {
    let Some(audited) = audited::of(table)? else { return Ok(None) };
    let lineage = as_role(extension_owner()?, Fence::Local, || access::lineage_of(table))?;
    // by their names, which the columns of the other table have as well
    let options = audited.options.brought_up_to_date(&audited::columns(table), &audited::home(table));
    Ok(Some(Carried { options, state: audited.state, lineage }))
}

/// Audits the table that has the name now. In the transaction that dropped the triggers of the other, under its
/// lock: no change is missing from the log.
pub fn give(carried: &Carried, table: &Relation) -> Result<()> {
    let options = carried.options.brought_up_to_date(&audited::columns(table), &audited::home(table));
    leaves::let_owner_make_them(table)?;
    as_role(extension_owner()?, Fence::Local, || {
        version::note_as(table, &options, carried.lineage)?;
        attach(table, &options, carried.state, &audited::names(None))?;
        leaves::place(table, &options, carried.state)
    })
}
