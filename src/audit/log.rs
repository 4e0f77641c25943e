//! Where changes go: one INSERT a change into the log, with the log owner's rights, whoever made it.

use super::context;
use super::target::Target;
use crate::error::Result;
use crate::pg::plan::{Arg, KeptPlan};
use crate::pg::user::{as_role, Fence};
use crate::pg::xact;
use pgrx::pg_sys;

/// One change, as the log keeps it.
pub struct Change {
    /// I, U, D or T
    pub op: u8,
    pub key: Option<String>,
    pub old_key: Option<String>,
    pub old: Option<Vec<u8>>,
    pub new: Option<Vec<u8>>,
}

thread_local! {
    static NEW_CHANGE: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_change (at, xact, context, relation, op, tenant, key, old_key, old, new)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[pg_sys::TIMESTAMPTZOID, pg_sys::XID8OID, pg_sys::INT8OID, pg_sys::INT4OID, pg_sys::CHAROID,
          pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::JSONBOID, pg_sys::JSONBOID]) };
}

pub fn append(target: &Target, change: &Change) -> Result<()> {
    let at = xact::clock();
    let context = context::of(target.log_owner, at)?;
    let tenant = context::tenant();
    let args = [
        Arg::Timestamptz(at),
        Arg::Xid8(xact::top_id()),
        Arg::Int8(context),
        Arg::Int4(target.relation),
        Arg::Char(change.op),
        tenant.as_deref().map_or(Arg::Null, Arg::Text),
        text(&change.key),
        text(&change.old_key),
        change.old.as_deref().map_or(Arg::Null, Arg::Jsonb),
        change.new.as_deref().map_or(Arg::Null, Arg::Jsonb),
    ];
    as_role(target.log_owner, Fence::Local, || NEW_CHANGE.with(|plan| plan.run(&args)))?;
    Ok(())
}

fn text(value: &Option<String>) -> Arg<'_> {
    value.as_deref().map_or(Arg::Null, |v| Arg::Text(v.as_bytes()))
}
