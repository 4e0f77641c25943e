//! A pause of the audit of a table, and its end: both stand in the log.

use super::audited::{self, Audited};
use super::enable::attach;
use super::leaves;
use super::paused::Paused;
use crate::audit::write::record;
use crate::catalog::{extension_owner, own_table};
use crate::error::{notice, Error, Result};
use crate::pg::lock;
use crate::pg::relation::Relation;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use serde_json::json;

#[pg_extern(sql = false)]
fn audit_pause(relation: Option<Oid>, reason: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    Ok(pause(relation, reason)?)
}

#[pg_extern(sql = false)]
fn audit_resume(relation: Option<Oid>) -> std::result::Result<bool, ErrorReport> {
    Ok(resume(relation)?)
}

/// The caller's table, locked, and its audit.
///
/// # Errors
/// 55000 if it is not audited.
fn own_audited(relation: Option<Oid>) -> Result<(Relation, Audited)> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    own_table(relation)?;
    lock::share_row_exclusive(relation);
    let table = own_table(relation)?;
    match audited::of(&table)? {
        Some(audited) => Ok((table, audited)),
        None => Err(Error::not_in_state(format!("audit of table \"{}\" is not enabled", table.name))
            .hint("See dbguard.audit_enable.")),
    }
}

fn pause(relation: Option<Oid>, reason: Option<&str>) -> Result<bool> {
    const NOW: &str = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"'), current_user::text";
    let reason = reason.ok_or_else(|| Error::null_argument("reason"))?;
    if reason.trim().is_empty() {
        return Err(Error::invalid_parameter("argument \"reason\" must not be empty")
            .hint("Say why: whoever reads the log finds it there."));
    }
    let (table, mut audited) = own_audited(relation)?;
    if let (Some(pause), false) = (&audited.options.paused, audited.active()) {
        notice(format!("audit of table \"{}\" is already {}", table.name, pause.told()));
        return Ok(false);
    }
    let (since, by) = Spi::get_two::<String, String>(NOW)?;
    let pause = Paused {
        since: since.unwrap_or_default(),
        by: by.unwrap_or_default(),
        reason: reason.to_owned(),
        always: audited.state == "always",
    };
    record::write(&table, b'P', &json!({ "reason": reason }))?;
    audited.options.paused = Some(pause);
    set(&table, &audited, "disabled")?;
    Ok(true)
}

fn resume(relation: Option<Oid>) -> Result<bool> {
    let (table, mut audited) = own_audited(relation)?;
    let Some(pause) = audited.options.paused.take() else {
        notice(format!("audit of table \"{}\" is not paused, nothing to do", table.name));
        return Ok(false);
    };
    set(&table, &audited, if pause.always { "always" } else { "enabled" })?;
    record::write(
        &table,
        b'R',
        &json!({ "reason": pause.reason, "paused_since": pause.since, "paused_by": pause.by }),
    )?;
    Ok(true)
}

/// Makes the triggers anew, in that state.
fn set(table: &Relation, audited: &Audited, state: &str) -> Result<()> {
    let names = audited::names(Some(audited));
    as_role(extension_owner()?, Fence::Local, || {
        attach(table, &audited.options, state, &names)?;
        leaves::place(table, &audited.options, state)
    })
}
