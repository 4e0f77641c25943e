//! Rows as the log keeps them: jsonb images and keys, written one behind the other into a buffer.

use super::target::{Column, Target};
use crate::audit::choose::options::Redaction;
use crate::error::{Error, Result};
use crate::pg::attribute::Attribute;
use crate::pg::guc;
use crate::pg::trigger::Row;
use crate::pg::varlena::{jsonb_text, numeric_text, without_trailing_zeros};
use crate::settings;
use dbguard_core::jsonb::{self, key_order, Object, Refused, Value};
use pgrx::PgSqlErrorCode;
use std::ffi::CStr;
use std::io::Write;

/// What stands in the log for a value that is not to be seen.
const REDACTED: &[u8] = b"[redacted]";

/// Where a datum lies in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.end]
    }

    /// Without the length word.
    pub fn body(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start + 4..self.end]
    }

    pub fn moved(self, by: usize) -> Span {
        Span { start: self.start + by, end: self.end + by }
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Span {
        Span { start: range.start, end: range.end }
    }
}

/// Appends all columns of `row`, as a jsonb datum.
pub fn put_row(out: &mut Vec<u8>, target: &Target, row: &Row) -> Result<Span> {
    let mut object = Object::with_keys(out, &target.keys).map_err(refused)?;
    for column in &target.columns {
        put_value(target, column, row, &mut object).map_err(refused)?;
    }
    Ok(object.end().into())
}

/// Appends the columns of `row` that `wanted` picks by position, as a jsonb datum.
pub fn put_image(
    out: &mut Vec<u8>,
    target: &Target,
    row: &Row,
    wanted: impl Fn(usize) -> bool,
) -> Result<Span> {
    let picked = || target.columns.iter().enumerate().filter(|(i, _)| wanted(*i)).map(|(_, c)| c);
    put(out, picked, |column, object| put_value(target, column, row, object))
}

fn put_value(
    target: &Target,
    column: &Column,
    row: &Row,
    object: &mut Object,
) -> std::result::Result<(), Refused> {
    if column.redact && !row.is_null(column.attribute.number) {
        redacted(target, column, row, object)
    } else {
        column.attribute.with_json(row, false, |value| object.value(value))
    }
}

/// A keyed hash of the value where that is asked for and there is a key, else the same words for all.
fn redacted(
    target: &Target,
    column: &Column,
    row: &Row,
    object: &mut Object,
) -> std::result::Result<(), Refused> {
    let key = guc::string(&settings::REDACT_KEY).filter(|key| !key.is_empty());
    match key.filter(|_| target.redact_with == Redaction::Hash) {
        Some(key) => {
            let text = column.attribute.with_json(row, true, scalar_text);
            let hash = format!("hmac-sha256:{}", dbguard_core::hash::keyed_hex(&key, text.as_bytes()));
            object.value(&Value::String(hash.as_bytes()))
        }
        None => object.value(&Value::String(REDACTED)),
    }
}

/// The redacted columns as they really are: never logged, only compared.
pub fn hidden_image(target: &Target, row: &Row) -> Result<Vec<u8>> {
    let mut out = vec![];
    let hidden = || target.columns.iter().filter(|c| c.redact);
    put(&mut out, hidden, |column, object| {
        column.attribute.with_json(row, false, |value| object.value(value))
    })?;
    Ok(out)
}

fn put<'t, I: Iterator<Item = &'t Column>>(
    out: &mut Vec<u8>,
    columns: impl Fn() -> I,
    mut value: impl FnMut(&Column, &mut Object) -> std::result::Result<(), Refused>,
) -> Result<Span> {
    let mut object = Object::begin(out, columns().count()).map_err(refused)?;
    for column in columns() {
        object.key(column.attribute.name.as_bytes()).map_err(refused)?;
    }
    for column in columns() {
        value(column, &mut object).map_err(refused)?;
    }
    Ok(object.end().into())
}

pub fn refused(why: Refused) -> Error {
    match why {
        Refused::TooLarge => {
            Error::new(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, "row is too large for the audit log")
                .detail("The values of one row must not exceed 268435455 bytes in all.")
                .hint("Leave the large column out: dbguard.audit_enable(..., exclude => ...).")
        }
        Refused::OutOfMemory => Error::new(PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY, "out of memory")
            .detail("The image of a row for the audit log did not fit."),
    }
}

/// Appends the row's key as a text datum; None for a table without one.
pub fn put_key(out: &mut Vec<u8>, target: &Target, row: &Row) -> Result<Option<Span>> {
    if !target.has_key {
        return Ok(None);
    }
    jsonb::align(out);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut columns = target.columns.iter().filter(|c| c.in_key).map(|c| &c.attribute);
    match (columns.next(), columns.next()) {
        // the usual keys, without a detour
        (Some(single), None) if !single.follows_settings() && !single.is_jsonb() => {
            single.with_json(row, true, |value| match value {
                Value::Int(n) => drop(write!(out, "{n}")),
                Value::String(bytes) if bytes.len() <= MAX_KEY => out.extend_from_slice(bytes),
                other => out.extend_from_slice(shortened(key_value_text(single, other)).as_bytes()),
            });
        }
        _ => {
            let columns = target.columns.iter().filter(|c| c.in_key).map(|c| &c.attribute);
            out.extend_from_slice(key_text(row, columns)?.unwrap_or_default().as_bytes());
        }
    }
    jsonb::set_length(out, start);
    Ok(Some(Span { start, end: out.len() }))
}

/// Appends the row's tenant as a text datum, if a column of the table says it.
pub fn put_tenant(out: &mut Vec<u8>, target: &Target, row: &Row) -> Option<Span> {
    let attribute = target.tenant.as_ref().filter(|a| !row.is_null(a.number))?;
    jsonb::align(out);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(shortened(attribute.with_json(row, true, scalar_text)).as_bytes());
    jsonb::set_length(out, start);
    Some(Span { start, end: out.len() })
}

/// A key is indexed: a longer one is cut, and told apart by its hash.
const MAX_KEY: usize = 1000;
const KEPT_OF_LONG_KEY: usize = 200;

/// The key of a row as text: the value itself, or a JSON object when it has several columns.
/// The same from every session, whatever its settings.
pub fn key_text<'a>(row: &Row, columns: impl Iterator<Item = &'a Attribute>) -> Result<Option<String>> {
    let columns: Vec<&Attribute> = columns.collect();
    if columns.is_empty() {
        return Ok(None);
    }
    let text = if columns.iter().any(|a| a.follows_settings()) {
        guc::with(SETTINGS_OF_KEYS, || plain_key_text(row, &columns))
    } else {
        plain_key_text(row, &columns)
    }?;
    Ok(Some(shortened(text)))
}

pub const SETTINGS_OF_KEYS: &[(&CStr, &CStr)] = &[
    (c"bytea_output", c"hex"),
    (c"datestyle", c"ISO"),
    (c"extra_float_digits", c"1"),
    (c"intervalstyle", c"postgres"),
    (c"lc_monetary", c"C"),
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"timezone", c"UTC"),
    (c"xmlbinary", c"base64"),
];

fn plain_key_text(row: &Row, columns: &[&Attribute]) -> Result<String> {
    if let [single] = columns {
        if single.is_jsonb() {
            // 3 and "3" are two keys
            return Ok(single.text_in(row));
        }
        return Ok(single.with_json(row, true, |value| key_value_text(single, value)));
    }
    let mut sorted = columns.to_vec();
    sorted.sort_by(|a, b| key_order(a.name.as_bytes(), b.name.as_bytes()));
    let mut out = vec![];
    let mut object = Object::begin(&mut out, sorted.len()).map_err(refused)?;
    for attribute in &sorted {
        object.key(attribute.name.as_bytes()).map_err(refused)?;
    }
    for attribute in &sorted {
        let put = |value: &Value| match value {
            Value::Numeric(body) if attribute.is_numeric() => {
                object.value(&Value::Numeric(without_trailing_zeros(body)))
            }
            other => object.value(other),
        };
        attribute.with_json(row, true, put).map_err(refused)?;
    }
    object.end();
    Ok(jsonb_text(&out))
}

pub fn shortened(text: String) -> String {
    if text.len() <= MAX_KEY {
        return text;
    }
    let cut = (0..=KEPT_OF_LONG_KEY).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    format!("{}... sha256:{}", &text[..cut], dbguard_core::hash::hex(text.as_bytes()))
}

/// How a key of one column reads: 1.00 and 1 are the same key.
fn key_value_text(attribute: &Attribute, value: &Value) -> String {
    match value {
        Value::Numeric(body) if attribute.is_numeric() => numeric_text(without_trailing_zeros(body)),
        other => scalar_text(other),
    }
}

/// A scalar as text.
pub fn scalar_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Numeric(body) => numeric_text(body),
        Value::String(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        // as jsonb prints it: behind a length word, which jsonb_text skips
        Value::Container(bytes) => jsonb_text(&[&[0; 4], *bytes].concat()),
    }
}
