//! dbguard.lint_baseline: what was found before, so that only what is new counts.

use crate::ddl;
use crate::error::{Error, Result};
use crate::lint::arguments::List;
use crate::lint::run::{run, Outcome, Request};
use crate::pg::json;
use dbguard_core::lint::baseline::Baseline;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, JsonB, PgSqlErrorCode};

pub fn read(name: &str) -> Result<Baseline> {
    let sql = "SELECT findings FROM dbguard.lint_baseline WHERE name = $1";
    let stored = Spi::connect(|client| {
        let mut found = client.select(sql, Some(1), &[name.into()])?;
        Ok::<_, Error>(found.next().map(|row| row.get::<JsonB>(1)).transpose()?.flatten())
    })?;
    let Some(JsonB(stored)) = stored else { return Err(no_such_baseline(name)) };
    Baseline::parse(&stored).map_err(|why| Error::internal(format!("baseline \"{name}\": {why}")))
}

fn no_such_baseline(name: &str) -> Error {
    Error::new(PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT, format!("baseline \"{name}\" does not exist"))
        .hint(ddl::lint::save_baseline(name))
}

fn write(name: &str, baseline: &Baseline) -> Result<i32> {
    const WRITE: &str = "
        INSERT INTO dbguard.lint_baseline (name, findings) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE
        SET findings = excluded.findings, saved_at = pg_catalog.now(), author = SESSION_USER";
    if name.is_empty() {
        return Err(Error::invalid_parameter("a baseline needs a name").hint("For example 'main'."));
    }
    let args = [name.into(), JsonB(baseline.to_json()).into()];
    Spi::connect_mut(|client| client.update(WRITE, None, &args).map(|_| ()))?;
    Ok(i32::try_from(baseline.findings.len()).unwrap_or(i32::MAX))
}

fn name_argument(name: Option<&str>) -> Result<&str> {
    name.ok_or_else(|| Error::null_argument("name"))
}

fn now(schemas: List, rules: List, profile: Option<&str>) -> Result<Outcome> {
    run(Request { schemas, rules, profile, ..Request::default() })
}

#[pg_extern(sql = false)]
fn lint_baseline_save(
    name: Option<&str>,
    schemas: Option<Vec<Option<String>>>,
    rules: Option<Vec<Option<String>>>,
    profile: Option<&str>,
) -> std::result::Result<i32, ErrorReport> {
    let name = name_argument(name)?;
    let outcome = now(schemas, rules, profile)?;
    Ok(write(name, &Baseline::of(&outcome.run))?)
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn lint_baseline_diff(
    name: Option<&str>,
    schemas: Option<Vec<Option<String>>>,
    rules: Option<Vec<Option<String>>>,
    profile: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(change, &'static str),
            name!(severity, String),
            name!(code, String),
            name!(object, String),
            name!(message, String),
            name!(fingerprint, String),
        ),
    >,
    ErrorReport,
> {
    let before = read(name_argument(name)?)?;
    let outcome = now(schemas, rules, profile)?;
    let changes = before.changes(&Baseline::of(&outcome.run), |f| outcome.looked(f));
    Ok(TableIterator::new(
        changes
            .into_iter()
            .map(|(change, f)| (change.as_str(), f.severity, f.code, f.object, f.message, f.fingerprint)),
    ))
}

/// Takes out what is no longer found; what is new stays new.
#[pg_extern(sql = false)]
fn lint_baseline_prune(
    name: Option<&str>,
    schemas: Option<Vec<Option<String>>>,
    rules: Option<Vec<Option<String>>>,
    profile: Option<&str>,
) -> std::result::Result<i32, ErrorReport> {
    let name = name_argument(name)?;
    let mut before = read(name)?;
    let outcome = now(schemas, rules, profile)?;
    let fixed = before.prune(&Baseline::of(&outcome.run), |f| outcome.looked(f));
    write(name, &before)?;
    Ok(i32::try_from(fixed).unwrap_or(i32::MAX))
}

#[pg_extern(sql = false)]
fn lint_baseline_export(name: Option<&str>) -> std::result::Result<JsonB, ErrorReport> {
    Ok(JsonB(read(name_argument(name)?)?.to_json()))
}

#[pg_extern(sql = false)]
fn lint_baseline_import(
    name: Option<&str>,
    findings: Option<AnyElement>,
) -> std::result::Result<i32, ErrorReport> {
    let name = name_argument(name)?;
    let findings = json::argument("findings", findings.ok_or_else(|| Error::null_argument("findings"))?)?;
    let baseline = Baseline::parse(&findings).map_err(|why| {
        Error::invalid_parameter(format!("not a baseline: {why}"))
            .hint("Give what dbguard.lint_baseline_export returned.")
    })?;
    Ok(write(name, &baseline)?)
}
