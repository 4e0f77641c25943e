//! Switching the log of commands (DDL) on and off.

use super::log_switch;
use crate::audit::store::make::make_log;
use crate::catalog::extension_owner;
use crate::ddl;
use crate::error::{notice, Error, Result};
use crate::pg::guc;
use crate::pg::relation::of_ours;
use crate::pg::user::{as_role, Fence};
use ddl::command::{create_event_trigger, drop_event_trigger, enable_always};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Name, event, function, and the commands it is for (none: all). They fire in the order of their
/// names: an underscore comes before all letters, so that a command is logged before what others make
/// of it. The event triggers are no members
/// of the extension: a dump must carry them, and that they are enabled.
const TRIGGERS: &[(&str, &str, &str, &[&str])] = &[
    (
        "_dbguard_audit_ddl_start",
        "ddl_command_start",
        "_audit_ddl_start",
        &["DROP EXTENSION", "DROP OWNED", "DROP SCHEMA"],
    ),
    ("_dbguard_audit_ddl_drop", "sql_drop", "_audit_ddl_drop", &[]),
    ("_dbguard_audit_ddl_end", "ddl_command_end", "_audit_ddl_end", &[]),
];
/// What stands for them in the log.
const LOGGED_AS: &str = "_dbguard_audit_ddl_end";

type Options = (bool, Option<Vec<String>>);

#[pg_extern(sql = false)]
fn audit_ddl_enable(
    command_text: Option<bool>,
    schemas: Option<Vec<Option<String>>>,
) -> std::result::Result<
    TableIterator<
        'static,
        (name!(action, &'static str), name!(command_text, bool), name!(schemas, Option<Vec<String>>)),
    >,
    ErrorReport,
> {
    let options = (
        command_text.ok_or_else(|| Error::null_argument("command_text"))?,
        schemas.map(checked_schemas).transpose()?,
    );
    let action = as_role(extension_owner()?, Fence::Local, || enable(&options))?;
    Ok(TableIterator::once((action, options.0, options.1)))
}

#[pg_extern(sql = false)]
fn audit_ddl_disable() -> std::result::Result<bool, ErrorReport> {
    Ok(as_role(extension_owner()?, Fence::Local, disable)?)
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_ddl_status() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(state, &'static str),
            name!(command_text, Option<bool>),
            name!(schemas, Option<Vec<String>>),
            name!(problem, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let (states, options) =
        as_role(extension_owner()?, Fence::Local, || Ok::<_, Error>((states()?, options()?)))?;
    if states.is_empty() {
        return Ok(TableIterator::once(("disabled", None, None, None)));
    }
    let (text, schemas) = options.unzip();
    Ok(TableIterator::once(("enabled", text, schemas.flatten(), problem(&states))))
}

fn enable(options: &Options) -> Result<&'static str> {
    const SET: &str = "
        INSERT INTO dbguard.audit_ddl_option (command_text, schemas) VALUES ($1, $2)
        ON CONFLICT (only_row) DO UPDATE SET command_text = $1, schemas = $2, since = DEFAULT";
    make_log()?;
    let states = states()?;
    let whole = problem(&states).is_none() && !states.is_empty();
    if whole && self::options()?.as_ref() == Some(options) {
        notice("audit of commands is already enabled, nothing to do");
        return Ok("unchanged");
    }
    Spi::run_with_args(SET, &[options.0.into(), options.1.clone().into()])?;
    for (name, event, function, tags) in TRIGGERS.iter().filter(|_| !whole) {
        // that one is not there is no news
        guc::with(&[(c"client_min_messages", c"warning")], || ddl::run(&drop_event_trigger(name)))?;
        ddl::run(&create_event_trigger(name, event, function, tags))?;
        ddl::run(&enable_always(name))?;
    }
    // the server tells no event trigger of commands on event triggers
    log_switch(if whole { "ALTER EVENT TRIGGER" } else { "CREATE EVENT TRIGGER" }, LOGGED_AS)?;
    Ok(if states.is_empty() { "enabled" } else { "changed" })
}

fn disable() -> Result<bool> {
    if states()?.is_empty() {
        notice("audit of commands is not enabled, nothing to do");
        return Ok(false);
    }
    for (name, ..) in TRIGGERS {
        ddl::run(&drop_event_trigger(name))?;
    }
    if of_ours(c"audit_command").is_some() {
        log_switch("DROP EVENT TRIGGER", LOGGED_AS)?;
    }
    Ok(true)
}

/// Our event triggers that are there, and whether they fire in every session.
fn states() -> Result<Vec<(String, bool)>> {
    const STATES: &str = "
        SELECT t.evtname::text, t.evtenabled = 'A'
        FROM pg_event_trigger t
        JOIN pg_proc p ON p.oid = t.evtfoid AND p.proname LIKE '\\_audit\\_ddl\\_%'
        JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'dbguard'";
    Spi::connect(|client| {
        let mut states = vec![];
        for row in client.select(STATES, None, &[])? {
            states.push((row.get::<String>(1)?.unwrap_or_default(), row.get::<bool>(2)? == Some(true)));
        }
        Ok(states)
    })
}

fn problem(states: &[(String, bool)]) -> Option<String> {
    if of_ours(c"audit_command").is_none() {
        return Some("the audit log is gone: every command that fires the event triggers fails".to_owned());
    }
    TRIGGERS.iter().find_map(|(name, ..)| match states.iter().find(|(n, _)| n == name) {
        None => Some(format!("commands are not all logged: event trigger \"{name}\" does not exist")),
        Some((_, false)) => {
            Some(format!("commands are not all logged: event trigger \"{name}\" is not enabled always"))
        }
        Some((_, true)) => None,
    })
}

fn options() -> Result<Option<Options>> {
    const OPTIONS: &str = "SELECT command_text, schemas FROM dbguard.audit_ddl_option";
    if of_ours(c"audit_ddl_option").is_none() {
        return Ok(None);
    }
    Spi::connect(|client| {
        let Some(row) = client.select(OPTIONS, Some(1), &[])?.next() else { return Ok(None) };
        Ok(Some((row.get::<bool>(1)? == Some(true), row.get::<Vec<String>>(2)?)))
    })
}

/// Sorted, each once; all of them must exist.
fn checked_schemas(names: Vec<Option<String>>) -> Result<Vec<String>> {
    const EXISTS: &str = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
    let mut schemas = vec![];
    for name in names {
        let name = name.ok_or_else(|| {
            Error::null_argument("schemas").detail("The array has an element that is null.")
        })?;
        let args = [name.as_str().into()];
        let exists = Spi::connect(|client| client.select(EXISTS, Some(1), &args)?.first().get_one::<bool>())?;
        if exists != Some(true) {
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
                format!("schema \"{name}\" does not exist"),
            ));
        }
        schemas.push(name);
    }
    if schemas.is_empty() {
        return Err(Error::invalid_parameter("argument \"schemas\" must not be empty")
            .hint("Name schemas, or leave the argument out to log commands in all of them."));
    }
    schemas.sort();
    schemas.dedup();
    Ok(schemas)
}
