//! What a run would do now.

use super::error::not_enabled;
use super::set::{self, Set, State};
use super::{enable, missing, retire};
use crate::ddl::partition::script;
use crate::error::{Error, Result};
use crate::pg::kept::Kept;
use crate::pg::subxact::look;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// parent_table, action, partition, lower, upper, sql, message
pub type Row =
    (Oid, &'static str, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

/// For one set, or for all: then one that cannot be worked on now is a row that says why.
pub fn rows(parent: Option<Oid>) -> Result<Vec<Row>> {
    if let Some(parent) = parent {
        let registered = set::of(parent)?.ok_or_else(|| unknown(parent))?;
        return match registered.state {
            State::Live(set) => of(&set),
            State::Broken(_, error) => Err(error),
            State::Gone => Err(not_enabled(&registered.name)),
        };
    }
    let mut rows = Vec::new();
    for registered in set::load(None)? {
        pgrx::check_for_interrupts!();
        let (parent, planned) = match registered.state {
            State::Live(set) => (set.parent, look(|| of(&set))),
            State::Broken(parent, error) => (parent, Err(error)),
            State::Gone => continue,
        };
        rows.extend(planned.unwrap_or_else(|error| vec![blocked(parent, &error)]));
    }
    // what a run makes comes before what it retires
    rows.sort_by_key(|(_, action, ..)| !["make", "blocked"].contains(action));
    Ok(rows)
}

fn of(set: &Set) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let row = |action, name, lower, upper, sql| {
        (set.parent, action, Some(name), Some(lower), Some(upper), Some(sql), None)
    };
    for step in enable::steps(set, missing(set)?)? {
        let sql = script(&step.statements);
        rows.push(row("make", step.name, step.lower, step.upper, sql));
    }
    for step in retire::plan(set)? {
        rows.push(row(step.action, step.name, step.lower, step.upper, step.sql));
    }
    Ok(rows)
}

fn blocked(parent: Oid, error: &Error) -> Row {
    (parent, "blocked", None, None, None, None, Some(error.message().to_owned()))
}

/// The error for a table that is not a set, by its name.
fn unknown(parent: Oid) -> Error {
    const NAME: &str = "SELECT relname::text FROM pg_class WHERE oid = $1";
    let name = Spi::connect(|client| {
        let mut rows = client.select(Kept(NAME), Some(1), &[parent.into()])?;
        rows.next().map_or(Ok(None), |row| row.get::<String>(1))
    });
    match name {
        Ok(Some(name)) => not_enabled(&name),
        Ok(None) => Error::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("relation with OID {} does not exist", parent.to_u32()),
        ),
        Err(error) => Error::from(error),
    }
}
