//! Switching audit on and off for a table.

use super::options::{Capture, Options};
use super::status::{self, Audited};
use crate::catalog::{extension_owner, own_table, Relation};
use crate::ddl;
use crate::error::{notice, Error, Result};
use crate::partition;
use crate::pg::user::{as_role, Fence};
use crate::pg::{guc, lock};
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

const LOG: &str = include_str!("log.sql");
const MONTHS_AHEAD: i32 = 4;

type Row = (Oid, String, String, Vec<String>, Vec<String>, Vec<String>);

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_enable(
    relation: Option<Oid>,
    capture: Option<&str>,
    exclude: Option<Vec<Option<String>>>,
    redact: Option<Vec<Option<String>>>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(action, String),
            name!(capture, String),
            name!(exclude, Vec<String>),
            name!(redact, Vec<String>),
            name!(key_columns, Vec<String>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::once(enable(relation, capture, exclude, redact)?))
}

#[pg_extern(sql = false)]
fn audit_disable(relation: Option<Oid>) -> std::result::Result<bool, ErrorReport> {
    Ok(disable(relation)?)
}

fn enable(
    relation: Option<Oid>,
    capture: Option<&str>,
    exclude: Option<Vec<Option<String>>>,
    redact: Option<Vec<Option<String>>>,
) -> Result<Row> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let capture = capture.map(Capture::parse).transpose()?;
    let exclude = exclude.map(|names| column_names("exclude", names)).transpose()?;
    let redact = redact.map(|names| column_names("redact", names)).transpose()?;
    own_table(relation)?;
    lock::share_row_exclusive(relation);
    let table = own_table(relation)?;
    if table.is_partition {
        return Err(Error::wrong_object_type(format!("\"{}\" is a partition", table.name))
            .hint("Enable audit on the partitioned table: its partitions follow, those made later too."));
    }
    let key = status::key_columns(relation)?;
    let before = status::audited(Some(relation))?.pop();
    let old = before.as_ref().map(|a| a.options.clone());
    let mut options = old.clone().unwrap_or_default();
    options.capture = capture.unwrap_or(options.capture);
    options.exclude = exclude.unwrap_or(options.exclude);
    options.redact = redact.unwrap_or(options.redact);
    options.dropped.retain(|c| options.exclude.contains(c) || options.redact.contains(c));
    check_columns(&table, &options, &key)?;

    let action = match &before {
        Some(Audited { active: true, .. }) if old.as_ref() == Some(&options) => {
            notice(format!("audit of table \"{}\" is already enabled, nothing to do", table.name));
            "unchanged"
        }
        Some(_) => "changed",
        None => "enabled",
    };
    // a trigger that fires less than always is enabled by this call
    let state = before.as_ref().map_or("enabled", |a| if a.active { a.state } else { "enabled" });
    if action != "unchanged" {
        // the trigger functions are not for everybody: only here are they attached, by their owner
        as_role(extension_owner()?, Fence::Local, || {
            guc::with_pinned_search_path(|| -> Result<()> {
                make_log()?;
                attach(&table, &options, state)
            })
        })?;
    }
    let row = (
        relation,
        action.to_owned(),
        options.capture.word().to_owned(),
        options.exclude,
        options.redact,
        key,
    );
    Ok(row)
}

/// Makes or replaces the triggers, as the extension's owner.
pub fn attach(table: &Relation, options: &Options, state: &str) -> Result<()> {
    let args = options.to_args();
    ddl::run(&ddl::audit::create_row_trigger(&table.schema, &table.name, &args))?;
    ddl::run(&ddl::audit::create_truncate_trigger(&table.schema, &table.name, &args))?;
    // made anew they are enabled, whatever they were
    if state != "enabled" {
        for name in [ddl::audit::ROW_TRIGGER, ddl::audit::TRUNCATE_TRIGGER] {
            ddl::run(&ddl::audit::set_trigger_state(name, &table.schema, &table.name, state))?;
        }
    }
    Ok(())
}

fn disable(relation: Option<Oid>) -> Result<bool> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let table = own_table(relation)?;
    if status::audited(Some(relation))?.is_empty() {
        notice(format!("audit of table \"{}\" is not enabled, nothing to do", table.name));
        return Ok(false);
    }
    guc::with_pinned_search_path(|| -> Result<()> {
        for name in [ddl::audit::ROW_TRIGGER, ddl::audit::TRUNCATE_TRIGGER] {
            ddl::run(&ddl::audit::drop_trigger(name, &table.schema, &table.name))?;
        }
        Ok(())
    })?;
    Ok(true)
}

fn column_names(argument: &str, names: Vec<Option<String>>) -> Result<Vec<String>> {
    names
        .into_iter()
        .map(|name| {
            name.ok_or_else(|| {
                Error::null_argument(argument).detail("The array has an element that is null.")
            })
        })
        .collect()
}

fn check_columns(table: &Relation, options: &Options, key: &[String]) -> Result<()> {
    let columns = status::columns(table.oid)?;
    let listed = |names: &[String], name: &String| names.iter().filter(|n| *n == name).count();
    for name in options.exclude.iter().chain(&options.redact) {
        if !columns.contains(name) && !options.dropped.contains(name) {
            return Err(Error::undefined_column(name, &table.name));
        }
        if listed(&options.exclude, name) + listed(&options.redact, name) > 1 {
            return Err(Error::invalid_parameter(format!("column \"{name}\" is listed more than once"))
                .hint("Name a column either in exclude or in redact, once."));
        }
        if key.contains(name) {
            return Err(Error::invalid_parameter(format!("column \"{name}\" is part of the primary key"))
                .detail("The log names a row by its key.")
                .hint("Exclude or redact other columns."));
        }
    }
    Ok(())
}

/// Makes the log if it is not there yet.
fn make_log() -> Result<()> {
    const LOG_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('dbguard.audit_log', 0))";
    const LOG_IS_THERE: &str = "SELECT to_regclass('dbguard.audit_change') IS NOT NULL";
    // two sessions that are the first at once: the second waits and finds the log made
    Spi::run(LOG_LOCK)?;
    if Spi::get_one::<bool>(LOG_IS_THERE)? == Some(true) {
        return Ok(());
    }
    Spi::run(LOG)?;
    // the log is a partition set like any other
    for name in ["audit_transaction", "audit_change"] {
        let table = status::log_table(name)?;
        partition::enable_internal(table, "dbguard", name, Interval::from_months(1), MONTHS_AHEAD)?;
    }
    keep_to_owner()
}

/// Default privileges may have granted something on the new tables: nobody but the owner may write
/// to the log, and who may read it is for the owner to say.
fn keep_to_owner() -> Result<()> {
    const GRANTED: &str = "
        SELECT c.relname::text, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, r.rolname::text
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'dbguard'
        CROSS JOIN LATERAL aclexplode(c.relacl) a
        LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relname LIKE 'audit\\_%' AND a.grantee <> c.relowner
        GROUP BY 1, 2, 3";
    let granted = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(GRANTED, None, &[])? {
            list.push((row.get::<String>(1)?, row.get::<String>(2)?, row.get::<String>(3)?));
        }
        Ok(list)
    })?;
    for (name, kind, grantee) in granted {
        let (name, kind) = (name.unwrap_or_default(), kind.unwrap_or_default());
        ddl::run(&ddl::audit::revoke_all(&kind, "dbguard", &name, grantee.as_deref()))?;
    }
    Ok(())
}
