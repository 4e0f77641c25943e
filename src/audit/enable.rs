//! Switching audit on and off for a table.

use super::audited;
use super::options::{Capture, Listed, Options};
use super::version;
use crate::catalog::{self, extension_owner, own_table};
use crate::ddl;
use crate::error::{notice, Error, Result};
use crate::partition;
use crate::pg::lock;
use crate::pg::relation::{of_ours, Relation};
use crate::pg::user::{as_role, Fence};
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
    // what was true before the wait for the lock may not be any more
    let table = own_table(relation)?;
    if table.is_partition {
        return Err(Error::wrong_object_type(format!("\"{}\" is a partition", table.name))
            .hint("Enable audit on the partitioned table: its partitions follow, those made later too."));
    }
    check_columns(&table, exclude.as_deref().unwrap_or_default(), redact.as_deref().unwrap_or_default())?;
    let before = audited::of(&table)?;
    let here = audited::home(&table);
    let old = before.as_ref().map(|a| &a.options);
    let mut options = match old {
        Some(options) => options.brought_up_to_date(&audited::columns(&table), &here),
        None => Options::new(here.clone()),
    };
    options.capture = capture.unwrap_or(options.capture);
    if let Some(names) = exclude {
        options.exclude = listed(&table, names);
    }
    if let Some(names) = redact {
        options.redact = listed(&table, names);
    }
    let names = |list: &[Listed]| options.names(list, &audited::columns(&table), &here);
    let (exclude, redact) = (names(&options.exclude), names(&options.redact));
    if let Some(twice) = exclude.iter().find(|name| redact.contains(name)) {
        return Err(Error::invalid_parameter(format!("column \"{twice}\" is both excluded and redacted"))
            .hint("Give both lists: dbguard.audit_enable(..., exclude => ..., redact => ...)."));
    }

    let action = match &before {
        Some(a) if a.active() && a.well_named() && a.complete() && a.options == options => {
            notice(format!("audit of table \"{}\" is already enabled, nothing to do", table.name));
            "unchanged"
        }
        Some(_) => "changed",
        None => "enabled",
    };
    if action != "unchanged" {
        // a trigger that fires less than in ordinary sessions is enabled by this call
        let state = before.as_ref().filter(|a| a.active()).map_or("enabled", |a| a.state);
        let mut names = vec![ddl::audit::ROW_TRIGGER, ddl::audit::TRUNCATE_TRIGGER];
        let present = before.iter().flat_map(|a| &a.triggers).map(String::as_str);
        names.extend(present.filter(|n| *n != ddl::audit::ROW_TRIGGER && *n != ddl::audit::TRUNCATE_TRIGGER));
        // the trigger functions are not for everybody: only here are they attached, by their owner
        as_role(extension_owner()?, Fence::Local, || -> Result<()> {
            make_log()?;
            version::note(&table, !before.as_ref().is_some_and(|a| a.active()))?;
            attach(&table, &options, state, &names)
        })?;
    }
    let capture = options.capture.word().to_owned();
    Ok((relation, action.to_owned(), capture, exclude, redact, table.key()))
}

/// Makes or replaces triggers, as the extension's owner: those of our two that are in `names`. The
/// others there are ours under a name somebody gave them, and go.
pub fn attach(table: &Relation, options: &Options, state: &str, names: &[&str]) -> Result<()> {
    use ddl::audit::{ROW_TRIGGER, TRUNCATE_TRIGGER};
    let args = options.to_args();
    for name in names {
        ddl::run(&match *name {
            ROW_TRIGGER => ddl::audit::create_row_trigger(&table.schema, &table.name, &args),
            TRUNCATE_TRIGGER => ddl::audit::create_truncate_trigger(&table.schema, &table.name, &args),
            other => ddl::audit::drop_trigger(other, &table.schema, &table.name),
        })?;
    }
    // made anew they are enabled, whatever they were
    if state != "enabled" {
        for name in names.iter().filter(|n| [ROW_TRIGGER, TRUNCATE_TRIGGER].contains(n)) {
            ddl::run(&ddl::audit::set_trigger_state(name, &table.schema, &table.name, state))?;
        }
    }
    // The table was named in SQL, with rights its owner has not got. Its schema may have been renamed
    // meanwhile, and the name be another table's: then all is taken back.
    let done = catalog::relation(table.oid)?.triggers.iter().any(|t| t.name == ROW_TRIGGER && t.args == args);
    if !done {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
            format!("table \"{}\" was renamed or moved by another session", table.name),
        )
        .hint("Try again."));
    }
    Ok(())
}

fn disable(relation: Option<Oid>) -> Result<bool> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let table = own_table(relation)?;
    let Some(audited) = audited::of(&table)? else {
        notice(format!("audit of table \"{}\" is not enabled, nothing to do", table.name));
        return Ok(false);
    };
    for name in &audited.triggers {
        ddl::run(&ddl::audit::drop_trigger(name, &table.schema, &table.name))?;
    }
    Ok(true)
}

fn listed(table: &Relation, names: Vec<String>) -> Vec<Listed> {
    let number = |name: &str| table.columns.iter().find(|c| c.name == name).map_or(0, |c| c.number);
    names.into_iter().map(|name| Listed { number: number(&name), name }).collect()
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

fn check_columns(table: &Relation, exclude: &[String], redact: &[String]) -> Result<()> {
    let key = table.key();
    let listed = |names: &[String], name: &String| names.iter().filter(|n| *n == name).count();
    for name in exclude.iter().chain(redact) {
        if !table.columns.iter().any(|c| c.name == *name) {
            return Err(Error::undefined_column(name, &table.name));
        }
        if listed(exclude, name) + listed(redact, name) > 1 {
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
    // two sessions that are the first at once: the second waits and finds the log made
    Spi::run(LOG_LOCK)?;
    if of_ours(c"audit_change").is_some() {
        return Ok(());
    }
    Spi::run(LOG)?;
    // the log is a partition set like any other
    for name in [c"audit_context", c"audit_change", c"audit_pack"] {
        let table = of_ours(name).ok_or_else(|| Error::internal("the audit log was not made"))?;
        let name = name.to_string_lossy();
        partition::enable_internal(table, "dbguard", &name, Interval::from_months(1), MONTHS_AHEAD)?;
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
