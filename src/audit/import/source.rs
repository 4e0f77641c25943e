//! Another tool's log: which it is, by its columns.

use crate::catalog;
use crate::ddl::import::{Kind, Source};
use crate::error::{Error, Result};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

const ENTRY_IDS: &[&str] = &["int8", "int4"];
const WORDS: &[&str] = &["text", "varchar", "bpchar", "name", "enum"];
const TIME: &[&str] = &["timestamptz"];
const IMAGE: &[&str] = &["hstore", "jsonb", "json"];

type Column = (&'static str, &'static [&'static str]);

/// supa_audit's record_version.
const RECORD_VERSION: &[Column] = &[
    ("id", ENTRY_IDS),
    ("op", WORDS),
    ("ts", TIME),
    ("table_schema", WORDS),
    ("table_name", WORDS),
    ("record", &["jsonb"]),
    ("old_record", &["jsonb"]),
];

/// logged_actions of the audit trigger that 2ndQuadrant published, and of its descendants.
const LOGGED_ACTIONS: &[Column] = &[
    ("event_id", ENTRY_IDS),
    ("schema_name", WORDS),
    ("table_name", WORDS),
    ("action_tstamp_tx", TIME),
    ("action", WORDS),
    ("row_data", IMAGE),
    ("changed_fields", IMAGE),
];

/// What else may be there, used if it is of such a type.
const OPTIONAL: &[Column] = &[
    ("auth_uid", &["uuid"]),
    ("auth_role", WORDS),
    ("action_tstamp_stm", TIME),
    ("transaction_id", &["int8", "int4"]),
    ("session_user_name", WORDS),
    ("application_name", WORDS),
    ("client_addr", &["inet"]),
    ("client_query", WORDS),
];

/// Raises 42809 unless the relation is a table of a form that is known.
pub fn of(relation: Oid) -> Result<Source> {
    let table = catalog::relation(relation)?;
    // a view would run somebody's functions with the rights of whoever imports
    if !matches!(table.kind, 'r' | 'p') {
        return Err(Error::wrong_object_type(format!("\"{}\" is not a table", table.name))
            .hint("Name the table of the other tool's log, such as audit.record_version."));
    }
    let columns = columns(relation)?;
    let lacks = |form: &[Column]| -> Vec<&'static str> {
        form.iter().filter(|column| !has(&columns, column)).map(|(name, _)| *name).collect()
    };
    let (version, actions) = (lacks(RECORD_VERSION), lacks(LOGGED_ACTIONS));
    let kind = if version.is_empty() {
        Kind::RecordVersion
    } else if actions.is_empty() {
        Kind::LoggedActions
    } else {
        return Err(Error::wrong_object_type(format!(
            "\"{}\" is not an audit log of a known form",
            table.name
        ))
        .detail(format!(
            "For supa_audit's record_version it lacks {}; for logged_actions it lacks {}.",
            version.join(", "),
            actions.join(", ")
        ))
        .hint("Columns must have the names and types that the other tool gave them."));
    };
    Ok(Source {
        kind,
        texts_only: columns.iter().any(|(name, kind)| name == "row_data" && kind == "hstore"),
        columns: OPTIONAL.iter().filter(|c| has(&columns, c)).map(|(name, _)| *name).collect(),
        schema: table.schema,
        name: table.name,
    })
}

fn has(columns: &[(String, String)], (name, types): &Column) -> bool {
    columns.iter().any(|(n, kind)| n == name && types.contains(&kind.as_str()))
}

/// Names and types, these as PostgreSQL's own names; "enum" for any of that kind, and "hstore" only
/// for the real one: casting a type of somebody's own would run his code.
fn columns(relation: Oid) -> Result<Vec<(String, String)>> {
    const COLUMNS: &str = "
        SELECT a.attname::text,
               CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace OR e.extname = 'hstore' THEN t.typname::text
                    WHEN t.typtype = 'e' THEN 'enum'
                    ELSE '' END
        FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
        LEFT JOIN pg_extension e ON e.oid = d.refobjid
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped";
    Spi::connect(|client| {
        let mut columns = vec![];
        for row in client.select(COLUMNS, None, &[relation.into()])? {
            columns
                .push((row.get::<String>(1)?.unwrap_or_default(), row.get::<String>(2)?.unwrap_or_default()));
        }
        Ok(columns)
    })
}
