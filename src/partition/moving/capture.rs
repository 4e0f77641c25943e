//! The trigger that notes which rows change while their table is copied: the keys before and after.

use crate::ddl::moving as ddl;
use crate::error::{Error, Result};
use crate::pg::relation;
use crate::pg::trigger::{Event, TriggerCall};
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// In the name of every table of keys, so that no other is taken for one.
pub const NOTED: &str = "_dbguard_noted";

#[pg_extern(sql = false)]
fn partition_capture(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    if let Err(e) = capture(fcinfo) {
        e.raise();
    }
    0
}

/// Writes with the rights of the owner of the table that changes, to a table of keys of the same owner and to
/// no other, whatever the trigger names: who may make triggers on a table must not reach what is its owner's, nor
/// have his own code run as the owner. When it is gone nobody wants to know any more.
fn capture(fcinfo: pg_sys::FunctionCallInfo) -> Result<()> {
    let call = TriggerCall::new(fcinfo, "partition_capture")?;
    let protocol = || {
        Error::trigger_protocol("function \"partition_capture\" must be fired AFTER ROW")
            .hint("Let dbguard.partition_drain make the trigger.")
    };
    if !call.after() || !call.for_each_row() {
        return Err(protocol());
    }
    let args = call.args();
    let [schema, table, attributes @ ..] = args.as_slice() else { return Err(protocol()) };
    let attributes: Vec<i16> =
        attributes.iter().filter_map(|number| number.parse().ok()).filter(|n| *n > 0).collect();
    if attributes.is_empty() || attributes.len() + 2 != args.len() {
        return Err(protocol());
    }
    // by the catalogs as they now are, for a snapshot may be older than the move
    let of_a_move = table.contains(NOTED) && relation::owner(schema, table) == Some(call.owner());
    if !of_a_move {
        return Ok(());
    }
    let statement = ddl::put_key((schema, table), attributes.len());
    let put = |row| {
        let key: Vec<_> = attributes.iter().map(|number| call.argument(&row, *number)).collect();
        Spi::connect_mut(|client| client.update(statement.as_str(), None, &key).map(drop))
    };
    as_role(call.owner(), Fence::Restricted, || {
        put(call.first())?;
        if call.event() == Event::Update {
            put(call.second())?;
        }
        Ok(())
    })
}
