//! What the log is told besides changes of rows: a table's new name, a pause, a partition that was emptied.

use super::buffer;
use super::context;
use super::target;
use crate::audit::choose::audited;
use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::plan::{Arg, KeptPlan};
use crate::pg::relation::{of_ours, Relation};
use crate::pg::user::{as_role, Fence};
use crate::pg::{moment, xact};
use pgrx::pg_sys::{self, Oid};
use serde_json::Value;

thread_local! {
    static NEW_RECORD: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_change (at, xact, context, relation, op, tenant, new)
          VALUES ($1, $2, $3, $4, $5, $6, $7::pg_catalog.jsonb)",
        &[pg_sys::TIMESTAMPTZOID, pg_sys::XID8OID, pg_sys::INT8OID, pg_sys::INT4OID, pg_sys::CHAROID,
          pg_sys::TEXTOID, pg_sys::TEXTOID]) };
}

fn log_owner() -> Result<Oid> {
    let log = of_ours(c"audit_change").ok_or_else(no_log)?;
    Ok(catalog::relation(log)?.owner)
}

/// 55000: nothing has been audited in this database.
pub fn no_log() -> Error {
    Error::not_in_state("there is no audit log yet")
        .hint("Enable audit on a table first: SELECT dbguard.audit_enable('...').")
}

/// The table's row in audit_relation, made if this version has none. To be called as the log's owner.
fn relation_row(table: &Relation) -> Result<i32> {
    let types = match audited::of(table)? {
        Some(audited) => audited::types(audited::logged_columns(table, &audited.options)),
        None => audited::types(table.columns.iter()),
    };
    Ok(target::relation_row(table, &audited::home(table), &table.key(), &types)?.0)
}

/// Writes a record about a table: `op` as audit_change has it, `new` what there is to say.
pub fn write(table: &Relation, op: u8, new: &Value) -> Result<()> {
    let owner = log_owner()?;
    // after what was changed before it
    buffer::flush()?;
    let at = moment::time_of_this();
    let context = context::of(owner, at)?;
    let tenant = context::tenant();
    let new = new.to_string();
    let relation = as_role(owner, Fence::Local, || relation_row(table))?;
    as_role(owner, Fence::Qualified, || {
        let args = [
            Arg::Timestamptz(at),
            Arg::Xid8(xact::top_id()),
            Arg::Int8(context),
            Arg::Int4(relation),
            Arg::Char(op),
            tenant.as_deref().map_or(Arg::Null, Arg::Text),
            Arg::Text(new.as_bytes()),
        ];
        NEW_RECORD.with(|plan| plan.run(&args))
    })?;
    Ok(())
}
