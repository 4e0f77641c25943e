//! Rows as the log keeps them: jsonb images and keys.

use super::target::{Column, Target};
use crate::error::{Error, Result};
use crate::pg::attribute::{jsonb_text, numeric_text, Attribute};
use crate::pg::trigger::Row;
use dbguard_core::jsonb::{key_order, write_object, Value};
use pgrx::PgSqlErrorCode;

/// What stands in the log for a value that is not to be seen.
const REDACTED: &[u8] = b"[redacted]";

/// The columns of `row` that `wanted` picks, as a jsonb datum.
pub fn image(target: &Target, row: &Row, wanted: impl Fn(&Column) -> bool) -> Result<Vec<u8>> {
    let pairs: Vec<(&[u8], Value)> = target
        .columns
        .iter()
        .filter(|c| wanted(c))
        .map(|c| {
            let value = if c.redact && !row.is_null(c.attribute.number) {
                Value::String(REDACTED)
            } else {
                c.attribute.json(row, false)
            };
            (c.attribute.name.as_bytes(), value)
        })
        .collect();
    object(&pairs)
}

fn object(pairs: &[(&[u8], Value)]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(256);
    write_object(&mut out, pairs).map_err(|_| {
        Error::new(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, "row is too large for the audit log")
            .detail("The values of one row must not exceed 268435455 bytes in all.")
            .hint("Leave the large column out: dbguard.audit_enable(..., exclude => ...).")
    })?;
    Ok(out)
}

/// The key of a row as text: the value itself, or a JSON object when it has several columns.
/// The same from every session: times are in UTC.
pub fn key_text<'a>(row: &Row, columns: impl Iterator<Item = &'a Attribute>) -> Result<Option<String>> {
    let columns: Vec<&Attribute> = columns.collect();
    match columns.as_slice() {
        [] => Ok(None),
        [single] => Ok(Some(scalar_text(&single.json(row, true)))),
        several => {
            let mut pairs: Vec<(&[u8], Value)> =
                several.iter().map(|a| (a.name.as_bytes(), a.json(row, true))).collect();
            pairs.sort_by(|a, b| key_order(a.0, b.0));
            Ok(Some(jsonb_text(&object(&pairs)?)))
        }
    }
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
