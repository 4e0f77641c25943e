//! The trigger that turns a DELETE into an UPDATE of one column.

use super::keys::{self, ForeignKey};
use crate::cache::TriggerCache;
use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_call, Attribute};
use crate::pg::compat::owns_relation;
use crate::pg::executor::{same_place, Statement};
use crate::pg::kept::Kept;
use crate::pg::trigger::{Event, TriggerCall};
use crate::pg::user::{self, as_role, Fence};
use crate::pg::{datetime, guc, xact};
use crate::settings;
use crate::touch::moment;
use pgrx::pg_sys::{self, Datum, ItemPointerData, Oid};
use pgrx::prelude::*;
use std::cell::Cell;
use std::rc::Rc;

pub const DEFAULT_COLUMN: &str = "deleted_at";

/// The table as the trigger knows it.
struct Soft {
    column: Attribute,
    /// Foreign keys with which the table's rows go: with the statement that asks whether the row is still there
    /// that a row refers to.
    goes_with: Vec<(ForeignKey, String)>,
}

thread_local! {
    static SOFT: TriggerCache<Soft> = TriggerCache::new();
    /// The row of a partition that is being updated: relation, command and place.
    static UPDATED: Cell<Option<(Oid, u32, ItemPointerData)>> = const { Cell::new(None) };
    static DELETED: Cell<u64> = const { Cell::new(0) };
}

fn forget(relid: Option<Oid>) {
    SOFT.with(|cache| cache.forget(relid));
}

/// How many rows this session has deleted so.
pub fn deleted() -> u64 {
    DELETED.get()
}

#[pg_extern(sql = false)]
fn soft_delete(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    let statement = Statement::of_trigger();
    match fired(fcinfo, &statement) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

fn fired(fcinfo: pg_sys::FunctionCallInfo, statement: &Statement) -> Result<Datum> {
    let call = TriggerCall::new(fcinfo, "soft_delete")?;
    let event = call.event();
    if !call.before() || !call.for_each_row() || !matches!(event, Event::Delete | Event::Update) {
        return Err(Error::trigger_protocol(
            "function \"soft_delete\" must be fired BEFORE DELETE FOR EACH ROW",
        )
        .hint("Let dbguard.soft_delete_enable make the trigger."));
    }
    let here = (call.relation_oid(), xact::command(), call.place());
    if event == Event::Update {
        UPDATED.set(Some(here));
        return Ok(call.keep_new());
    }
    if moves_on(&call, here)? || goes_for_good(&call)? {
        return Ok(call.keep_new());
    }
    let soft = resolved(&call)?;
    if user::is_without_row_security() && left_alone(&call, &soft)? {
        return Ok(call.keep_new());
    }
    let nothing = Datum::null();
    if !call.first().is_null(soft.column.number) {
        return Ok(nothing);
    }
    if call.update_instead(soft.column.number, Some(now(&soft.column))) {
        DELETED.set(DELETED.get() + 1);
        statement.count_row();
    }
    Ok(nothing)
}

/// Whether the row is not deleted, but moved to another partition by an UPDATE: that has fired the same trigger for
/// the same row just before.
fn moves_on(call: &TriggerCall, here: (Oid, u32, ItemPointerData)) -> Result<bool> {
    let (kind, is_partition) = call.kind();
    let name = call.relation_name();
    if kind != 'r' {
        return Err(Error::unsupported(format!(
            "\"{name}\" cannot be soft-deleted from: it is not an ordinary table"
        ))
        .hint("Drop the trigger, or SET dbguard.hard_delete = on."));
    }
    if !is_partition {
        return Ok(false);
    }
    if !call.made_for_update() {
        return Err(Error::not_in_state(format!(
            "\"{name}\" has become a partition since soft delete was enabled"
        ))
        .detail("A row that an UPDATE moves to another partition could not be told from one that is deleted.")
        .hint("Disable soft delete on it, and enable it on the partitioned table."));
    }
    let updated = UPDATED.take();
    Ok(updated.is_some_and(|(relation, command, place)| {
        (relation, command) == (here.0, here.1) && same_place(&place, &here.2)
    }))
}

/// Whether a real DELETE is wanted; 42501 if the role may not want it.
fn goes_for_good(call: &TriggerCall) -> Result<bool> {
    if !settings::HARD_DELETE.get() {
        return Ok(false);
    }
    if owns_relation(call.relation_oid(), user::current()) {
        return Ok(true);
    }
    Err(Error::not_owner(&call.relation_name())
        .detail("dbguard.hard_delete is on, which is for those who own the table.")
        .hint("RESET dbguard.hard_delete; then a DELETE can be taken back."))
}

fn resolved(call: &TriggerCall) -> Result<Rc<Soft>> {
    let key = (call.relation_oid(), call.trigger_oid());
    SOFT.with(|cache| cache.get(key, forget, |_| true, || guc::with_pinned_search_path(|| resolve(call))))
}

fn resolve(call: &TriggerCall) -> Result<(Soft, Vec<Oid>)> {
    let column = column_of(call, call.args().into_iter().next().as_deref().unwrap_or(DEFAULT_COLUMN))?;
    let goes = keys::referred(call.relation_oid())?.into_iter().filter(|key| key.on_delete == 'c');
    let goes_with: Vec<_> = goes
        .map(|key| {
            let there = ddl::soft_delete::any(&key.named(), None, &key.pairs());
            (key, there)
        })
        .collect();
    let depends = goes_with.iter().map(|(key, _)| key.relation).collect();
    Ok((Soft { column, goes_with }, depends))
}

/// # Errors
/// 42703 if the table has no such column, 42804 if it cannot hold a time, 42809 if it is generated.
pub fn column_of(call: &TriggerCall, name: &str) -> Result<Attribute> {
    let table = call.relation_name();
    let column = attributes_of_call(call).into_iter().find(|a| a.name == name).ok_or_else(|| {
        Error::undefined_column(name, &table).hint("Call dbguard.soft_delete_enable again.")
    })?;
    fits(&column)?;
    Ok(column)
}

/// # Errors
/// 42804 if the column cannot hold a time, 42809 if it is generated.
pub fn fits(column: &Attribute) -> Result<()> {
    let name = &column.name;
    if column.generated {
        return Err(Error::wrong_object_type(format!("column \"{name}\" is a generated column"))
            .hint("Name a column that can be set."));
    }
    if moment::fits(column) {
        return Ok(());
    }
    Err(Error::new(
        PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        format!("column \"{name}\" must be of type {}", moment::TYPES),
    )
    .hint("A domain over one of them will do as well."))
}

/// now() as a value of the column: all that one transaction deletes has the same.
fn now(column: &Attribute) -> Datum {
    let value = datetime::as_type(xact::start_timestamp(), column.base, column.base_typmod);
    let value = value.unwrap_or(Datum::null());
    column.check_domain(Some(value));
    value
}

/// Whether a foreign key deletes the row because the one it refers to is gone: it cannot stay behind, then. Looked up
/// with the rights of the owner of that table, as the server does.
fn left_alone(call: &TriggerCall, soft: &Soft) -> Result<bool> {
    let row = call.first();
    let names = attributes_of_call(call);
    let number = |name: &String| names.iter().find(|a| a.name == *name).map_or(0, |a| a.number);
    for (key, there) in &soft.goes_with {
        let numbers: Vec<i16> = key.own.iter().map(number).collect();
        // a NULL refers to nothing
        if numbers.iter().any(|n| row.is_null(*n)) {
            continue;
        }
        let args: Vec<_> = numbers.iter().map(|n| call.argument(&row, *n)).collect();
        let found = as_role(key.owner, Fence::Qualified, || {
            guc::forgotten(&[], || {
                Spi::connect_mut(|client| {
                    client.update(Kept(there), Some(1), &args).map(|found| !found.is_empty())
                })
            })
        })?;
        if !found {
            return Ok(true);
        }
    }
    Ok(false)
}
