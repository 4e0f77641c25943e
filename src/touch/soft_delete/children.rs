//! Rows that refer to a row which is deleted, or brought back: what its foreign keys say of a DELETE holds.

use super::keys::{self, ForeignKey};
use super::trigger::column_of;
use crate::cache::TriggerCache;
use crate::catalog;
use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_call, Attribute};
use crate::pg::kept::Kept;
use crate::pg::query::{each, Param};
use crate::pg::snapshot::fresh;
use crate::pg::trigger::{Event, Row, TriggerCall};
use crate::pg::user::{as_role, Fence};
use crate::pg::{guc, xact};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use std::cell::RefCell;

/// What becomes of the rows that refer by one foreign key.
enum Act {
    /// ON DELETE CASCADE: they go with it, and come back with it.
    Follow { go: String, come_back: String },
    /// NO ACTION, RESTRICT: while there are any, it stays.
    Refuse,
}

struct Referring {
    key: ForeignKey,
    act: Act,
    /// Asks for live rows that refer.
    any: String,
    /// What is referred to, in the table of the call.
    numbers: Vec<i16>,
}

struct Parent {
    column: Attribute,
    referring: Vec<Referring>,
    /// Locks the row, as its table's owner.
    lock: String,
    owner: Oid,
}

thread_local! {
    static PARENTS: TriggerCache<Parent> = TriggerCache::new();
    /// How many rows came back since somebody began to count.
    static BACK: RefCell<Vec<(Oid, i64)>> = const { RefCell::new(vec![]) };
}

fn forget(relid: Option<Oid>) {
    PARENTS.with(|cache| cache.forget(relid));
}

/// Runs `f`, and says how many rows of which tables came back with others.
pub fn counted<T>(f: impl FnOnce() -> Result<T>) -> Result<(T, Vec<(Oid, i64)>)> {
    BACK.take();
    let done = f()?;
    Ok((done, BACK.take()))
}

fn count(relation: Oid, rows: usize) {
    let rows = rows as i64;
    BACK.with_borrow_mut(|all| match all.iter_mut().find(|(r, _)| *r == relation) {
        Some((_, n)) => *n += rows,
        None if rows > 0 => all.push((relation, rows)),
        None => {}
    });
}

#[pg_extern(sql = false)]
fn soft_delete_children(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    if let Err(e) = fired(fcinfo) {
        e.raise();
    }
    0
}

fn fired(fcinfo: pg_sys::FunctionCallInfo) -> Result<()> {
    let call = TriggerCall::new(fcinfo, "soft_delete_children")?;
    if !call.after() || !call.for_each_row() || call.event() != Event::Update {
        return Err(Error::trigger_protocol(
            "function \"soft_delete_children\" must be fired AFTER UPDATE FOR EACH ROW",
        )
        .hint("Let dbguard.soft_delete_enable make the trigger."));
    }
    let key = (call.relation_oid(), call.trigger_oid());
    let parent = PARENTS
        .with(|cache| cache.get(key, forget, |_| true, || guc::with_pinned_search_path(|| resolve(&call))))?;
    let (old, new, number) = (call.first(), call.second(), parent.column.number);
    let (was_live, is_live) = (old.is_null(number), new.is_null(number));
    if was_live && !is_live && !parent.referring.is_empty() {
        parent.keep_children_out(&call)?;
    }
    for referring in &parent.referring {
        match (&referring.act, was_live, is_live) {
            (Act::Follow { go, .. }, true, false) => {
                referring.run(&call, go, Some(call.argument(&new, number)), &new)?;
                if xact::keeps_its_snapshot() && referring.any_unseen(&call, &new)? {
                    return Err(unseen(&referring.key));
                }
            }
            (Act::Follow { come_back, .. }, false, true) => {
                let rows = referring.run(&call, come_back, Some(call.argument(&old, number)), &new)?;
                count(referring.key.relation, rows);
            }
            (Act::Refuse, true, false)
                if referring.run(&call, &referring.any, None, &new)? > 0
                    || (xact::keeps_its_snapshot() && referring.any_unseen(&call, &new)?) =>
            {
                return Err(refused(&call, &referring.key));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Parent {
    /// Waits for those who are inserting a row that refers to this one, and lets nobody begin to. A DELETE has done so by
    /// itself.
    fn keep_children_out(&self, call: &TriggerCall) -> Result<()> {
        if call.was_locked_to_delete() {
            return Ok(());
        }
        as_role(self.owner, Fence::Qualified, || {
            guc::forgotten(&[], || {
                Spi::connect_mut(|client| {
                    client.update(Kept(&self.lock), None, &[call.new_place()]).map(|_| ())
                })
            })
        })?;
        Ok(())
    }
}

fn resolve(call: &TriggerCall) -> Result<(Parent, Vec<Oid>)> {
    let name = call.args().into_iter().next().unwrap_or_default();
    let column = column_of(call, &name)?;
    let attributes = attributes_of_call(call);
    let number = |name: &String| attributes.iter().find(|a| a.name == *name).map_or(0, |a| a.number);
    let keys = keys::referring(call.relation_oid())?;
    let depends = keys.iter().map(|key| key.relation).collect();
    let mut referring = vec![];
    for key in keys {
        let child = key.named();
        let act = match (key.on_delete, &key.deleted) {
            ('c', Some(deleted)) => {
                if !deleted.holds(&column) {
                    return Err(types_differ(&call.relation_name(), &key.table, &deleted.column));
                }
                Act::Follow {
                    go: ddl::soft_delete::follow(&child, &deleted.column, &key.pairs()),
                    come_back: ddl::soft_delete::come_back(&child, &deleted.column, &key.pairs()),
                }
            }
            ('a' | 'r', _) => Act::Refuse,
            // rows without soft delete could not be brought back; what SET NULL forgets neither
            _ => continue,
        };
        let live = key.deleted.as_ref().map(|d| d.column.as_str());
        let any = ddl::soft_delete::any(&child, live, &key.pairs());
        let numbers = key.own.iter().map(number).collect();
        referring.push(Referring { key, act, any, numbers });
    }
    let table = catalog::relation(call.relation_oid())?;
    let lock = ddl::soft_delete::lock_row(&table.schema, &table.name);
    Ok((Parent { column, referring, lock, owner: table.owner }, depends))
}

impl Referring {
    /// As the owner of the table that refers, as the server runs its own foreign keys. What his triggers set of the
    /// session is forgotten: dbguard.hard_delete must not be theirs to set for others, nor that of others be theirs.
    fn run(&self, call: &TriggerCall, sql: &str, time: Option<DatumWithOid>, row: &Row) -> Result<usize> {
        let key = self.numbers.iter().map(|n| call.argument(row, *n));
        let args: Vec<DatumWithOid> = time.into_iter().chain(key).collect();
        as_role(self.key.owner, Fence::Qualified, || {
            guc::forgotten(&[(c"dbguard.hard_delete", c"off")], || {
                Ok(Spi::connect_mut(|client| client.update(Kept(sql), None, &args).map(|done| done.len()))?)
            })
        })
    }

    /// Whether a live row refers to it that the transaction's snapshot does not show.
    fn any_unseen(&self, call: &TriggerCall, row: &Row) -> Result<bool> {
        let key: Vec<Param> = self.numbers.iter().map(|n| call.param(row, *n)).collect();
        let mut any = false;
        as_role(self.key.owner, Fence::Qualified, || {
            guc::forgotten(&[], || {
                fresh(|| {
                    each(&self.any, &key, |_| {
                        any = true;
                        Ok(())
                    })
                })
            })
        })?;
        Ok(any)
    }
}

/// A row that this transaction cannot see, since it was made after it began.
fn unseen(key: &ForeignKey) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        "could not serialize access due to concurrent update",
    )
    .detail(format!("A row of table \"{}\" that refers to the deleted one was made meanwhile.", key.table))
    .hint("The transaction might succeed if retried.")
}

fn refused(call: &TriggerCall, key: &ForeignKey) -> Error {
    let table = call.relation_name();
    Error::new(
        PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION,
        format!(
            "delete on table \"{table}\" violates foreign key constraint \"{}\" on table \"{}\"",
            key.name, key.table
        ),
    )
    .detail(format!("The row is still referred to from table \"{}\".", key.table))
    .hint("Delete those rows first, or enable soft delete with children => 'keep'.")
}

pub fn types_differ(parent: &str, child: &str, column: &str) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        format!(
            "column \"{column}\" of table \"{child}\" is of another type or precision than that of table \"{parent}\""
        ),
    )
    .detail("Rows that go together are known by the same time.")
    .hint("Give both columns one type and precision, or enable soft delete with children => 'keep'.")
}
