//! Undoing audited changes. `select` reads what is to be undone, `plan` folds it into steps and
//! looks at the rows, `run` does them; `table` is a table as it is now, `referrers` what
//! refers to its rows, `step` one statement,
//! `batch` many of the same shape at once.

mod batch;
mod plan;
mod referrers;
mod run;
mod select;
mod step;
mod table;

use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::guc;
use crate::pg::jsonb::Jsonb;
use dbguard_core::audit::fold::Action;
use dbguard_core::quote::qualified;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use plan::Plan;
use select::Selection;

/// step, schema, table, key, action, values, changes undone, conflict, note, statement
type Row = (
    i32,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<Jsonb>,
    Vec<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
);

#[derive(Clone, Copy, PartialEq, Eq)]
enum OnConflict {
    Error,
    Skip,
    Force,
}

impl OnConflict {
    fn parse(word: Option<&str>) -> Result<OnConflict> {
        match word.ok_or_else(|| Error::null_argument("on_conflict"))? {
            "error" => Ok(OnConflict::Error),
            "skip" => Ok(OnConflict::Skip),
            "force" => Ok(OnConflict::Force),
            other => Err(Error::invalid_parameter(format!(
                "unrecognized value for argument \"on_conflict\": \"{other}\""
            ))
            .detail("Valid values are \"error\", \"skip\" and \"force\".")),
        }
    }
}

#[allow(clippy::too_many_arguments, clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_revert_plan(
    xact: Option<i64>,
    statement: Option<TimestampWithTimeZone>,
    relation: Option<Oid>,
    key: Option<String>,
    actor: Option<String>,
    tenant: Option<String>,
    since: Option<TimestampWithTimeZone>,
    until: Option<TimestampWithTimeZone>,
    on_conflict: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(schema_name, String),
            name!(table_name, String),
            name!(key, Option<String>),
            name!(action, Option<String>),
            name!(set_to, Option<Jsonb>),
            name!(undoes, Vec<i64>),
            name!(conflict, Option<String>),
            name!(note, Option<String>),
            name!(sql, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let selection = selection(xact, statement, relation, key, actor, tenant, since, until);
    let force = OnConflict::parse(on_conflict)? == OnConflict::Force;
    let plan = || -> Result<Plan> {
        let mut plan = Plan::new(&selection.read()?)?;
        plan.look(force, false)?;
        Ok(plan)
    };
    Ok(TableIterator::new(rows(&plan()?)))
}

#[allow(clippy::too_many_arguments, clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_revert(
    xact: Option<i64>,
    statement: Option<TimestampWithTimeZone>,
    relation: Option<Oid>,
    key: Option<String>,
    actor: Option<String>,
    tenant: Option<String>,
    since: Option<TimestampWithTimeZone>,
    until: Option<TimestampWithTimeZone>,
    on_conflict: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(schema_name, String),
            name!(table_name, String),
            name!(key, Option<String>),
            name!(action, Option<String>),
            name!(set_to, Option<Jsonb>),
            name!(undoes, Vec<i64>),
            name!(conflict, Option<String>),
            name!(note, Option<String>),
            name!(sql, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let selection = selection(xact, statement, relation, key, actor, tenant, since, until);
    let plan = revert(&selection, OnConflict::parse(on_conflict)?)?;
    Ok(TableIterator::new(rows(&plan)))
}

fn revert(selection: &Selection, on_conflict: OnConflict) -> Result<Plan> {
    let (plan, logged, told) = guc::with_pinned_search_path(|| -> Result<_> {
        let logged = selection.read()?;
        let mut plan = Plan::new(&logged)?;
        plan.lock()?;
        plan.look(on_conflict == OnConflict::Force, true)?;
        let relation = selection.relation.map(catalog::relation).transpose()?;
        Ok((plan, logged, selection.told(relation.map(|r| qualified(&r.schema, &r.name)))))
    })?;
    if on_conflict == OnConflict::Error {
        refuse_conflicts(&plan)?;
    }
    run::run(&plan, logged, told)?;
    Ok(plan)
}

fn refuse_conflicts(plan: &Plan) -> Result<()> {
    const SHOWN: usize = 5;
    let told: Vec<String> = plan
        .conflicts()
        .take(SHOWN)
        .map(|step| {
            let table = plan.names.get(step.table).map_or("", |(_, name)| name);
            let key = step.key.as_ref().map_or(String::new(), |key| format!(" key {key}"));
            let conflict = step.conflict.as_ref().map_or(String::new(), ToString::to_string);
            format!("Table \"{table}\"{key}: {conflict}.")
        })
        .collect();
    let count = plan.conflicts().count();
    if count == 0 {
        return Ok(());
    }
    Err(Error::not_in_state(format!("cannot undo: {count} of {} rows have conflicts", plan.steps.len()))
        .detail(told.join("\n"))
        .hint("dbguard.audit_revert_plan shows all of them. on_conflict => 'skip' leaves these rows alone, 'force' sets the old values anyway."))
}

#[allow(clippy::too_many_arguments)]
fn selection(
    xact: Option<i64>,
    statement: Option<TimestampWithTimeZone>,
    relation: Option<Oid>,
    key: Option<String>,
    actor: Option<String>,
    tenant: Option<String>,
    since: Option<TimestampWithTimeZone>,
    until: Option<TimestampWithTimeZone>,
) -> Selection {
    let xact = xact.map(|xact| (xact as u64).to_string());
    Selection { xact, statement, relation, key, actor, tenant, since, until }
}

fn rows(plan: &Plan) -> Vec<Row> {
    let row = |(i, step): (usize, &step::Step)| {
        let (schema, name) = plan.names.get(step.table).cloned().unwrap_or_default();
        let table = plan.tables.get(step.table).and_then(Option::as_ref);
        let shows_values = matches!(step.action, Some(Action::Insert | Action::Update));
        (
            i as i32 + 1,
            schema,
            name,
            step.key.clone(),
            step.action.map(|action| action.word().to_owned()),
            shows_values.then(|| Jsonb::parse(&step.set_to(table))),
            step.undoes.clone(),
            step.conflict.as_ref().map(ToString::to_string),
            (!step.notes.is_empty()).then(|| step.notes.join("; ")),
            step.sql.clone(),
        )
    };
    plan.steps.iter().enumerate().map(row).collect()
}
