//! soft_delete_restore: brings a row back, and what went with it.

use super::children::counted;
use super::keys::primary_key;
use super::status;
use crate::catalog;
use crate::catalog::writable;
use crate::ddl;
use crate::ddl::soft_delete::{named, Key};
use crate::error::{notice, Error, Result};
use crate::pg::attribute::{attributes_of_relation, Attribute};
use crate::pg::guc;
use crate::pg::relation::Relation;
use crate::pg::subxact::{look, told};
use crate::pg::user::{self, as_role, Fence};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use serde_json::Value;
use std::ffi::CString;

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn soft_delete_restore(
    relation: Option<Oid>,
    key: Option<&str>,
    dry_run: Option<bool>,
) -> std::result::Result<TableIterator<'static, (name!(relation, Oid), name!(rows, i64))>, ErrorReport> {
    writable("soft_delete_restore")?;
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let key = key.ok_or_else(|| Error::null_argument("key"))?;
    let superuser = user::is_superuser();
    let run = || told(|| restore(relation, key)).map_err(|error| hinted(error, superuser));
    let rows = match dry_run {
        // what would be done is what is done, and taken back
        Some(true) => look(run)?,
        _ => run()?,
    };
    Ok(TableIterator::new(rows))
}

/// A unique value that somebody else has by now; what a superuser does within a fence only.
fn hinted(error: Error, superuser: bool) -> Error {
    match error.code() {
        PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION => {
            error.hint("Another row has the value since: change that one, or delete it.")
        }
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE if superuser => error.hint(
            "A superuser restores with the rights of the table's owner and is fenced in. SET ROLE to the owner, and restore.",
        ),
        _ => error,
    }
}

fn restore(relation: Oid, key: &str) -> Result<Vec<(Oid, i64)>> {
    let table = catalog::relation(relation)?;
    let (state, columns) =
        guc::with_pinned_search_path(|| Ok::<_, Error>((status::of(relation)?, primary_key(relation)?)))?;
    let state = state.ok_or_else(|| {
        Error::not_in_state(format!("soft delete of table \"{}\" is not enabled", table.name))
            .hint("SELECT dbguard.soft_delete_enable('...');")
    })?;
    if columns.is_empty() {
        return Err(Error::not_in_state(format!("table \"{}\" has no primary key", table.name))
            .hint("Set the column to NULL by an UPDATE."));
    }
    // a superuser must not run what triggers and domains of others do
    let fenced = user::is_superuser() && table.owner != user::current();
    if !fenced {
        return row_back(&table, &state.column, &columns, key);
    }
    let path = guc::value(c"search_path").and_then(|path| CString::new(path).ok()).unwrap_or_default();
    as_role(table.owner, Fence::RestrictedAllRows, || {
        guc::with(&[(c"search_path", &path)], || row_back(&table, &state.column, &columns, key))
    })
}

fn row_back(table: &Relation, column: &str, key: &[Key], given: &str) -> Result<Vec<(Oid, i64)>> {
    let named = named(&table.schema, &table.name, table.kind == 'p');
    let args = values(table, key, given)?;
    let update = ddl::soft_delete::restore_row(&named, column, key);
    let run = || Ok(Spi::connect_mut(|client| client.update(&update, None, &args).map(|done| done.len()))?);
    let (rows, others) = counted(run)?;
    if rows == 0 {
        let look = ddl::soft_delete::look_at_row(&named, column, key);
        let there = Spi::connect(|client| {
            let mut found = client.select(&look, Some(1), &args)?;
            found.next().map_or(Ok(None), |row| row.get::<bool>(1))
        })
        .map_err(|e: pgrx::spi::Error| Error::from(e))?;
        match there {
            Some(false) => notice(format!(
                "row with key {given} of table \"{}\" is not deleted, nothing to do",
                table.name
            )),
            Some(true) => {
                return Err(Error::not_in_state(format!(
                    "row with key {given} of table \"{}\" stays deleted",
                    table.name
                ))
                .hint("A trigger of the table, or a policy, keeps you from updating it."));
            }
            None => {
                return Err(Error::new(
                    PgSqlErrorCode::ERRCODE_NO_DATA_FOUND,
                    format!("row with key {given} of table \"{}\" does not exist", table.name),
                )
                .hint("Give the value of the primary key as text, or a JSON object when it has several columns."));
            }
        }
        return Ok(vec![]);
    }
    // of a tree in one table, too
    let own = others.iter().filter(|(relation, _)| *relation == table.oid).map(|(_, rows)| rows).sum::<i64>();
    let others = others.iter().filter(|(relation, _)| *relation != table.oid).copied();
    Ok(std::iter::once((table.oid, rows as i64 + own)).chain(others).collect())
}

/// The values of the key, read by its types: text, or a JSON object when there are several columns.
fn values(table: &Relation, key: &[Key], given: &str) -> Result<Vec<DatumWithOid<'static>>> {
    let attributes = attributes_of_relation(table.oid);
    let of = |name: &str| -> Result<&Attribute> {
        attributes.iter().find(|a| a.name == name).ok_or_else(|| Error::undefined_column(name, &table.name))
    };
    let texts: Vec<String> = match key {
        [_] => vec![given.to_owned()],
        several => {
            let object =
                serde_json::from_str::<Value>(given).ok().filter(Value::is_object).ok_or_else(|| {
                    Error::invalid_parameter(format!("\"{given}\" is no key of table \"{}\"", table.name))
                        .hint(format!(
                            "The key has several columns; give a JSON object: {{{}}}.",
                            several
                                .iter()
                                .map(|k| format!("\"{}\": ...", k.name))
                                .collect::<Vec<_>>()
                                .join(", ")
                        ))
                })?;
            let text = |k: &Key| match object.get(&k.name) {
                None | Some(Value::Null) => {
                    Err(Error::invalid_parameter(format!("the key has no value for \"{}\"", k.name))
                        .hint("Give every column of the primary key."))
                }
                Some(Value::String(text)) => Ok(text.clone()),
                Some(other) => Ok(other.to_string()),
            };
            several.iter().map(text).collect::<Result<_>>()?
        }
    };
    key.iter()
        .zip(texts)
        .map(|(k, text)| {
            let attribute = of(&k.name)?;
            let text =
                CString::new(text).map_err(|_| Error::invalid_parameter("a key has no NUL character"))?;
            Ok(attribute.argument(&text))
        })
        .collect()
}
