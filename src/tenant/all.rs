//! tenant_enable_all: all tables of a schema that have the column.

use super::enable::{enable, rows};
use super::steps::Step;
use super::wanted::Wanted;
use crate::catalog::schema_with;
use crate::error::{Error, Result};
use crate::pg::guc;
use crate::pg::subxact::{look, subtransaction};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn tenant_enable_all(
    schema: Option<&str>,
    tenant_column: Option<&str>,
    setting: Option<&str>,
    force: Option<bool>,
    skip: Option<Vec<Option<String>>>,
    dry_run: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(step, &'static str),
            name!(action, &'static str),
            name!(statement, Option<String>),
            name!(lock, Option<&'static str>),
            name!(reason, String),
        ),
    >,
    ErrorReport,
> {
    let schema = schema.ok_or_else(|| Error::null_argument("schema"))?;
    let skip: Option<Vec<String>> = skip.unwrap_or_default().into_iter().collect();
    let skip = skip.ok_or_else(|| Error::invalid_parameter("argument \"skip\" must not contain nulls"))?;
    let wanted = Wanted::new(tenant_column, setting, force, None)?;
    let tables = tables(schema, &wanted.column, &skip)?;
    let mut steps = vec![];
    let all = || {
        for table in tables {
            steps.extend(one(table, &wanted)?);
        }
        Ok(())
    };
    // what would be done is what is done, and taken back
    match dry_run.unwrap_or_default() {
        true => look(all)?,
        false => all()?,
    }
    Ok(TableIterator::new(rows(steps)))
}

/// One table, whose failure must not stop the others; nor may whoever holds it.
fn one(table: Oid, wanted: &Wanted) -> Result<Vec<Step>> {
    pgrx::check_for_interrupts!();
    let done = guc::with(&[(c"lock_timeout", c"1s")], || subtransaction(|| enable(table, wanted)));
    Ok(match done {
        Ok(steps) if steps.is_empty() => vec![Step::nothing(table)],
        Ok(steps) => steps,
        Err(e) => vec![Step::failed(table, e.message().to_owned())],
    })
}

/// Tables of the schema that have the column; what follows another table is left to that.
fn tables(schema: &str, column: &str, skip: &[String]) -> Result<Vec<Oid>> {
    const TABLES: &str = "
        SELECT c.oid FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $3 AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
          AND c.relname <> ALL ($2)
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
          AND NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class up ON up.oid = i.inhparent AND up.relkind IN ('r', 'p')
                          JOIN pg_attribute ua ON ua.attrelid = up.oid AND ua.attname = $3 AND ua.attnum > 0 AND NOT ua.attisdropped
                          WHERE i.inhrelid = c.oid AND up.relnamespace = $1 AND up.relname <> ALL ($2))
        ORDER BY c.relname";
    let namespace = schema_with(schema, skip)?;
    let tables = Spi::connect(|client| -> std::result::Result<Vec<Oid>, pgrx::spi::Error> {
        let args = [namespace.into(), skip.to_vec().into(), column.into()];
        let mut tables = vec![];
        for row in client.select(TABLES, None, &args)? {
            tables.extend(row.get::<Oid>(1)?);
        }
        Ok(tables)
    })?;
    Ok(tables)
}
