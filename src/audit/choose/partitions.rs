//! The event trigger that keeps up with partitions made, attached and detached.

use super::leaves;
use crate::error::Result;
use crate::pg::event::{self, Statement};
use crate::pg::kept::Kept;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn audit_follow_partitions(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = follow(fcinfo) {
        e.raise();
    }
}

fn follow(fcinfo: pg_sys::FunctionCallInfo) -> Result<()> {
    const TABLES: &str = "
        SELECT DISTINCT objid FROM pg_event_trigger_ddl_commands()
        WHERE classid = 'pg_class'::regclass AND object_type IN ('table', 'foreign table')";
    match event::statement(fcinfo) {
        Statement::Create | Statement::Attach => {}
        Statement::Detach => return leaves::let_go(),
        // a restore makes the triggers itself, among other changes to tables
        _ => return Ok(()),
    }
    let tables = Spi::connect_mut(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client.update(Kept(TABLES), None, &[])?.map(|row| row.get::<Oid>(1)).collect()
    })?;
    for table in tables.into_iter().flatten() {
        leaves::keep_up(table)?;
    }
    Ok(())
}
