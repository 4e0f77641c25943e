//! audit_status: which tables are audited, and how.

use super::audited;
use crate::error::Result;
use crate::pg::relation::describe;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn audit_status() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(state, String),
            name!(capture, String),
            name!(exclude, Vec<String>),
            name!(redact, Vec<String>),
            name!(key_columns, Vec<String>),
            name!(problem, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let mut rows = vec![];
    for relation in tables()? {
        // dropped meanwhile, or not audited any more
        let Some(table) = describe(relation) else { continue };
        let Some(audited) = audited::of(&table)? else { continue };
        let (columns, here) = (audited::columns(&table), audited::home(&table));
        let names = |list| audited.options.names(list, &columns, &here);
        rows.push((
            relation,
            audited.state.to_owned(),
            audited.options.capture.word().to_owned(),
            names(&audited.options.exclude),
            names(&audited.options.redact),
            table.key(),
            audited.problem(&table),
        ));
    }
    Ok(TableIterator::new(rows))
}

/// The audited tables, by name. A partition's copy of its root's trigger is not listed.
pub fn tables() -> Result<Vec<Oid>> {
    const TABLES: &str = "
        SELECT t.tgrelid
        FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
         AND p.proname OPERATOR(pg_catalog.=) 'audit_row'
        JOIN pg_catalog.pg_namespace f ON f.oid OPERATOR(pg_catalog.=) p.pronamespace
         AND f.nspname OPERATOR(pg_catalog.=) 'dbguard'
        JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE t.tgparentid OPERATOR(pg_catalog.=) 0::pg_catalog.oid
        GROUP BY t.tgrelid, n.nspname, c.relname
        ORDER BY n.nspname, c.relname";
    let tables = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client.select(TABLES, None, &[])?.map(|row| row.get::<Oid>(1)).collect()
    })?;
    Ok(tables.into_iter().flatten().collect())
}
