//! What is wrong with a table's audit, and what is worth knowing of it.

use super::audited::{self, is_row_trigger, Audited};
use super::leaves;
use super::options::Found;
use crate::ddl::audit::ROW_TRIGGER;
use crate::error::Result;
use crate::pg::relation::{of_ours, Relation};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::ffi::CStr;

/// More partitions than this are counted, not named.
const NAMED: usize = 3;

/// What is not as audit_enable left it.
pub fn of(table: &Relation, audited: &Audited) -> Result<Vec<String>> {
    if let Some(pause) = &audited.options.paused {
        return Ok(vec![match audited.active() {
            false => pause.told(),
            true => {
                format!("{}; but its trigger was enabled otherwise: call dbguard.audit_resume", pause.told())
            }
        }]);
    }
    if !audited.active() {
        return Ok(vec![format!("changes are not audited: the trigger is {}", audited.state)]);
    }
    let mut list = vec![];
    let rows = audited.options.operations.row_words();
    if !rows.is_empty() && !audited.has_row {
        list.push(format!("{} is not audited: its trigger is missing", rows.join(", ")));
    }
    if audited.options.operations.truncate && !audited.has_truncate {
        list.push("TRUNCATE is not audited: its trigger is missing or disabled".to_owned());
    }
    list.extend(twice(table));
    list.extend(columns(table, audited));
    list.extend(earlier_trigger(table));
    let mut partitions = leaves::uncovered(table, audited);
    if partitions.len() > NAMED {
        let more = partitions.split_off(NAMED).len();
        partitions.push(format!("{more} more partitions are not audited as they should be"));
    }
    list.extend(partitions);
    list.extend(leaves::hindered_owner(table)?.map(|role| {
        format!("role \"{role}\" owns the table since, and cannot make partitions of it: call dbguard.audit_enable")
    }));
    Ok(list)
}

/// Columns that were listed and cannot be found.
fn columns(table: &Relation, audited: &Audited) -> Vec<String> {
    let (columns, here) = (audited::columns(table), audited::home(table));
    let options = &audited.options;
    let mut list = vec![];
    let listed = options.exclude.iter().chain(&options.redact);
    if let Some(lost) = listed.clone().find(|c| options.find(c, &columns, &here) == Found::Lost) {
        list.push(format!(
            "column \"{}\" is excluded or redacted, but does not exist: until audit_enable names it anew, all columns but the key are redacted",
            lost.name
        ));
    }
    if let Some(tenant) = &options.tenant {
        if !matches!(options.find(tenant, &columns, &here), Found::As(_)) {
            list.push(format!(
                "tenant column \"{}\" does not exist: the tenant logged is what setting dbguard.tenant says",
                tenant.name
            ));
        }
    }
    list
}

/// Somebody's own CREATE TRIGGER with our function.
fn twice(table: &Relation) -> Option<String> {
    let ours = table.triggers.iter().filter(|t| is_row_trigger(t) && t.enabled != 'D');
    let names: Vec<String> = ours.map(|t| format!("\"{}\"", t.name)).collect();
    (names.len() > 1).then(|| {
        format!(
            "changes are logged more than once, by triggers {}: call dbguard.audit_enable",
            names.join(" and ")
        )
    })
}

fn earlier_trigger(table: &Relation) -> Option<String> {
    let mut triggers = table.triggers.iter();
    let first = triggers
        .find(|t| t.after_row && !is_row_trigger(t) && t.enabled != 'D' && t.name.as_str() < ROW_TRIGGER)?;
    Some(format!(
        "trigger \"{}\" fires before the audit trigger: what it changes of the same row has the lower id of the two changes, though the later time",
        first.name
    ))
}

/// What is as it may be, but changes what the log can tell. To be called as the log's owner.
pub fn notes(table: &Relation) -> Result<Vec<String>> {
    const LAST_KEY: &str = "
        SELECT key_columns::text[] FROM dbguard.audit_relation
        WHERE home = $1 AND key_columns <> '{}' ORDER BY id DESC LIMIT 1";
    let mut list = leaves::foreign(table);
    if of_ours(c"audit_relation").is_some() {
        let here = audited::home(table);
        let last = Spi::connect(|client| {
            let mut found = client.select(LAST_KEY, Some(1), &[here.into()])?;
            found.next().map_or(Ok(None), |row| row.get::<Vec<String>>(1))
        })?;
        // any other change of the key is noted as the table's next version
        if let (Some(last), true) = (last, table.key().is_empty()) {
            list.push(format!(
                "there is no primary key any more, it was ({}): the log cannot name a row by it",
                last.join(", ")
            ));
        }
    }
    Ok(list)
}

/// Tables of the log and what is wrong with them. To be called as the log's owner.
pub fn of_log() -> Result<Vec<(Oid, String)>> {
    // each asked only if the table is there
    const NETS: [(&CStr, &CStr, &str); 3] = [
        (
            c"audit_change",
            c"audit_change_default",
            "SELECT EXISTS (SELECT FROM dbguard.audit_change_default)",
        ),
        (c"audit_pack", c"audit_pack_default", "SELECT EXISTS (SELECT FROM dbguard.audit_pack_default)"),
        (
            c"audit_context",
            c"audit_context_default",
            "SELECT EXISTS (SELECT FROM dbguard.audit_context_default)",
        ),
    ];
    const DUE: &str = "
        SELECT state, missing FROM dbguard.partition_status()
        WHERE schema_name = 'dbguard' AND table_name = $1 AND state <> 'ok'";
    let mut list = vec![];
    for (name, net, holds_rows) in NETS {
        let Some(table) = of_ours(name) else { continue };
        // a select, not get_one: that asks for a transaction id, which a standby has none of
        let held =
            || Spi::connect(|client| client.select(holds_rows, Some(1), &[])?.first().get_one::<bool>());
        if of_ours(net).is_some() && held()? == Some(true) {
            list.push((
                table,
                "the default partition holds rows: no partition was there for them, and none can be made for their time until they are moved".to_owned(),
            ));
        }
        let name = name.to_string_lossy().into_owned();
        let due = Spi::connect(|client| {
            let mut found = client.select(DUE, Some(1), &[name.into()])?;
            found.next().map_or(Ok(None), |row| Ok(row.get::<String>(1)?.zip(row.get::<i32>(2)?)))
        })
        .map_err(|e: pgrx::spi::Error| e)?;
        if let Some((_, missing)) = due {
            list.push((
                table,
                format!("{missing} partitions are missing: CALL dbguard.partition_maintain()"),
            ));
        }
    }
    Ok(list)
}
