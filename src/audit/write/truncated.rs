//! TRUNCATE of partitions. A partition has the trigger for its root's sake: emptied with the root it is
//! part of that record, emptied alone it gets one that names it.

use super::record;
use crate::audit::choose::audited;
use crate::catalog;
use crate::error::Result;
use crate::pg::relation::partition_parent;
use crate::pg::trigger::TriggerCall;
use crate::pg::xact;
use pgrx::pg_sys::Oid;
use serde_json::json;
use std::cell::RefCell;

/// A statement: its transaction and which command of it.
type Statement = (u64, u32);

thread_local! {
    /// The tables that the last TRUNCATE named or reached, other than as partitions.
    static WHOLE: RefCell<(Statement, Vec<Oid>)> = const { RefCell::new(((0, 0), vec![])) };
}

/// Whether a TRUNCATE is logged by this call, or needs no record of its own: false for a table that
/// is no partition.
pub fn logged_otherwise(call: &TriggerCall) -> Result<bool> {
    let statement = (xact::top_id(), xact::command());
    let mut table = catalog::relation(call.relation_oid())?;
    let partition = format!("{}.{}", table.schema, table.name);
    let here = |t: &crate::pg::relation::Trigger| t.oid == call.trigger_oid();
    if !table.triggers.iter().any(|t| here(t) && audited::is_partitions_trigger(t)) {
        WHOLE.with_borrow_mut(|(of, tables)| {
            if *of != statement {
                (*of, *tables) = (statement, vec![]);
            }
            tables.push(table.oid);
        });
        return Ok(false);
    }
    // left behind by a DETACH that nobody could follow: it is a table of its own, and not audited
    if !table.is_partition {
        return Ok(true);
    }
    while table.is_partition {
        table = catalog::relation(partition_parent(table.oid))?;
    }
    // the server calls the triggers of the tables before those of their partitions
    let with_root = WHOLE.with_borrow(|(of, tables)| *of == statement && tables.contains(&table.oid));
    if !with_root && audited::of(&table)?.is_some() {
        record::write(&table, b'T', &json!({ "partition": partition }))?;
    }
    Ok(true)
}
