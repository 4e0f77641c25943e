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
use crate::settings::{self, HardDelete};
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
    /// Columns of the partition keys by which it is a partition; all of them if one is an expression.
    partition_key: Vec<Attribute>,
    /// Whether a row trigger of UPDATE asks for a transition table.
    sees_transition_table: bool,
}

impl Soft {
    fn changes_partition_key(&self, call: &TriggerCall) -> bool {
        let (old, new) = (call.first(), call.second());
        !self.partition_key.iter().all(|a| a.same(&old, &new))
    }
}

type Place = (Oid, u32, ItemPointerData);

thread_local! {
    static SOFT: TriggerCache<Soft> = TriggerCache::new();
    /// The row of a partition that is being updated: relation, command and place; and whether its partition key changes.
    static UPDATED: Cell<Option<(Place, bool)>> = const { Cell::new(None) };
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
        // a trigger that comes after this one may still change it
        let moves = resolved(&call).map_or(true, |soft| soft.changes_partition_key(&call));
        UPDATED.set(Some((here, moves)));
        return Ok(call.keep_new());
    }
    if moves_on(&call, here, statement)? {
        return Ok(call.keep_new());
    }
    let soft = resolved(&call)?;
    if goes_for_good(&call, &soft)? {
        return Ok(call.keep_new());
    }
    if soft.sees_transition_table {
        return Err(transition_table(&call.relation_name()));
    }
    if user::is_without_row_security() && left_alone(&call, &soft)? {
        if settings::HARD_DELETE.get() == HardDelete::Deleted {
            must_be_deleted(&call, &soft)?;
        }
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
fn moves_on(call: &TriggerCall, here: Place, statement: &Statement) -> Result<bool> {
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
    let Some((updated, moves)) = UPDATED.take() else { return Ok(false) };
    let same = (updated.0, updated.1) == (here.0, here.1) && same_place(&updated.2, &here.2);
    // an UPDATE in WITH that another trigger has suppressed is none
    Ok(same && (moves || !statement.deletes()))
}

/// Whether a real DELETE is wanted; 42501 if the role may not want it, 55000 if only rows are to go that are deleted
/// already. Who calls another's function (SECURITY DEFINER) must not choose for its owner; nor must who deletes a row
/// choose for the owners of those that refer to it, and for what their triggers delete.
fn goes_for_good(call: &TriggerCall, soft: &Soft) -> Result<bool> {
    let wanted = settings::HARD_DELETE.get();
    let own_work = user::is_restricted();
    if wanted == HardDelete::Off || (user::is_without_row_security() && !own_work) {
        return Ok(false);
    }
    let table = call.relation_oid();
    if owns_relation(table, user::current()) && (own_work || owns_relation(table, user::outer())) {
        if wanted == HardDelete::Deleted {
            must_be_deleted(call, soft)?;
        }
        return Ok(true);
    }
    Err(Error::not_owner(&call.relation_name())
        .detail("dbguard.hard_delete is set, which is for those who own the table.")
        .hint("RESET dbguard.hard_delete; then a DELETE can be taken back."))
}

/// # Errors
/// 55000 if it is live.
fn must_be_deleted(call: &TriggerCall, soft: &Soft) -> Result<()> {
    if !call.first().is_null(soft.column.number) {
        return Ok(());
    }
    Err(Error::not_in_state(format!("a row of table \"{}\" is not deleted", call.relation_name()))
        .detail("dbguard.hard_delete is \"deleted\", and the row would be deleted for good.")
        .hint("Delete it softly first, or keep the rows that it refers to."))
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
    let relation = call.relation_oid();
    let ancestors = keys::with_ancestors(relation);
    let key = keys::partition_key(&ancestors)?;
    let mut partition_key = attributes_of_call(call);
    partition_key.retain(|a| key.as_ref().is_none_or(|key| key.contains(&a.name)));
    let sees_transition_table = keys::sees_transition_table(relation)?;
    let depends = goes_with.iter().map(|(key, _)| key.relation).chain(ancestors).collect();
    Ok((Soft { column, goes_with, partition_key, sees_transition_table }, depends))
}

/// 0A000
pub fn transition_table(table: &str) -> Error {
    Error::unsupported(format!("rows of table \"{table}\" cannot be deleted softly"))
        .detail("A row trigger of UPDATE asks for a transition table, which a DELETE does not have.")
        .hint("Make it a statement trigger, which does not fire then, or do without the transition table.")
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
