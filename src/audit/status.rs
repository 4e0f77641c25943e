//! Which tables are audited, and how.

use super::options::Options;
use crate::error::{Error, Result};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A table with our row trigger.
pub struct Audited {
    pub relation: Oid,
    pub options: Options,
    /// Fires in ordinary sessions.
    pub active: bool,
    pub state: &'static str,
    pub has_truncate: bool,
}

/// The audited tables, or the one asked for. A partition's copy of its root's trigger is not listed.
pub fn audited(relation: Option<Oid>) -> Result<Vec<Audited>> {
    const TRIGGERS: &str = "
        SELECT t.tgrelid, t.tgargs, t.tgenabled::text,
               EXISTS (SELECT FROM pg_catalog.pg_trigger u
                       WHERE u.tgrelid OPERATOR(pg_catalog.=) t.tgrelid
                         AND u.tgfoid OPERATOR(pg_catalog.=) 'dbguard.audit_truncate()'::pg_catalog.regprocedure
                         AND u.tgenabled OPERATOR(pg_catalog.<>) 'D'::pg_catalog.\"char\")
        FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE t.tgfoid OPERATOR(pg_catalog.=) 'dbguard.audit_row()'::pg_catalog.regprocedure
          AND t.tgparentid OPERATOR(pg_catalog.=) 0::pg_catalog.oid
          AND ($1 IS NULL OR t.tgrelid OPERATOR(pg_catalog.=) $1)
        ORDER BY n.nspname, c.relname";
    let found = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(TRIGGERS, None, &[relation.into()])? {
            list.push((
                row.get::<Oid>(1)?,
                row.get::<Vec<u8>>(2)?.unwrap_or_default(),
                row.get::<String>(3)?.unwrap_or_default(),
                row.get::<bool>(4)?.unwrap_or(false),
            ));
        }
        Ok(list)
    })?;
    let mut audited = vec![];
    for (relation, args, enabled, has_truncate) in found {
        let Some(relation) = relation else { continue };
        // pg_trigger.tgargs: C strings, each with its NUL
        let args: Vec<String> = args
            .split(|b| *b == 0)
            .filter(|a| !a.is_empty())
            .map(|a| String::from_utf8_lossy(a).into_owned())
            .collect();
        let (active, state) = match enabled.as_str() {
            "O" => (true, "enabled"),
            "A" => (true, "always"),
            "R" => (false, "replica only"),
            _ => (false, "disabled"),
        };
        audited.push(Audited { relation, options: Options::from_args(args)?, active, state, has_truncate });
    }
    Ok(audited)
}

/// A table of the log.
pub fn log_table(name: &str) -> Result<Oid> {
    const TABLE: &str = "
        SELECT c.oid FROM pg_catalog.pg_class c
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'dbguard'::pg_catalog.regnamespace
          AND c.relname OPERATOR(pg_catalog.=) $1";
    let found = Spi::connect_mut(|client| {
        // not read-only: it may have been made in this very command
        client.update(TABLE, Some(1), &[name.into()])?.first().get_one::<Oid>()
    })?;
    found.ok_or_else(|| Error::internal(format!("table \"dbguard.{name}\" does not exist")))
}

/// The columns of a table's primary key, by position in the table.
pub fn key_columns(relation: Oid) -> Result<Vec<String>> {
    const KEY: &str = "
        SELECT ARRAY(SELECT a.attname::text
                     FROM pg_catalog.pg_index i
                     JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
                      AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey)
                     WHERE i.indrelid OPERATOR(pg_catalog.=) $1 AND i.indisprimary
                     ORDER BY a.attnum)";
    names(KEY, relation)
}

/// All columns of a table.
pub fn columns(relation: Oid) -> Result<Vec<String>> {
    const COLUMNS: &str = "
        SELECT ARRAY(SELECT a.attname::text
                     FROM pg_catalog.pg_attribute a
                     WHERE a.attrelid OPERATOR(pg_catalog.=) $1
                       AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
                     ORDER BY a.attnum)";
    names(COLUMNS, relation)
}

fn names(query: &str, relation: Oid) -> Result<Vec<String>> {
    let names = Spi::connect(|client| {
        client.select(query, Some(1), &[relation.into()])?.first().get_one::<Vec<String>>()
    })?;
    Ok(names.unwrap_or_default())
}

#[allow(clippy::type_complexity)]
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
    for table in audited(None)? {
        let problem = problem(&table)?;
        let key = key_columns(table.relation)?;
        let Options { capture, exclude, redact, .. } = table.options;
        rows.push((
            table.relation,
            table.state.to_owned(),
            capture.word().to_owned(),
            exclude,
            redact,
            key,
            problem,
        ));
    }
    Ok(TableIterator::new(rows))
}

/// What is not as audit_enable left it.
fn problem(table: &Audited) -> Result<Option<String>> {
    if !table.active {
        return Ok(Some(format!("changes are not audited: the trigger is {}", table.state)));
    }
    if !table.has_truncate {
        return Ok(Some("TRUNCATE is not audited: its trigger is missing or disabled".to_owned()));
    }
    let columns = columns(table.relation)?;
    let options = &table.options;
    let listed = options.exclude.iter().chain(&options.redact);
    let missing = listed.clone().find(|c| !columns.contains(c) && !options.dropped.contains(c));
    Ok(missing.map(|c| format!("column \"{c}\" is excluded or redacted, but does not exist")))
}
