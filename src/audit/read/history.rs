//! The life of one row.

use super::access;
use super::key;
use crate::error::{Error, Result};
use crate::pg::query::{jsonb_param, param, text_param, SetCall};
use pgrx::pg_sys;
use pgrx::prelude::*;

const HISTORY: &str = include_str!("history.sql");
const HISTORY_BY_VALUES: &str = include_str!("history_by_values.sql");

/// dbguard.audit_history(relation, key, since, until): the life of one row, newest last.
#[pg_extern(sql = false)]
fn audit_history(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = history(&SetCall::new(fcinfo)) {
        e.raise();
    }
}

fn history(call: &SetCall) -> Result<()> {
    let relation = call.oid(0).ok_or_else(|| Error::null_argument("relation"))?;
    let key = call.text(1).ok_or_else(|| Error::null_argument("key"))?;
    let (since, until) = (call.arg(2), call.arg(3));
    let always = since.1.is_none() && until.1.is_none();
    let table = access::logged_as(relation)?;
    call.begin();
    let Some(wanted) = key::find(relation, &key)? else {
        let values = jsonb_param(&key);
        return access::with_log(|| {
            let Some(lineage) = access::lineage_of(&table)? else { return Ok(()) };
            call.append_query(HISTORY_BY_VALUES, &[param(lineage), values, since, until])?;
            Ok(())
        });
    };
    let rows = access::with_log(|| {
        let versions = access::versions_of(&table)?;
        call.append_query(HISTORY, &[param(versions), text_param(wanted.as_bytes()), since, until])
    })?;
    // a row that was there before audit was enabled has no history, a key that is nowhere is a mistake
    if rows == 0 && always {
        key::require_row(relation, &key)?;
    }
    Ok(())
}
