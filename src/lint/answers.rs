//! The SQL functions that answer with one text: report, fix script, and what lint_check says.

use crate::error::{Error, Result};
use crate::lint::arguments::severity_argument;
use crate::lint::run::{run, Outcome, Request};
use crate::pg::json;
use dbguard_core::lint::finding::Severity;
use dbguard_core::lint::fix_script::{self, Mode};
use dbguard_core::lint::report::{self, Format, Report, Sources};
use dbguard_core::lint::{score, verdict};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::AnyElement;

/// One word of a list, or an error that names the list.
fn word<T>(name: &str, text: Option<&str>, parse: fn(&str) -> Option<T>, all: &[&str]) -> Result<T> {
    let text = text.ok_or_else(|| Error::null_argument(name))?;
    parse(text).ok_or_else(|| {
        Error::invalid_parameter(format!("unknown {name} \"{text}\""))
            .detail(format!("There are {}.", all.join(", ")))
            .hint(format!("Give {name} one of them."))
    })
}

#[pg_extern(sql = false)]
fn lint_report(
    format: Option<&str>,
    source_map: Option<AnyElement>,
    schemas: Option<Vec<Option<String>>>,
    rules: Option<Vec<Option<String>>>,
    profile: Option<&str>,
    baseline: Option<&str>,
) -> std::result::Result<String, ErrorReport> {
    let format = word("format", format, Format::parse, &Format::ALL.map(Format::as_str))?;
    let map = source_map.map(|m| json::argument("source_map", m)).transpose()?;
    let request = Request { schemas, rules, profile, baseline, include_ignored: true, ..Request::default() };
    let Outcome { catalog, run, .. } = run(request)?;
    let tables = if map.is_some() { catalog.tables_of_parts() } else { Default::default() };
    let sources = Sources::new(map.as_ref(), tables).map_err(|why| {
        Error::invalid_parameter(format!("cannot read source_map: {why}"))
            .hint("For example '{\"public.orders\": [\"db/structure.sql\", 812]}'.")
    })?;
    let written =
        report::write(&Report { database: &catalog.database, run: &run, sources: &sources }, format);
    Ok(written.map_err(|why| Error::internal(format!("could not write the report: {why}")))?)
}

#[pg_extern(sql = false)]
fn lint_fix_script(
    rules: Option<Vec<Option<String>>>,
    mode: Option<&str>,
    schemas: Option<Vec<Option<String>>>,
    profile: Option<&str>,
) -> std::result::Result<String, ErrorReport> {
    let mode = word("mode", mode, Mode::parse, &Mode::ALL.map(Mode::as_str))?;
    let outcome = run(Request { schemas, rules, profile, ..Request::default() })?;
    Ok(fix_script::script(&outcome.run.rows, mode))
}

/// What dbguard.lint_check returns, or raises with an SQLSTATE of its own.
#[pg_extern(sql = false)]
fn lint_verdict(
    fail_on: Option<&str>,
    baseline: Option<&str>,
    profile: Option<&str>,
    min_score: Option<f32>,
    schemas: Option<Vec<Option<String>>>,
    rules: Option<Vec<Option<String>>>,
) -> std::result::Result<
    TableIterator<'static, (name!(failed, bool), name!(summary, String), name!(detail, String))>,
    ErrorReport,
> {
    let fail_on: Option<Severity> = match fail_on {
        Some("never") => None,
        text => Some(severity_argument("fail_on", text)?),
    };
    let request = Request { schemas, rules, profile, baseline, include_ignored: true, ..Request::default() };
    let Outcome { catalog, run, .. } = run(request)?;
    let weights = score::Weights::of(&catalog.params);
    if min_score.is_some_and(f32::is_nan) {
        return Err(Error::invalid_parameter("min_score must be a number, not NaN")
            .hint("A score is from 0 to 100.")
            .into());
    }
    let score = min_score.map(|wanted| {
        let overall = score::score(&run, &weights).into_iter().find(|l| l.category.is_none());
        (overall.and_then(|l| l.score), wanted)
    });
    let v = verdict::verdict(&run, fail_on, score);
    Ok(TableIterator::once((v.failed, v.summary, v.detail)))
}
