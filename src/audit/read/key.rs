//! Keys as users write them, and as the log holds them.
//!
//! A user's text is read by the key's own types, and what a table holds is compared by the primary key's
//! own operators. Both may run code of whoever made the type (a domain's CHECK): with the rights of the
//! table's owner, who runs it with every row anyway, and never with the caller's.

use super::access;
use crate::audit::write::image::{key_text, SETTINGS_OF_KEYS};
use crate::catalog;
use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_relation, Attribute};
use crate::pg::guc;
use crate::pg::relation::Relation;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::{Datum, Oid};
use pgrx::prelude::*;
use serde_json::Value;
use std::ffi::CString;

/// The key as the log holds it, from the user's text. Where values can be equal and read differently
/// (a collation that ignores case), as the row that is there now reads. Raises the error the user must
/// see: no such form, not a value of the column's type, columns of the key missing.
/// For a table without a primary key: None, and the text must be a JSON object of columns.
pub fn find(relation: Oid, key: &str) -> Result<Option<String>> {
    as_owner(relation, |table| {
        let mut values = values_of(table, key)?;
        if values.iter().any(|v| v.attribute.equal_may_read_otherwise()) {
            if let Some(texts) = there_now(table, &values)? {
                let attributes = values.into_iter().map(|v| v.attribute);
                let again = || attributes.zip(texts).map(|(a, text)| read(a, text)).collect::<Result<_>>();
                values = guc::with(SETTINGS_OF_KEYS, again)?;
            }
        }
        text_of(&values)
    })
}

/// Raises P0002 when the table surely holds no row with this key: not where the caller may not look.
pub fn require_row(relation: Oid, key: &str) -> Result<()> {
    const READABLE: &str = "SELECT pg_catalog.has_table_privilege($1, 'SELECT')";
    let readable = Spi::connect(|client| {
        client.select(READABLE, Some(1), &[relation.into()])?.first().get_one::<bool>()
    })?;
    if readable != Some(true)
        || as_owner(relation, |table| there_now(table, &values_of(table, key)?))?.is_some()
    {
        return Ok(());
    }
    let name = catalog::relation(relation)?.name;
    Err(Error::new(
        PgSqlErrorCode::ERRCODE_NO_DATA_FOUND,
        format!("row with key {key} of table \"{name}\" does not exist"),
    )
    .detail("It is not in the table, and the audit log knows of no change to it.")
    .hint("Give the value of the primary key as text, or a JSON object when it has several columns."))
}

/// The key as the log holds it, whatever the table holds.
pub fn spelled(relation: Oid, key: &str) -> Result<Option<String>> {
    as_owner(relation, |table| text_of(&values_of(table, key)?))
}

fn as_owner<T>(relation: Oid, f: impl FnOnce(&Relation) -> Result<T>) -> Result<T> {
    let table = access::logged_as(relation)?;
    as_role(table.owner, Fence::Restricted, || f(&table))
}

struct KeyValue {
    attribute: Attribute,
    datum: Datum,
}

fn text_of(values: &[KeyValue]) -> Result<Option<String>> {
    let pairs: Vec<(&Attribute, Datum)> = values.iter().map(|v| (&v.attribute, v.datum)).collect();
    key_text(&Attribute::row_of(&pairs), pairs.iter().map(|(a, _)| *a))
}

/// The key of the row that has these values, column by column in the order of the table, as texts; None if
/// there is no such row.
fn there_now(table: &Relation, values: &[KeyValue]) -> Result<Option<Vec<String>>> {
    const COLUMNS: &str = "
        SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), n.nspname::text, o.oprname::text
        FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) u(attnum, opclass)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
        JOIN pg_opclass c ON c.oid = u.opclass
        JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
          AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
        JOIN pg_operator o ON o.oid = m.amopopr
        JOIN pg_namespace n ON n.oid = o.oprnamespace
        WHERE i.indrelid = $1 AND i.indisprimary
        ORDER BY a.attnum";
    if values.is_empty() || !matches!(table.kind, 'r' | 'p') {
        return Ok(None);
    }
    let look = || -> std::result::Result<Option<Vec<String>>, pgrx::spi::Error> {
        Spi::connect(|client| {
            let mut columns = vec![];
            for row in client.select(COLUMNS, None, &[table.oid.into()])? {
                let text = |n: usize| row.get::<String>(n).map(Option::unwrap_or_default);
                let (name, equals) = (text(1)?, (text(3)?, text(4)?));
                if let Some(v) = values.iter().find(|v| v.attribute.name == name) {
                    let value = v.attribute.text(v.datum);
                    columns.push(ddl::audit::KeyColumn { name, type_name: text(2)?, equals, value });
                }
            }
            let query = ddl::audit::key_of_row(&table.schema, &table.name, table.kind == 'p', &columns);
            client.select(&query, Some(1), &[])?.next().map_or(Ok(None), |row| row.get(1))
        })
    };
    Ok(guc::with(SETTINGS_OF_KEYS, look)?)
}

/// The key columns, each with its value. Read under the caller's settings: dates are as the caller writes them.
fn values_of(table: &Relation, key: &str) -> Result<Vec<KeyValue>> {
    let names = table.key();
    let attributes: Vec<Attribute> =
        attributes_of_relation(table.oid).into_iter().filter(|a| names.contains(&a.name)).collect();
    if let [_] = attributes.as_slice() {
        return attributes.into_iter().map(|a| read(a, key.to_owned())).collect();
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
            Some(Value::String(text)) => read(a, text.clone()),
            Some(value) if !value.is_null() => read(a, value.to_string()),
            _ => Err(Error::invalid_parameter(format!("column \"{}\" is missing from the key", a.name))
                .detail(format!("The primary key has the columns {}.", names.join(", ")))),
        })
        .collect()
}

fn read(attribute: Attribute, text: String) -> Result<KeyValue> {
    let c_text = CString::new(text.as_str())
        .map_err(|_| Error::invalid_parameter("a key cannot contain a NUL character"))?;
    let datum = attribute.parse(&c_text);
    Ok(KeyValue { attribute, datum })
}
