//! The SQL functions that answer with rows.

use crate::error::Error;
use crate::lint::arguments::severity_argument;
use crate::lint::own;
use crate::lint::run::{last_ms, run, Outcome, Request};
use dbguard_core::lint::catalog::Catalog;
use dbguard_core::lint::engine::{Row, Status};
use dbguard_core::lint::finding::Object;
use dbguard_core::lint::profile::Profile;
use dbguard_core::lint::summary::{self, GroupBy};
use dbguard_core::lint::{explain, rules, score};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::{json, Value};

/// A row of lint and lint_table.
type Columns = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    String,
    &'static str,
    String,
    Option<String>,
    f64,
    &'static str,
    String,
    Option<Oid>,
    JsonB,
);

fn columns(r: Row) -> Columns {
    let confidence = r.shown_confidence();
    (
        r.severity.as_str(),
        r.rule.code,
        r.rule.name,
        r.rule.category.as_str(),
        r.object.identity,
        r.object.kind,
        r.message,
        r.fix.map(|f| f.sql),
        confidence,
        r.status.as_str(),
        r.fingerprint,
        (r.object.oid != 0).then(|| Oid::from(r.object.oid)),
        JsonB(Value::Object(r.details)),
    )
}

#[allow(clippy::too_many_arguments, reason = "the SQL function's")]
#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn lint(
    schemas: Option<Vec<Option<String>>>,
    rules: Option<Vec<Option<String>>>,
    profile: Option<&str>,
    min_severity: Option<&str>,
    baseline: Option<&str>,
    include_ignored: Option<bool>,
    max_seconds: Option<f32>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(severity, &'static str),
            name!(code, &'static str),
            name!(rule, &'static str),
            name!(category, &'static str),
            name!(object, String),
            name!(object_type, &'static str),
            name!(message, String),
            name!(fix_sql, Option<String>),
            name!(confidence, f64),
            name!(status, &'static str),
            name!(fingerprint, String),
            name!(objid, Option<Oid>),
            name!(details, JsonB),
        ),
    >,
    ErrorReport,
> {
    let min_severity = severity_argument("min_severity", min_severity)?;
    let include_ignored = include_ignored.ok_or_else(|| Error::null_argument("include_ignored"))?;
    let outcome = run(Request {
        schemas,
        rules,
        profile,
        min_severity,
        baseline,
        include_ignored,
        max_seconds,
        one_by_one: false,
    })?;
    Ok(TableIterator::new(outcome.run.rows.into_iter().map(columns)))
}

/// What is about one table, view or index, and what is part of it.
#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn lint_table(
    relation: Option<Oid>,
    rules: Option<Vec<Option<String>>>,
    profile: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(severity, &'static str),
            name!(code, &'static str),
            name!(rule, &'static str),
            name!(category, &'static str),
            name!(object, String),
            name!(object_type, &'static str),
            name!(message, String),
            name!(fix_sql, Option<String>),
            name!(confidence, f64),
            name!(status, &'static str),
            name!(fingerprint, String),
            name!(objid, Option<Oid>),
            name!(details, JsonB),
        ),
    >,
    ErrorReport,
> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let Outcome { catalog, run, .. } =
        run(Request { rules, profile, one_by_one: true, ..Request::default() })?;
    let about = about(&catalog, relation.to_u32())?;
    // what could not be looked at in the whole database was not looked at here either
    let skipped = |r: &Row| r.status == Status::Skipped && r.object.kind == "database";
    let rows: Vec<Row> = run.rows.into_iter().filter(|r| skipped(r) || about(&r.object)).collect();
    Ok(TableIterator::new(rows.into_iter().map(columns)))
}

/// Tells objects that are a relation, or part of it, or of the table it is a partition of.
fn about(catalog: &Catalog, relation: u32) -> Result<impl Fn(&Object) -> bool, Error> {
    let Some(found) = catalog.relation(relation).filter(|r| r.linted) else {
        let name =
            Spi::get_one_with_args::<String>("SELECT $1::regclass::text", &[Oid::from(relation).into()])?;
        let name = name.unwrap_or_else(|| relation.to_string());
        return Err(Error::wrong_object_type(format!("\"{name}\" is no table or view that lint looks at"))
            .hint("Name a table or view of your own."));
    };
    let root = catalog.root_of(found).sql_name();
    let names = [found.sql_name(), root];
    let tables = catalog.tables_of_parts();
    Ok(move |object: &Object| {
        names.contains(&object.identity)
            || tables.get(&(object.kind, object.oid)).is_some_and(|table| names.contains(table))
    })
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn lint_summary(
    group_by: Option<&str>,
    schemas: Option<Vec<Option<String>>>,
    rules: Option<Vec<Option<String>>>,
    profile: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(grouped, String),
            name!(errors, i64),
            name!(warnings, i64),
            name!(infos, i64),
            name!(ignored, i64),
            name!(skipped, i64),
            name!(objects, i64),
            name!(with_fix, i64),
            name!(title, Option<&'static str>),
        ),
    >,
    ErrorReport,
> {
    let text = group_by.ok_or_else(|| Error::null_argument("group_by"))?;
    let by = GroupBy::parse(text).ok_or_else(|| {
        Error::invalid_parameter(format!("cannot group by \"{text}\""))
            .detail(format!("Groups are {}.", GroupBy::ALL.map(GroupBy::as_str).join(", ")))
            .hint("Leave group_by out for a line a rule.")
    })?;
    let outcome = run(Request { schemas, rules, profile, include_ignored: true, ..Request::default() })?;
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(TableIterator::new(summary::summary(&outcome.run.rows, by).into_iter().map(move |g| {
        (
            g.name,
            count(g.errors),
            count(g.warnings),
            count(g.infos),
            count(g.ignored),
            count(g.skipped),
            count(g.objects),
            count(g.with_fix),
            g.title,
        )
    })))
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn lint_list_rules() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(code, &'static str),
            name!(rule, &'static str),
            name!(category, &'static str),
            name!(severity, &'static str),
            name!(title, &'static str),
            name!(remedy, &'static str),
            name!(reads, Vec<&'static str>),
            name!(recommended, bool),
            name!(profiles, Vec<&'static str>),
            name!(params, JsonB),
            name!(peers, &'static str),
            name!(last_ms, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::new(own::all()?.into_iter().map(|r| {
        (
            r.code,
            r.name,
            r.category.as_str(),
            r.severity.as_str(),
            r.title,
            r.remedy,
            r.reads.iter().map(|s| s.as_str()).collect(),
            r.recommended,
            Profile::ALL.into_iter().filter(|p| p.has(r)).map(Profile::as_str).collect(),
            JsonB(Value::Object(r.params.iter().map(|p| (p.name.to_owned(), json!(p.default))).collect())),
            r.peers,
            last_ms(r.code),
        )
    })))
}

#[pg_extern(sql = false)]
fn lint_explain(code: Option<&str>) -> std::result::Result<String, ErrorReport> {
    let code = code.ok_or_else(|| Error::null_argument("code"))?;
    let all = own::all()?;
    match rules::named(&all, code) {
        Some(rule) => Ok(explain::explain(rule)),
        None => {
            let codes: Vec<&str> = all.iter().map(|r| r.code).collect();
            Err(Error::invalid_parameter(format!("there is no lint rule \"{code}\""))
                .detail(format!("Rules are {}.", codes.join(", ")))
                .hint("SELECT * FROM dbguard.lint_rules;")
                .into())
        }
    }
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn lint_score(
    schemas: Option<Vec<Option<String>>>,
    profile: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(category, &'static str),
            name!(score, Option<f64>),
            name!(grade, &'static str),
            name!(errors, i32),
            name!(warnings, i32),
            name!(infos, i32),
            name!(gain_rule, Option<&'static str>),
            name!(gain, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let outcome = run(Request { schemas, profile, ..Request::default() })?;
    let weights = score::Weights::of(&outcome.catalog.params);
    let round = |x: f64| (x * 10.0).round() / 10.0;
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    Ok(TableIterator::new(score::score(&outcome.run, &weights).into_iter().map(move |l| {
        (
            l.category.map_or("overall", |c| c.as_str()),
            l.score.map(round),
            l.grade(),
            count(l.errors),
            count(l.warnings),
            count(l.infos),
            l.gain.map(|(code, _)| code),
            l.gain.map(|(_, by)| round(by)),
        )
    })))
}
