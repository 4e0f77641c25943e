//! The triggers: one AFTER row trigger for INSERT, UPDATE and DELETE, one AFTER statement trigger
//! for TRUNCATE.
//!
//! The relation comes from the trigger's own data, never from an argument, and EXECUTE is revoked:
//! nobody can write evidence about a table that is not being changed.

use super::buffer::{self, Entry};
use super::image::{hidden_image, put_image, put_key, put_row, put_tenant};
use super::target::{self, Target};
use super::truncated;
use crate::audit::choose::options::Capture;
use crate::error::{Error, Result};
use crate::pg::moment;
use crate::pg::trigger::{Event, Row, TriggerCall};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::Cell;
use std::rc::Rc;

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

/// What a call needs memory for, kept for the next.
#[derive(Default)]
struct Scratch {
    old: Row<'static>,
    new: Row<'static>,
    bytes: Vec<u8>,
    changed: Vec<bool>,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// More than this is given back after the call.
const MOST_KEPT: usize = 1 << 20;

fn row(fcinfo: pg_sys::FunctionCallInfo) -> Result<()> {
    let call = TriggerCall::new(fcinfo, "audit_row")?;
    if !call.after() || !call.for_each_row() {
        return Err(Error::trigger_protocol("function \"audit_row\" must be fired AFTER ROW")
            .hint("Let dbguard.audit_enable make the trigger."));
    }
    let target = target::of(&call)?;
    // a call within this one (a cast of somebody's own may change an audited table) finds none
    let Scratch { old, new, mut bytes, mut changed } = *SCRATCH.take().unwrap_or_default();
    let (mut old, mut new) = (old.reuse(), new.reuse());
    bytes.clear();
    let entry = match call.event() {
        Event::Insert => {
            call.first_into(&mut new);
            Some(insert(&target, &call, &new, &mut bytes)?)
        }
        Event::Update => {
            call.first_into(&mut old);
            call.second_into(&mut new);
            update(&target, &call, &old, &new, &mut bytes, &mut changed)?
        }
        Event::Delete | Event::Truncate => {
            call.first_into(&mut old);
            Some(delete(&target, &call, &old, &mut bytes)?)
        }
    };
    if let Some(entry) = entry {
        buffer::push(entry, &bytes)?;
    }
    bytes.shrink_to(MOST_KEPT);
    SCRATCH.set(Some(Box::new(Scratch { old: old.reuse(), new: new.reuse(), bytes, changed })));
    Ok(())
}

fn truncate(fcinfo: pg_sys::FunctionCallInfo) -> Result<()> {
    let call = TriggerCall::new(fcinfo, "audit_truncate")?;
    if !call.after() || call.for_each_row() || call.event() != Event::Truncate {
        return Err(Error::trigger_protocol("function \"audit_truncate\" must be fired AFTER TRUNCATE")
            .hint("Let dbguard.audit_enable make the trigger."));
    }
    if truncated::logged_otherwise(&call)? {
        return Ok(());
    }
    let target = target::of(&call)?;
    let at = moment::time_of_this();
    buffer::push(entry(&target, &call, b'T', at), &[])?;
    // TRUNCATE is no query: nobody would tell us of its end
    buffer::flush()
}

fn change(target: &Rc<Target>, call: &TriggerCall, op: u8) -> Entry {
    entry(target, call, op, moment::time_of(call))
}

fn entry(target: &Rc<Target>, call: &TriggerCall, op: u8, at: i64) -> Entry {
    Entry {
        target: target.clone(),
        leaf: call.relation_oid(),
        id: 0,
        at,
        op,
        tenant: None,
        key: None,
        old_key: None,
        old: None,
        new: None,
        moves_on: false,
        command: None,
        hidden: None,
    }
}

fn insert(target: &Rc<Target>, call: &TriggerCall, new: &Row, bytes: &mut Vec<u8>) -> Result<Entry> {
    let second_half = buffer::awaits_second_half();
    Ok(Entry {
        tenant: put_tenant(bytes, target, new),
        key: put_key(bytes, target, new)?,
        new: Some(put_row(bytes, target, new)?),
        command: second_half.then(|| call.command()),
        hidden: if second_half && target.redacts { Some(hidden_image(target, new)?) } else { None },
        ..change(target, call, b'I')
    })
}

fn delete(target: &Rc<Target>, call: &TriggerCall, old: &Row, bytes: &mut Vec<u8>) -> Result<Entry> {
    let moves_on = call.moves_on();
    Ok(Entry {
        tenant: put_tenant(bytes, target, old),
        key: put_key(bytes, target, old)?,
        old: Some(put_row(bytes, target, old)?),
        moves_on,
        command: moves_on.then(|| call.command()),
        hidden: if moves_on && target.redacts { Some(hidden_image(target, old)?) } else { None },
        ..change(target, call, b'D')
    })
}

/// U, or S and B where the row is deleted softly or brought back.
fn kind_of_update(target: &Target, old: &Row, new: &Row) -> u8 {
    let is_null = |row: &Row| target.deleted.as_ref().map(|a| row.is_null(a.number));
    match (is_null(old), is_null(new)) {
        (Some(true), Some(false)) => b'S',
        (Some(false), Some(true)) => b'B',
        _ => b'U',
    }
}

/// None if nothing the log sees has changed.
fn update(
    target: &Rc<Target>,
    call: &TriggerCall,
    old: &Row,
    new: &Row,
    bytes: &mut Vec<u8>,
    changed: &mut Vec<bool>,
) -> Result<Option<Entry>> {
    changed.clear();
    changed.extend(target.columns.iter().map(|c| !c.attribute.same(old, new)));
    if !changed.contains(&true) {
        // not logged, but what made the row came before what changes it next
        moment::time_of(call);
        return Ok(None);
    }
    let moved = target.columns.iter().zip(changed.iter()).any(|(c, changed)| c.in_key && *changed);
    let whole = target.capture == Capture::Full;
    let key = put_key(bytes, target, new)?;
    // 1.0 that becomes 1.00 is a change, and the same key
    let old_key = if moved { put_key(bytes, target, old)? } else { None }
        .filter(|old| key.is_none_or(|key| key.of(bytes) != old.of(bytes)));
    // without a key the whole row before is what names the row
    let old_image = put_image(bytes, target, old, |i| whole || !target.has_key || changed[i])?;
    let new_image = put_image(bytes, target, new, |i| whole || changed[i])?;
    Ok(Some(Entry {
        tenant: put_tenant(bytes, target, new),
        key,
        old_key,
        old: Some(old_image),
        new: Some(new_image),
        ..change(target, call, kind_of_update(target, old, new))
    }))
}
