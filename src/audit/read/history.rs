//! The life of one row, and keys as users write them.

use super::access;
use crate::audit::write::image::key_text;
use crate::catalog;
use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_relation, Attribute};
use crate::pg::query::{jsonb_param, param, text_param, SetCall};
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::prelude::*;
use serde_json::Value;
use std::ffi::CString;

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
    // a key is read by its type's own function: with the caller's rights, before the log's are taken
    let Some(wanted) = log_key(relation, &key)? else {
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
    if rows == 0 && always {
        require_row(relation, &key)?;
    }
    Ok(())
}

/// The key as the log holds it, from the user's text. Raises the error the user must see: no such
/// form, not a value of the column's type, columns of the key missing.
/// For a table without a primary key: None, and the text must be a JSON object of columns.
pub fn log_key(relation: Oid, key: &str) -> Result<Option<String>> {
    let values = key_values(relation, key)?;
    let pairs: Vec<(&Attribute, Datum)> = values.iter().map(|(a, d, _)| (a, *d)).collect();
    key_text(&Attribute::row_of(&pairs), pairs.iter().map(|(a, _)| *a))
}

/// Raises P0002 unless the table holds a row with this key. For a key the log knows nothing of: a
/// row that was there before audit was enabled has no history, a key that is nowhere is a mistake.
fn require_row(relation: Oid, key: &str) -> Result<()> {
    const READABLE: &str = "SELECT pg_catalog.has_table_privilege($1, 'SELECT')";
    const TYPE: &str = "
        SELECT pg_catalog.format_type(a.atttypid, a.atttypmod)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1 AND a.attnum = $2";
    let table = catalog::relation(relation)?;
    let readable = Spi::connect(|client| {
        client.select(READABLE, Some(1), &[relation.into()])?.first().get_one::<bool>()
    })?;
    let values = key_values(relation, key)?;
    // how values of a type of somebody's own compare is not ours to say
    let comparable = values.iter().all(|(a, _, _)| a.is_built_in());
    if readable != Some(true) || values.is_empty() || !comparable || !matches!(table.kind, 'r' | 'p') {
        return Ok(());
    }
    let mut conditions = vec![];
    for (attribute, _, text) in &values {
        let type_name = Spi::connect(|client| {
            let args = [relation.into(), attribute.number.into()];
            client.select(TYPE, Some(1), &args)?.first().get_one::<String>()
        })?;
        conditions.push((attribute.name.clone(), type_name.unwrap_or_default(), text.clone()));
    }
    let query = ddl::audit::row_exists(&table.schema, &table.name, &conditions);
    let exists = Spi::connect(|client| client.select(&query, Some(1), &[])?.first().get_one::<bool>())?;
    if exists == Some(true) {
        return Ok(());
    }
    Err(Error::new(
        PgSqlErrorCode::ERRCODE_NO_DATA_FOUND,
        format!("row with key {key} of table \"{}\" does not exist", table.name),
    )
    .detail("It is not in the table, and the audit log knows of no change to it.")
    .hint("Give the value of the primary key as text, or a JSON object when it has several columns."))
}

/// The key columns, each with its value and the value's text.
fn key_values(relation: Oid, key: &str) -> Result<Vec<(Attribute, Datum, String)>> {
    let names = catalog::relation(relation)?.key();
    let attributes: Vec<Attribute> =
        attributes_of_relation(relation).into_iter().filter(|a| names.contains(&a.name)).collect();
    if let [_] = attributes.as_slice() {
        return attributes.into_iter().map(|a| with_value(a, key.to_owned())).collect();
    }
    let object = match serde_json::from_str::<Value>(key) {
        Ok(Value::Object(object)) => object,
        _ => {
            let detail = if names.is_empty() {
                "The table has no primary key.".to_owned()
            } else {
                format!("The primary key has several columns: {}.", names.join(", "))
            };
            return Err(Error::invalid_parameter(format!("invalid key: {key}"))
                .detail(detail)
                .hint("Give a JSON object of columns and values, such as '{\"a\": 1, \"b\": 2}'."));
        }
    };
    if attributes.is_empty() {
        return Ok(vec![]);
    }
    if let Some(unknown) = object.keys().find(|k| !names.contains(k)) {
        return Err(Error::invalid_parameter(format!("column \"{unknown}\" is not part of the primary key"))
            .detail(format!("The primary key has the columns {}.", names.join(", "))));
    }
    attributes
        .into_iter()
        .map(|a| match object.get(&a.name) {
            Some(Value::String(text)) => with_value(a, text.clone()),
            Some(value) if !value.is_null() => with_value(a, value.to_string()),
            _ => Err(Error::invalid_parameter(format!("column \"{}\" is missing from the key", a.name))
                .detail(format!("The primary key has the columns {}.", names.join(", ")))),
        })
        .collect()
}

fn with_value(attribute: Attribute, text: String) -> Result<(Attribute, Datum, String)> {
    let c_text = CString::new(text.as_str())
        .map_err(|_| Error::invalid_parameter("a key cannot contain a NUL character"))?;
    let datum = attribute.parse(&c_text);
    Ok((attribute, datum, text))
}
