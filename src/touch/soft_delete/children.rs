//! Rows that refer to a row which is deleted, or brought back: what its foreign keys say of a DELETE holds.

use super::keys::{self, ForeignKey};
use super::trigger::column_of;
use crate::cache::TriggerCache;
use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_call, Attribute};
use crate::pg::guc;
use crate::pg::kept::Kept;
use crate::pg::trigger::{Event, Row, TriggerCall};
use crate::pg::user::{as_role, Fence};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use std::cell::RefCell;

/// What becomes of the rows that refer by one foreign key.
enum Act {
    /// ON DELETE CASCADE: they go with it, and come back with it.
    Follow { go: String, come_back: String },
    /// NO ACTION, RESTRICT: while there are any, it stays.
    Refuse { any: String },
}

struct Referring {
    key: ForeignKey,
    act: Act,
    /// What is referred to, in the table of the call.
    numbers: Vec<i16>,
}

struct Parent {
    column: Attribute,
    referring: Vec<Referring>,
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
    for referring in &parent.referring {
        match (&referring.act, old.is_null(number), new.is_null(number)) {
            (Act::Follow { go, .. }, true, false) => {
                referring.run(&call, go, Some(call.argument(&new, number)), &new)?;
            }
            (Act::Follow { come_back, .. }, false, true) => {
                let rows = referring.run(&call, come_back, Some(call.argument(&old, number)), &new)?;
                count(referring.key.relation, rows);
            }
            (Act::Refuse { any }, true, false) if referring.run(&call, any, None, &new)? > 0 => {
                return Err(refused(&call, &referring.key));
            }
            _ => {}
        }
    }
    Ok(())
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
            ('c', Some((deleted, of_type))) => {
                if *of_type != column.base {
                    return Err(types_differ(&call.relation_name(), &key.table, deleted));
                }
                Act::Follow {
                    go: ddl::soft_delete::follow(&child, deleted, &key.pairs()),
                    come_back: ddl::soft_delete::come_back(&child, deleted, &key.pairs()),
                }
            }
            ('a' | 'r', deleted) => {
                let live = deleted.as_ref().map(|(column, _)| column.as_str());
                Act::Refuse { any: ddl::soft_delete::any(&child, live, &key.pairs()) }
            }
            // rows without soft delete could not be brought back; what SET NULL forgets neither
            _ => continue,
        };
        let numbers = key.own.iter().map(number).collect();
        referring.push(Referring { key, act, numbers });
    }
    Ok((Parent { column, referring }, depends))
}

impl Referring {
    /// As the owner of the table that refers, as the server runs its own foreign keys. What his triggers set of the
    /// session is forgotten: dbguard.hard_delete must not be theirs to set for others.
    fn run(&self, call: &TriggerCall, sql: &str, time: Option<DatumWithOid>, row: &Row) -> Result<usize> {
        let key = self.numbers.iter().map(|n| call.argument(row, *n));
        let args: Vec<DatumWithOid> = time.into_iter().chain(key).collect();
        as_role(self.key.owner, Fence::Qualified, || {
            guc::forgotten(&[], || {
                Ok(Spi::connect_mut(|client| client.update(Kept(sql), None, &args).map(|done| done.len()))?)
            })
        })
    }
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
            "column \"{column}\" of table \"{child}\" is of another type than that of table \"{parent}\""
        ),
    )
    .detail("Rows that go together are known by the same time.")
    .hint("Give both columns one type, or enable soft delete with children => 'keep'.")
}
