//! The triggers: one AFTER row trigger for INSERT, UPDATE and DELETE, one AFTER statement trigger
//! for TRUNCATE.
//!
//! The relation comes from the trigger's own data, never from an argument, and EXECUTE is revoked:
//! nobody can write evidence about a table that is not being changed.

use super::image::{image, key_text};
use super::log::{append, Change};
use super::options::Capture;
use super::target::{self, Target};
use crate::error::{Error, Result};
use crate::pg::trigger::{Event, Row, TriggerCall};
use pgrx::pg_sys;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn audit_row(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    if let Err(e) = row(fcinfo) {
        e.raise();
    }
    0
}

#[pg_extern(sql = false)]
fn audit_truncate(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    if let Err(e) = truncate(fcinfo) {
        e.raise();
    }
    0
}

fn row(fcinfo: pg_sys::FunctionCallInfo) -> Result<()> {
    let call = TriggerCall::new(fcinfo, "audit_row")?;
    if !call.after() || !call.for_each_row() {
        return Err(Error::trigger_protocol("function \"audit_row\" must be fired AFTER ROW")
            .hint("Let dbguard.audit_enable make the trigger."));
    }
    let target = target::of(&call)?;
    let change = match call.event() {
        Event::Insert => insert(&target, &call.first())?,
        Event::Update => match update(&target, &call.first(), &call.second())? {
            Some(change) => change,
            None => return Ok(()),
        },
        Event::Delete | Event::Truncate => delete(&target, &call.first())?,
    };
    append(&target, &change)
}

fn truncate(fcinfo: pg_sys::FunctionCallInfo) -> Result<()> {
    let call = TriggerCall::new(fcinfo, "audit_truncate")?;
    if !call.after() || call.for_each_row() || call.event() != Event::Truncate {
        return Err(Error::trigger_protocol("function \"audit_truncate\" must be fired AFTER TRUNCATE")
            .hint("Let dbguard.audit_enable make the trigger."));
    }
    let target = target::of(&call)?;
    append(&target, &Change { op: b'T', key: None, old_key: None, old: None, new: None })
}

fn key(target: &Target, row: &Row) -> Result<Option<String>> {
    key_text(row, target.columns.iter().filter(|c| c.in_key).map(|c| &c.attribute))
}

fn insert(target: &Target, new: &Row) -> Result<Change> {
    Ok(Change {
        op: b'I',
        key: key(target, new)?,
        old_key: None,
        old: None,
        new: Some(image(target, new, |_| true)?),
    })
}

fn delete(target: &Target, old: &Row) -> Result<Change> {
    Ok(Change {
        op: b'D',
        key: key(target, old)?,
        old_key: None,
        old: Some(image(target, old, |_| true)?),
        new: None,
    })
}

/// None if nothing the log sees has changed.
fn update(target: &Target, old: &Row, new: &Row) -> Result<Option<Change>> {
    let changed: Vec<bool> = target.columns.iter().map(|c| !c.attribute.same(old, new)).collect();
    if !changed.contains(&true) {
        return Ok(None);
    }
    let moved = target.columns.iter().zip(&changed).any(|(c, changed)| c.in_key && *changed);
    let whole = target.capture == Capture::Full;
    // without a key the whole row before is what names the row
    let old_image = image(target, old, |i| whole || !target.has_key || changed[i])?;
    let new_image = image(target, new, |i| whole || changed[i])?;
    Ok(Some(Change {
        op: b'U',
        key: key(target, new)?,
        old_key: if moved { key(target, old)? } else { None },
        old: Some(old_image),
        new: Some(new_image),
    }))
}
