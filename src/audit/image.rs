//! Rows as the log keeps them: jsonb images and keys.

use super::target::{Column, Target};
use crate::error::{Error, Result};
use crate::pg::attribute::{jsonb_text, numeric_text, Attribute};
use crate::pg::guc;
use crate::pg::trigger::Row;
use dbguard_core::jsonb::{key_order, write_object, Refused, Value};
use pgrx::PgSqlErrorCode;
use std::ffi::CStr;

/// What stands in the log for a value that is not to be seen.
const REDACTED: &[u8] = b"[redacted]";

/// The columns of `row` that `wanted` picks by position, as a jsonb datum.
pub fn image(target: &Target, row: &Row, wanted: impl Fn(usize) -> bool) -> Result<Vec<u8>> {
    let shown = |column: &'_ Column| {
        if column.redact && !row.is_null(column.attribute.number) {
            Ok(Value::String(REDACTED))
        } else {
            column.attribute.json(row, false)
        }
    };
    let picked = target.columns.iter().enumerate().filter(|(i, _)| wanted(*i));
    let pairs: Vec<(&[u8], Value)> =
        picked.map(|(_, c)| Ok((c.attribute.name.as_bytes(), shown(c)?))).collect::<Result<_>>()?;
    object(&pairs)
}

fn object(pairs: &[(&[u8], Value)]) -> Result<Vec<u8>> {
    let mut out = vec![];
    match write_object(&mut out, pairs) {
        Ok(()) => Ok(out),
        Err(Refused::TooLarge) => Err(Error::new(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            "row is too large for the audit log",
        )
        .detail("The values of one row must not exceed 268435455 bytes in all.")
        .hint("Leave the large column out: dbguard.audit_enable(..., exclude => ...).")),
        Err(Refused::OutOfMemory) => Err(Error::new(PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY, "out of memory")
            .detail("The image of a row for the audit log did not fit.")),
    }
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

const SETTINGS_OF_KEYS: &[(&CStr, &CStr)] = &[
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
        return Ok(scalar_text(&single.json(row, true)?));
    }
    let mut pairs: Vec<(&[u8], Value)> =
        columns.iter().map(|a| Ok((a.name.as_bytes(), a.json(row, true)?))).collect::<Result<_>>()?;
    pairs.sort_by(|a, b| key_order(a.0, b.0));
    Ok(jsonb_text(&object(&pairs)?))
}

fn shortened(text: String) -> String {
    if text.len() <= MAX_KEY {
        return text;
    }
    let cut = (0..=KEPT_OF_LONG_KEY).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    format!("{}... sha256:{}", &text[..cut], dbguard_core::hash::hex(text.as_bytes()))
}

fn scalar_text(value: &Value) -> String {
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
