//! audit_import: what another tool logged becomes part of this log.
//!
//! Imported changes have negative ids, so they sort before all that was audited here. Of a table that
//! is audited here already, only what is older than its own audit is taken: the rest is in the log.

mod source;
mod table;

use crate::audit::read::key;
use crate::audit::store::make::make_log;
use crate::catalog::extension_owner;
use crate::ddl;
use crate::ddl::import::{Part, Shape, Source};
use crate::error::{Error, Result};
use crate::pg::subxact::{look, subtransaction};
use crate::pg::user::{as_role, Fence};
use crate::pg::{identity, xact};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use table::{known, Known};

type Row = (String, i64, Option<TimestampWithTimeZone>, Option<TimestampWithTimeZone>, i64, Option<String>);

/// What a source has on a table that was not looked at yet.
struct Found {
    schema: String,
    table: String,
    entries: i64,
    incomplete: i64,
    lowest: i64,
    highest: i64,
    last: i64,
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_import(
    source: Option<Oid>,
    dry_run: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(table_name, String),
            name!(changes, i64),
            name!(first, Option<TimestampWithTimeZone>),
            name!(last, Option<TimestampWithTimeZone>),
            name!(left_out, i64),
            name!(note, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let source = source.ok_or_else(|| Error::null_argument("source"))?;
    let dry_run = dry_run.ok_or_else(|| Error::null_argument("dry_run"))?;
    let source = source::of(source)?;
    // a dry run does the work, and takes it back
    let rows = if dry_run { look(|| import(&source))? } else { import(&source)? };
    Ok(TableIterator::new(rows))
}

fn import(source: &Source) -> Result<Vec<Row>> {
    const ALONE: &str = "LOCK TABLE dbguard.audit_import IN SHARE ROW EXCLUSIVE MODE";
    as_role(extension_owner()?, Fence::Local, make_log)?;
    Spi::run(ALONE)?;
    let found = survey(source)?;
    let (Some(lowest), Some(highest)) =
        (found.iter().map(|f| f.lowest).min(), found.iter().map(|f| f.highest).max())
    else {
        return Ok(vec![]);
    };
    let base = reserve(highest - lowest)? - lowest;
    found.iter().map(|f| import_table(source, f, base)).collect()
}

fn survey(source: &Source) -> Result<Vec<Found>> {
    let query = ddl::import::survey(source);
    Spi::connect(|client| {
        let mut found = vec![];
        for row in client.select(&query, None, &[source.label().into()])? {
            let text = |n| Ok::<_, Error>(row.get::<String>(n)?.unwrap_or_default());
            let number = |n| Ok::<_, Error>(row.get::<i64>(n)?.unwrap_or_default());
            found.push(Found {
                schema: text(1)?,
                table: text(2)?,
                entries: number(3)?,
                incomplete: number(4)?,
                lowest: number(5)?,
                highest: number(6)?,
                last: number(7)?,
            });
        }
        Ok(found)
    })
}

/// The first of `more` + 1 ids that nobody else gets. The table is locked: nobody draws in between.
fn reserve(more: i64) -> Result<i64> {
    const RESERVE: &str = "
        SELECT setval('dbguard.audit_import_id_seq', n.first + $1) - $1
        FROM (SELECT nextval('dbguard.audit_import_id_seq') AS first) n";
    let first =
        Spi::connect_mut(|client| client.update(RESERVE, Some(1), &[more.into()])?.first().get_one::<i64>())?;
    first.ok_or_else(|| Error::internal("the sequence gave no id"))
}

fn import_table(source: &Source, found: &Found, base: i64) -> Result<Row> {
    let label = dbguard_core::quote::qualified(&found.schema, &found.table);
    let left_out = |note: String| (label.clone(), 0, None, None, found.entries, Some(note));
    if let Some(other) = imported_from_elsewhere(source, found)? {
        return Ok(left_out(format!("changes of this table were imported from {other} already")));
    }
    let known = match known(source, &found.schema, &found.table)? {
        Ok(known) => known,
        Err(note) => return Ok(left_out(note)),
    };
    let part = Part { schema: &found.schema, table: &found.table, last: found.last, lineage: known.lineage };
    let late = count(&ddl::import::count_late(source, &part))?;
    let Some(first) = first_time(&ddl::import::first_time(source, &part))? else {
        remember(source, found, 0)?;
        return Ok(left_out(left_out_note(found, late, 0).join("; ")));
    };
    let relation = new_relation(found, &known, first)?;
    let bring = |shape: &Shape| take(&ddl::import::import(source, &part, shape, relation, base));
    let mut notes = vec![];
    let (changes, first, last) = match subtransaction(|| bring(&known.shape)) {
        Ok(taken) => taken,
        Err(e) => {
            notes.push(format!("values do not fit the table as it is now ({}): kept as text", e.message()));
            bring(&as_text(&known.shape))?
        }
    };
    remember(source, found, changes)?;
    if !known.exists {
        notes.push("the table does not exist".to_owned());
    }
    if known.shape.key.is_none() {
        notes.push("no primary key: changes are found by their columns' values".to_owned());
    }
    notes.extend(left_out_note(found, late, changes));
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok((label, changes, first, last, found.entries - changes, note))
}

fn left_out_note(found: &Found, late: i64, changes: i64) -> Vec<String> {
    let unchanged = found.entries - found.incomplete - late - changes;
    let reasons = [
        (late, "since this log audits the table itself"),
        (found.incomplete, "without the row, or of an unknown kind"),
        (unchanged, "that changed nothing"),
    ];
    let some = reasons.into_iter().filter(|(n, _)| *n > 0);
    some.map(|(n, what)| format!("left out: {n} {what}")).collect()
}

/// As the source has it: nothing is read as a value of the table's types.
fn as_text(shape: &Shape) -> Shape {
    let key = shape.key.as_ref().map(|key| ddl::import::Key { columns: key.columns.clone(), relation: None });
    Shape { key, types: vec![], exclude: shape.exclude.clone(), redact: shape.redact.clone() }
}

fn imported_from_elsewhere(source: &Source, found: &Found) -> Result<Option<String>> {
    const ELSEWHERE: &str = "
        SELECT source FROM dbguard.audit_import
        WHERE schema_name = $1 AND table_name = $2 AND source <> $3 AND changes > 0 LIMIT 1";
    Spi::connect(|client| {
        let args = [found.schema.as_str().into(), found.table.as_str().into(), source.label().into()];
        let row = client.select(ELSEWHERE, Some(1), &args)?.next();
        Ok(row.map_or(Ok(None), |row| row.get::<String>(1))?)
    })
}

/// The row of audit_relation for what is imported of a table. It knows no columns: so it is told from
/// those of our own audit, which must not take it for theirs. And it is older than they are: what the
/// table was like when it was audited is for them to say. Its home is this import's alone: the transactions
/// it tells of are not this database's, and seals that were made before must not be short of them.
fn new_relation(found: &Found, known: &Known, since: TimestampWithTimeZone) -> Result<i32> {
    const NEW: &str = "
        INSERT INTO dbguard.audit_relation (id, lineage, schema_name, table_name, home, key_columns, columns, since)
        OVERRIDING SYSTEM VALUE
        SELECT n.id, coalesce($1, n.id), $2::name, $3::name, $4, $5::name[], '{}', $6
        FROM (SELECT nextval('dbguard.audit_relation_id_seq')::int AS id) n
        RETURNING id";
    let key = known.shape.key.as_ref().map(|k| k.columns.clone()).unwrap_or_default();
    let home = format!("import {} of {}/{}", xact::top_id(), identity::database(), known.oid);
    let args = [
        known.lineage.into(),
        found.schema.as_str().into(),
        found.table.as_str().into(),
        home.as_str().into(),
        key.into(),
        since.into(),
    ];
    let id = Spi::connect_mut(|client| client.update(NEW, Some(1), &args)?.first().get_one::<i32>())?;
    id.ok_or_else(|| Error::internal("audit_relation gave no id"))
}

fn remember(source: &Source, found: &Found, changes: i64) -> Result<()> {
    const REMEMBER: &str = "
        INSERT INTO dbguard.audit_import (source, schema_name, table_name, last_id, changes)
        VALUES ($1, $2::name, $3::name, $4, $5)
        ON CONFLICT (source, schema_name, table_name)
        DO UPDATE SET last_id = excluded.last_id, changes = audit_import.changes + excluded.changes, at = DEFAULT";
    let args = [
        source.label().into(),
        found.schema.as_str().into(),
        found.table.as_str().into(),
        found.highest.into(),
        changes.into(),
    ];
    Ok(Spi::run_with_args(REMEMBER, &args)?)
}

fn first_time(query: &str) -> Result<Option<TimestampWithTimeZone>> {
    Ok(Spi::connect(|client| client.select(query, Some(1), &[])?.first().get_one())?)
}

/// A row's key as the log holds it, from its text.
#[pg_extern(sql = false)]
fn audit_import_key(relation: Oid, key: &str) -> std::result::Result<Option<String>, ErrorReport> {
    Ok(key::spelled(relation, key)?)
}

fn count(query: &str) -> Result<i64> {
    Ok(Spi::connect(|client| client.select(query, Some(1), &[])?.first().get_one::<i64>())?
        .unwrap_or_default())
}

/// How many changes a statement brought, and the first and the last time of them.
#[allow(clippy::type_complexity)]
fn take(statement: &str) -> Result<(i64, Option<TimestampWithTimeZone>, Option<TimestampWithTimeZone>)> {
    Ok(Spi::connect_mut(|client| -> std::result::Result<_, pgrx::spi::Error> {
        let row = client.update(statement, Some(1), &[])?.first();
        Ok((row.get::<i64>(1)?.unwrap_or_default(), row.get(2)?, row.get(3)?))
    })?)
}
