//! The SQL functions.

use crate::error::{Error, Result};
use crate::lint::arguments::{rules_argument, schemas_argument, severity_argument};
use crate::lint::{rows, snapshot};
use crate::pg::guc;
use crate::pg::subxact::look;
use dbguard_core::lint::catalog::Catalog;
use dbguard_core::lint::engine::{self, Run};
use dbguard_core::lint::finding::Severity;
use dbguard_core::lint::rule::{Rule, Section};
use dbguard_core::lint::scope::Scope;
use dbguard_core::lint::{explain, rules, score};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use pgrx::JsonB;

type Schemas = Option<Vec<Option<String>>>;

fn run(schemas: Schemas, rules: &[&'static Rule], min_severity: Severity) -> Result<Run> {
    // index and constraint definitions are read under a lock on their table
    let mut facts = look(|| guc::with(&[(c"lock_timeout", c"1s")], snapshot::take)).map_err(|e| {
        if e.code() == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE {
            e.hint("Another session holds a table under an exclusive lock. Run lint again when it is done.")
        } else {
            e
        }
    })?;
    let schemas = schemas_argument(schemas, &facts)?;
    rows::sequence_values(&mut facts);
    let wanted = |section| rules.iter().any(|r| r.reads.contains(&section));
    if wanted(Section::Rows) {
        let scope = Scope::new(&facts, schemas.as_deref());
        rows::default_partitions(&mut facts, &scope);
    }
    Ok(engine::run(&Catalog::new(facts, schemas.as_deref()), rules, min_severity))
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn lint(
    schemas: Option<Vec<Option<String>>>,
    rules: Option<Vec<Option<String>>>,
    min_severity: Option<&str>,
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
            name!(confidence, f32),
            name!(status, &'static str),
            name!(fingerprint, String),
            name!(objid, Option<Oid>),
            name!(details, JsonB),
        ),
    >,
    ErrorReport,
> {
    let min_severity = severity_argument(min_severity)?;
    let rules = rules_argument(rules)?;
    let run = run(schemas, &rules, min_severity)?;
    Ok(TableIterator::new(run.rows.into_iter().map(|r| {
        (
            r.severity.as_str(),
            r.rule.code,
            r.rule.name,
            r.rule.category.as_str(),
            r.object.identity,
            r.object.kind,
            r.message,
            r.fix.map(|f| f.sql),
            r.confidence,
            r.status.as_str(),
            r.fingerprint,
            (r.object.oid != 0).then(|| Oid::from(r.object.oid)),
            JsonB(serde_json::Value::Object(r.details)),
        )
    })))
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn lint_list_rules() -> TableIterator<
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
    ),
> {
    TableIterator::new(rules::all().into_iter().map(|r| {
        let reads = r.reads.iter().map(|s| s.as_str()).collect();
        (r.code, r.name, r.category.as_str(), r.severity.as_str(), r.title, r.remedy, reads, r.recommended)
    }))
}

#[pg_extern(sql = false)]
fn lint_explain(code: Option<&str>) -> std::result::Result<String, ErrorReport> {
    let code = code.ok_or_else(|| Error::null_argument("code"))?;
    match rules::find(code) {
        Some(rule) => Ok(explain::explain(rule)),
        None => {
            let codes: Vec<&str> = rules::all().iter().map(|r| r.code).collect();
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
    let run = run(schemas, &rules::all(), Severity::Info)?;
    let round = |x: f64| (x * 10.0).round() / 10.0;
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    Ok(TableIterator::new(score::score(&run).into_iter().map(move |l| {
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
