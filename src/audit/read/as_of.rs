//! A table as it was at a moment.
//!
//! Backward from the present: the table is read as it is, with the caller's rights; the log says which
//! rows are not as they were, and what they were.

use super::access;
use super::key;
use super::version::{self, Versions};
use crate::audit::choose::audited;
use crate::audit::write::image::{shortened, SETTINGS_OF_KEYS};
use crate::catalog;
use crate::ddl::as_of as ddl;
use crate::error::{Error, Result};
use crate::pg::attribute::attributes_of_relation;
use crate::pg::populate::{populate, with_rows_of};
use crate::pg::query::{each, text_param, Param, SetCall};
use crate::pg::relation::Relation;
use crate::pg::subxact::subtransaction;
use crate::pg::{datetime, guc, types};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

/// dbguard.audit_as_of(row, at, key).
#[pg_extern(sql = false)]
fn audit_as_of(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = as_of(&SetCall::new(fcinfo)) {
        e.raise();
    }
}

fn as_of(call: &SetCall) -> Result<()> {
    let table = table_of_type(call.arg(0).0)?;
    let moment = call.timestamptz(1).ok_or_else(|| Error::null_argument("at"))?;
    check_audited(&table)?;
    let key = match call.text(2) {
        Some(_) if table.key().is_empty() => return Err(no_key(&table)),
        // read by its type's own function, under the caller's settings
        Some(key) => key::find(table.oid, &key)?,
        None => None,
    };
    let added = access::with_log(|| added_since(&table, moment, call.arg(1)))?;
    let shown = described(&table, &added)?;
    let query = match (&key, table.key().is_empty()) {
        (Some(_), _) => shown.row(),
        (None, false) => shown.whole(),
        (None, true) => shown.by_whole_rows(),
    };
    let mut params = vec![call.arg(1)];
    params.extend(key.as_ref().map(|key| text_param(key.as_bytes())));
    call.begin();
    // keys must read as they read in the log
    let run = || guc::with(SETTINGS_OF_KEYS, || call.append_query(&query, &params));
    with_rows_of(table.oid, table.owner, || match subtransaction(run) {
        Ok(_) => Ok(()),
        Err(e) => Err(explained(e, &table, &shown, call.arg(1), key.as_deref())),
    })
}

/// The table a row type is of; 42809 if there is none.
fn table_of_type(type_oid: Oid) -> Result<Relation> {
    const TABLE: &str = "SELECT typrelid FROM pg_type WHERE oid = $1";
    let relation =
        Spi::connect(|client| client.select(TABLE, Some(1), &[type_oid.into()])?.first().get_one::<Oid>())?;
    let hint = "Name the table by its row type: SELECT * FROM dbguard.audit_as_of(NULL::orders, ...).";
    let table = match relation.filter(|r| *r != pg_sys::InvalidOid) {
        Some(relation) => catalog::relation(relation)?,
        None => return Err(Error::wrong_object_type("the first argument is not a row of a table").hint(hint)),
    };
    match table.kind {
        'r' | 'p' if !table.is_partition => Ok(table),
        'r' | 'p' => Err(Error::wrong_object_type(format!("\"{}\" is a partition", table.name))
            .hint("Name the partitioned table: its log holds the changes of all partitions.")),
        _ => Err(Error::wrong_object_type(format!("\"{}\" is not a table", table.name)).hint(hint)),
    }
}

/// Whether the log holds all changes from the moment audit was enabled until now.
fn check_audited(table: &Relation) -> Result<()> {
    let name = &table.name;
    let Some(audited) = audited::of(table)?.filter(|a| a.active()) else {
        return Err(Error::not_in_state(format!("table \"{name}\" is not audited"))
            .detail("What it was can only be told if all changes since are in the log.")
            .hint(format!("To audit it from now on: SELECT dbguard.audit_enable('{name}').")));
    };
    if !audited.is_whole() {
        return Err(Error::unsupported(format!("not all changes to table \"{name}\" are logged"))
            .detail("What it was can only be told if all changes since are in the log.")
            .hint("Look at single changes: dbguard.audit_history, dbguard.audit_changes."));
    }
    let hidden = !audited.options.exclude.is_empty() || !audited.options.redact.is_empty();
    if table.key().is_empty() && hidden {
        return Err(no_key(table).detail(
            "Without one, rows are told apart by all their columns, and some are excluded or redacted.",
        ));
    }
    Ok(())
}

fn no_key(table: &Relation) -> Error {
    Error::unsupported(format!("table \"{}\" has no primary key", table.name)).hint(
        "Give it a primary key, or look at single changes: dbguard.audit_history, dbguard.audit_changes.",
    )
}

/// The columns whose values now say nothing of the moment, and whether the log knew one of that name
/// then. Raises 55000 if that is before audit began.
fn added_since(table: &Relation, moment: i64, at: Param) -> Result<Vec<(String, bool)>> {
    let lineage = access::lineage_of(table)?;
    let since = lineage.map(version::audited_since).transpose()?.flatten();
    let (Some(lineage), Some(since)) = (lineage, since) else {
        return Err(Error::not_in_state(format!("the log knows nothing of table \"{}\"", table.name)));
    };
    if moment < since {
        return Err(Error::not_in_state(format!(
            "table \"{}\" was not audited yet at {}",
            table.name,
            datetime::shown(moment)
        ))
        .detail(format!("It is audited since {}.", datetime::shown(since)))
        .hint("Ask for a later moment."));
    }
    let versions = Versions::of(table)?;
    Ok(Versions::at(lineage, at)?.map(|id| versions.added_since(id, table)).unwrap_or_default())
}

fn described(table: &Relation, added: &[(String, bool)]) -> Result<ddl::Table> {
    let (key, attributes) = (table.key(), attributes_of_relation(table.oid));
    let of_key: Vec<_> = attributes.iter().filter(|a| key.contains(&a.name)).collect();
    let mut columns: Vec<ddl::Column> = table
        .columns
        .iter()
        .map(|c| ddl::Column {
            name: c.name.clone(),
            type_name: c.type_name.clone(),
            added: added.iter().any(|(name, _)| *name == c.name),
            unknown: added.iter().any(|(name, known)| *name == c.name && !known),
            composite: attributes.iter().any(|a| a.name == c.name && types::is_composite(a.type_oid)),
            computed: None,
        })
        .collect();
    // the others have no stored value
    for column in columns.iter_mut().filter(|c| !attributes.iter().any(|a| a.name == c.name)) {
        column.computed = expression(table.oid, &column.name)?;
    }
    Ok(ddl::Table {
        oid: table.oid.to_u32(),
        schema: table.schema.clone(),
        name: table.name.clone(),
        partitioned: table.kind == 'p',
        columns,
        comparable: of_key.iter().all(|a| types::compares_built_in(a.type_oid)),
        key: of_key
            .iter()
            .map(|a| ddl::KeyColumn { name: a.name.clone(), shown: types::shown(a.type_oid) })
            .collect(),
    })
}

/// What a generated column is computed by.
fn expression(table: Oid, column: &str) -> Result<Option<String>> {
    const EXPRESSION: &str = "
        SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
        JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE a.attrelid = $1 AND a.attname = $2::name";
    Ok(Spi::connect(|client| {
        client.select(EXPRESSION, Some(1), &[table.into(), column.into()])?.first().get_one::<String>()
    })?)
}

/// The error with the name of the value that could not be read, if it was one.
fn explained(e: Error, table: &Relation, shown: &ddl::Table, at: Param, key: Option<&str>) -> Error {
    let class = e.sqlstate();
    if !class.starts_with("22") && !class.starts_with("23") {
        return e;
    }
    let mut found = None;
    let params = [at, access::optional_text(key)];
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let search = each(&shown.unreadable(), &params, |row| {
        if row.bytes(1).is_some() {
            found = Some((text(row.bytes(0)), text(row.bytes(1)), text(row.bytes(2))));
        }
        Ok(())
    });
    match (search, found) {
        (Ok(()), Some((place, column, problem))) => Error::new(
            e.code(),
            format!(
                "value of column \"{column}\" then, in the row with key {place} of table \"{}\", does not fit the column now",
                table.name
            ),
        )
        .detail(problem)
        .hint("The type of the column has changed since. dbguard.audit_history shows the value as it was logged."),
        _ => e,
    }
}

/// A row of the table being read, from its image.
#[pg_extern(sql = false)]
fn audit_populated(fcinfo: pg_sys::FunctionCallInfo) -> Option<i64> {
    match populate(fcinfo) {
        Ok(row) => row,
        Err(()) => Error::unsupported("function \"_audit_populated\" is for dbguard.audit_as_of").raise(),
    }
}

/// A key too long to be kept whole, as the log keeps it.
#[pg_extern(sql = false)]
fn audit_shortened(key: &str) -> String {
    shortened(key.to_owned())
}

/// How many of equal rows there were, in a table without a key: the number itself, unless the log says
/// that there were fewer than none.
#[pg_extern(sql = false)]
fn audit_matched(
    relation: Oid,
    rows: pgrx::AnyNumeric,
) -> std::result::Result<i64, pgrx::pg_sys::panic::ErrorReport> {
    let rows = i64::try_from(rows).unwrap_or_default();
    if rows >= 0 {
        return Ok(rows);
    }
    let name = catalog::relation(relation)?.name;
    Err(Error::unsupported(format!("rows of table \"{name}\" cannot be matched with the log"))
        .detail("The table has no primary key, and holds fewer of some rows than the log says: its columns have changed since, or you may not see all rows.")
        .hint("Ask for a later moment, or look at single changes: dbguard.audit_history, dbguard.audit_changes.")
        .into())
}
