//! Asks the view of a user's own rule: as the caller, fenced in, in a read-only subtransaction that is rolled
//! back, with a limit for its time and its locks.

use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::relation::describe;
use crate::pg::user::{self, as_role, Fence};
use crate::pg::{compat, lock, snapshot, subxact::brief_look};
use crate::settings::LINT_VIEW_TIMEOUT;
use dbguard_core::lint::own::Said;
use dbguard_core::quote::qualified;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use serde_json::Value;
use std::cell::Cell;
use std::time::Duration;

/// Findings of one view that are read; a view that says more says too much to be read.
const MOST: usize = 10_000;

thread_local! {
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// One at a time: a view may call lint itself.
struct Asking;

impl Asking {
    fn begin() -> Result<Asking> {
        match ASKED.replace(true) {
            true => {
                Err(Error::not_in_state("the view of another rule asks for it")
                    .hint("Ask lint from outside."))
            }
            false => Ok(Asking),
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKED.set(false);
    }
}

/// What a view says now.
///
/// # Errors
/// 42P01 if there is no such view, 42809 if it is none, 42804 for a column of a wrong type, 42501 if others than the
/// caller could have put code into it, 57014 if it took too long; and its own.
pub fn ask(schema: &str, name: &str, left: Option<Duration>) -> Result<Vec<Said>> {
    let _asking = Asking::begin()?;
    let usual = Duration::from_millis(u64::from(LINT_VIEW_TIMEOUT.get().unsigned_abs()));
    let limit = left.map_or(usual, |left| left.min(usual));
    // what is set inside, and whom it would act as, must not outlive it
    let said = brief_look(limit, || {
        as_role(user::current(), Fence::Restricted, || {
            careful()?;
            let columns = trusted(schema, name)?;
            said(schema, name, &columns)
        })
    });
    let view = qualified(schema, name);
    match said? {
        Some(said) if said.len() > MOST => Err(Error::new(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("view {view} has more than {MOST} rows"),
        )
        .hint("A rule says what is wrong, not everything there is.")),
        Some(said) => Ok(said),
        None => Err(Error::new(
            PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
            format!("view {view} took more than {} ms", limit.as_millis()),
        )
        .hint(match limit == usual {
            true => "Make it faster, or set dbguard.lint_view_timeout higher.",
            false => "Make it faster, or max_seconds larger.",
        })),
    }
}

/// Gone with the subtransaction. What is read-only within one cannot be made otherwise by what it calls. Row
/// security would hide rows: then rather an error.
fn careful() -> Result<()> {
    const CAREFUL: &str = "
        SELECT pg_catalog.set_config('lock_timeout', '200ms', true),
               pg_catalog.set_config('row_security', 'off', true),
               pg_catalog.set_config('transaction_read_only', 'on', true)";
    // not as a change: on a standby that would be refused
    Ok(Spi::connect(|client| client.select(CAREFUL, None, &[]).map(|_| ()))?)
}

/// A column of the view, and its type.
type Column = (String, Oid);

/// The columns of a view whose code the caller may run: functions in a view run as who asks it. So those who can
/// put code there must be able to act as the caller anyway: the owners of the view, of its schema, of what it
/// calls and of the types it meets. Not of what tables bring with them: that runs in every query on them.
fn trusted(schema: &str, name: &str) -> Result<Vec<Column>> {
    let view = qualified(schema, name);
    let missing = || {
        Error::new(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, format!("view {view} does not exist"))
            .hint("Make it again, or take the rule back with dbguard.lint_unregister.")
    };
    let oid = oid_of(schema, name)?.ok_or_else(missing)?;
    // from here on nobody replaces it or gives it away; and what others did before is seen, whatever the
    // transaction's snapshot says
    lock::access_share(oid);
    let now = describe(oid).filter(|r| r.schema == schema && r.name == name).ok_or_else(missing)?;
    if !matches!(now.kind, 'v' | 'm') {
        return Err(Error::wrong_object_type(format!("{view} is not a view"))
            .hint("Name a view or a materialized view."));
    }
    let mut locked = vec![oid];
    // what is locked stays what it is; until nothing new turns up
    loop {
        let (relations, stranger) = uses(oid)?;
        let before = locked.len();
        for relation in relations {
            if !locked.contains(&relation) {
                lock::access_share(relation);
                locked.push(relation);
            }
        }
        match stranger {
            Some((what, role)) => return Err(foreign(&view, &what, &role)),
            None if locked.len() == before => return columns(oid),
            None => {}
        }
    }
}

/// The relations that a view leads to, and what of all it runs belongs to a role that could not act as the caller,
/// with that role.
fn uses(view: Oid) -> Result<(Vec<Oid>, Option<(String, String)>)> {
    snapshot::fresh(|| {
        Spi::connect(|client| {
            let args = [view.into(), compat::CAN_ACT_AS.into()];
            let (mut relations, mut stranger) = (vec![], None);
            for row in client.select(include_str!("sql/own_uses.sql"), None, &args)? {
                relations.extend(row.get::<Oid>(1)?);
                stranger = stranger.or(row.get::<String>(2)?.zip(row.get::<String>(3)?));
            }
            Ok((relations, stranger))
        })
    })
}

fn columns(view: Oid) -> Result<Vec<Column>> {
    snapshot::fresh(|| {
        Spi::connect(|client| {
            let mut columns = vec![];
            for row in client.select(include_str!("sql/own_columns.sql"), None, &[view.into()])? {
                columns.push((
                    row.get::<String>(1)?.unwrap_or_default(),
                    row.get::<Oid>(2)?.unwrap_or(pg_sys::InvalidOid),
                ));
            }
            Ok(columns)
        })
    })
}

fn foreign(view: &str, what: &str, role: &str) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("view {view} could run code of role {role} as you: {role} owns {what}"),
    )
    .hint("Use what belongs to you, or to a role that may act as you, in a schema of your own.")
}

/// As the statement that asks it will find it.
fn oid_of(schema: &str, name: &str) -> Result<Option<Oid>> {
    const OID: &str = "
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2";
    snapshot::fresh(|| {
        Spi::connect(|client| {
            let mut found = client.select(OID, Some(1), &[schema.into(), name.into()])?;
            Ok(found.next().map_or(Ok(None), |row| row.get::<Oid>(1))?)
        })
    })
}

/// Columns that name an object must be of a type that does: a cast of somebody's own would run his code.
fn check_types(view: &str, columns: &[Column]) -> Result<()> {
    const OIDS: [(&str, &[Oid], &str); 2] = [
        ("relation", &[pg_sys::REGCLASSOID, pg_sys::OIDOID], "regclass"),
        ("function", &[pg_sys::REGPROCEDUREOID, pg_sys::REGPROCOID, pg_sys::OIDOID], "regprocedure"),
    ];
    for (name, types, best) in OIDS {
        if columns.iter().any(|(column, kind)| column == name && !types.contains(kind)) {
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
                format!("column \"{name}\" of view {view} must be of type {best}"),
            )
            .hint(format!("For example: SELECT ...::{best} AS {name}.")));
        }
    }
    Ok(())
}

/// All values are read as the text that their types show, so that no cast is called.
fn said(schema: &str, name: &str, columns: &[Column]) -> Result<Vec<Said>> {
    check_types(&qualified(schema, name), columns)?;
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let sql = ddl::lint::own_rule(schema, name, &names);
    let most = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
    Spi::connect(|client| {
        let mut all = vec![];
        for row in client.select(sql.as_str(), Some(most), &[])? {
            let oid = |n| row.get::<Oid>(n).map(|oid| oid.map(Oid::to_u32).filter(|oid| *oid != 0));
            let mut said = Said { relation: oid(1)?, function: oid(2)?, ..Said::default() };
            let texts = row.get::<Vec<Option<String>>>(3)?.unwrap_or_default();
            for ((name, kind), text) in columns.iter().zip(texts) {
                place(&mut said, name, *kind, text);
            }
            all.push(said);
        }
        Ok(all)
    })
}

fn place(said: &mut Said, name: &str, kind: Oid, text: Option<String>) {
    match name {
        "relation" | "function" => {}
        "attribute" => said.attribute = text,
        "message" => said.message = text,
        "severity" => said.severity = text,
        "fix_sql" => said.fix_sql = text,
        "key" => said.key = text,
        "confidence" => said.confidence = text.and_then(|t| t.parse().ok()),
        _ => _ = said.details.insert(name.to_owned(), json(kind, text)),
    }
}

/// A value as details show it: as text what is exact only so.
fn json(kind: Oid, text: Option<String>) -> Value {
    let Some(text) = text else { return Value::Null };
    let read = match kind {
        pg_sys::BOOLOID => return Value::Bool(text == "t"),
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID | pg_sys::FLOAT4OID | pg_sys::FLOAT8OID => {
            serde_json::from_str(&text).ok()
        }
        pg_sys::JSONOID | pg_sys::JSONBOID => serde_json::from_str(&text).ok().filter(Value::is_object),
        _ => None,
    };
    read.unwrap_or(Value::String(text))
}
