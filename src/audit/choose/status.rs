//! audit_status: which tables are audited, how, and what is wrong.

use super::audited;
use super::problems;
use crate::catalog::extension_owner;
use crate::error::Result;
use crate::pg::relation::describe;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_status() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(state, String),
            name!(capture, Option<String>),
            name!(statements, Option<Vec<String>>),
            name!(exclude, Option<Vec<String>>),
            name!(redact, Option<Vec<String>>),
            name!(redacts_with, Option<String>),
            name!(tenant_column, Option<String>),
            name!(keeps, Option<String>),
            name!(key_columns, Option<Vec<String>>),
            name!(problem, Option<String>),
            name!(note, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let owner = extension_owner()?;
    let mut rows = vec![];
    for relation in tables()? {
        // dropped meanwhile, or not audited any more
        let Some(table) = describe(relation) else { continue };
        let Some(audited) = audited::of(&table)? else { continue };
        let state = if audited.options.paused.is_some() { "paused" } else { audited.state };
        let shown = audited.shown(&table);
        let notes = as_role(owner, Fence::Local, || problems::notes(&table))?;
        rows.push((
            relation,
            state.to_owned(),
            Some(shown.capture),
            Some(shown.statements),
            Some(shown.exclude),
            Some(shown.redact),
            Some(shown.redact_with),
            shown.tenant,
            Some(shown.bulk),
            Some(table.key()),
            lines(problems::of(&table, &audited)?),
            lines(notes),
        ));
    }
    for (table, problem) in as_role(owner, Fence::Local, problems::of_log)? {
        let state = "log".to_owned();
        rows.push((table, state, None, None, None, None, None, None, None, None, Some(problem), None));
    }
    Ok(TableIterator::new(rows))
}

/// One a line; NULL if there is none.
fn lines(list: Vec<String>) -> Option<String> {
    (!list.is_empty()).then(|| list.join("\n"))
}

/// The audited tables, by name. A partition's copy of its root's trigger is not listed.
pub fn tables() -> Result<Vec<Oid>> {
    // not those that partitions have for their root: tgargs is 'partition' and a zero byte
    const TABLES: &str = "
        SELECT t.tgrelid
        FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
         AND p.proname OPERATOR(pg_catalog.=) ANY ('{audit_row,audit_truncate}'::pg_catalog.name[])
        JOIN pg_catalog.pg_namespace f ON f.oid OPERATOR(pg_catalog.=) p.pronamespace
         AND f.nspname OPERATOR(pg_catalog.=) 'dbguard'
        JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE t.tgparentid OPERATOR(pg_catalog.=) 0::pg_catalog.oid
          AND t.tgargs OPERATOR(pg_catalog.<>) '\\x706172746974696f6e00'::pg_catalog.bytea
        GROUP BY t.tgrelid, n.nspname, c.relname
        ORDER BY n.nspname, c.relname";
    let tables = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client.select(TABLES, None, &[])?.map(|row| row.get::<Oid>(1)).collect()
    })?;
    Ok(tables.into_iter().flatten().collect())
}
