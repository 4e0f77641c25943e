//! audit_enable_all: all tables of a schema that are not audited yet.

use super::enable::enable;
use super::wanted::{elements, Arguments, Names, Wanted};
use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::guc;
use crate::pg::subxact::{look, subtransaction};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// The table, what was done, and why it was not.
type Row = (Oid, &'static str, Option<String>);

#[allow(clippy::type_complexity, clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn audit_enable_all(
    schema: Option<&str>,
    capture: Option<&str>,
    exclude: Names,
    redact: Names,
    operations: Names,
    tenant: Option<&str>,
    redact_with: Option<&str>,
    bulk: Option<&str>,
    always: Option<bool>,
    skip: Names,
    dry_run: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (name!(relation, Oid), name!(action, &'static str), name!(message, Option<String>)),
    >,
    ErrorReport,
> {
    let arguments = Arguments { capture, exclude, redact, operations, tenant, redact_with, bulk, always };
    let rows = enable_all(schema, arguments, skip, dry_run.unwrap_or_default())?;
    Ok(TableIterator::new(rows))
}

fn enable_all(schema: Option<&str>, arguments: Arguments, skip: Names, dry_run: bool) -> Result<Vec<Row>> {
    let schema = schema.ok_or_else(|| Error::null_argument("schema"))?;
    let skip = elements("skip", skip.unwrap_or_default())?;
    let wanted = Wanted::parse(arguments)?;
    let tables = not_audited(schema, &skip)?;
    check_columns(schema, &wanted, &tables)?;
    let all = || tables.iter().map(|table| one(*table, &wanted)).collect::<Result<Vec<_>>>();
    if !dry_run {
        return all();
    }
    // what would be done is what is done, and taken back
    let mut rows = vec![];
    let looked = look(|| {
        rows = all()?;
        Ok(())
    });
    looked.map(|()| rows)
}

/// One table, whose failure must not stop the others; nor may whoever holds it.
fn one(relation: Oid, wanted: &Wanted) -> Result<Row> {
    pgrx::check_for_interrupts!();
    let done = guc::with(&[(c"lock_timeout", c"1s")], || {
        subtransaction(|| {
            let table = catalog::own_table(relation)?;
            enable(relation, &wanted.as_far_as_it_concerns(&table))
        })
    });
    Ok(match done {
        Ok(action) => (relation, action, None),
        Err(e) => (relation, "failed", Some(e.message().to_owned())),
    })
}

/// The tables of a schema that no trigger of ours is on, by name.
///
/// # Errors
/// 3F000 if there is no such schema, 42P01 if one to skip is not in it.
fn not_audited(schema: &str, skip: &[String]) -> Result<Vec<Oid>> {
    const TABLES: &str = "
        SELECT c.oid FROM pg_class c
        WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relpersistence <> 't' AND c.relname <> ALL ($2)
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
          AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
                          WHERE t.tgrelid = c.oid AND f.proname IN ('audit_row', 'audit_truncate')
                            AND f.pronamespace = 'dbguard'::regnamespace)
        ORDER BY c.relname";
    let namespace = catalog::schema_with(schema, skip)?;
    Spi::connect(|client| {
        let mut tables = vec![];
        for row in client.select(TABLES, None, &[namespace.into(), skip.to_vec().into()])? {
            tables.extend(row.get::<Oid>(1)?);
        }
        Ok(tables)
    })
}

/// A column that only some tables have is listed for those. One that none has is a slip of the pen,
/// and might leave what was to be redacted in the log.
fn check_columns(schema: &str, wanted: &Wanted, tables: &[Oid]) -> Result<()> {
    const IN_ANY: &str = "
        SELECT EXISTS (SELECT FROM pg_attribute a
                       WHERE a.attrelid = ANY ($1) AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped)";
    if tables.is_empty() {
        return Ok(());
    }
    for (argument, name) in wanted.columns() {
        let there = Spi::get_one_with_args::<bool>(IN_ANY, &[tables.to_vec().into(), name.as_str().into()])?;
        if there != Some(true) {
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
                format!("column \"{name}\" of argument \"{argument}\" does not exist in any table of schema \"{schema}\" that is not audited yet"),
            ));
        }
    }
    Ok(())
}
