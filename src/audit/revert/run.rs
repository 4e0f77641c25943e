//! Doing it.

use super::batch::batches;
use super::plan::Plan;
use super::select::Logged;
use super::step::Step;
use super::table::{self, Table};
use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::guc;
use crate::pg::subxact::subtransaction;
use crate::settings;
use pgrx::PgSqlErrorCode;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::ffi::CString;

/// Does the steps that nothing stands in the way of, with the caller's rights and search_path: the
/// table's triggers fire as for any write. `told` says in the log what is undone.
pub fn run(plan: &Plan, logged: Vec<Logged>, mut told: Map<String, Value>) -> Result<()> {
    let changes: usize = plan.steps.iter().filter(|step| step.stands()).map(|step| step.undoes.len()).sum();
    told.insert("changes".to_owned(), changes.into());
    let context =
        CString::new(context(told)).map_err(|_| Error::internal("a context with a NUL character"))?;
    guc::with(&[(c"dbguard.context", &context)], || {
        let error = match subtransaction(|| folded(plan)) {
            Err(error) if depends_on_order(&error) && !plan.forced => error,
            other => return other,
        };
        let steps = guc::with_pinned_search_path(|| plan.one_by_one(logged));
        subtransaction(|| one_by_one(&plan.tables, &steps)).map_err(|second| {
            error.detail(format!(
                "Nor can the changes be undone one by one, newest first: {}.",
                second.message()
            ))
        })
    })
}

/// All rows of a table that need the same in one statement, parents before children.
fn folded(plan: &Plan) -> Result<()> {
    batches(&plan.tables, &plan.steps, plan.possible()).iter().try_for_each(|batch| batch.run(&plan.steps))
}

/// Each change on its own, newest first, with constraints that can wait waiting.
fn one_by_one(tables: &[Option<Table>], steps: &[Step]) -> Result<()> {
    let constraints = guc::with_pinned_search_path(|| table::deferrable(tables))?;
    if !constraints.is_empty() {
        ddl::run(&ddl::revert::set_constraints(&constraints, "DEFERRED"))?;
    }
    let mut left: Vec<usize> = (0..steps.len()).collect();
    while !left.is_empty() {
        let before = left.len();
        let error;
        (left, error) = pass(tables, steps, left)?;
        if left.len() == before {
            return Err(error.unwrap_or_else(|| Error::internal("steps wait for each other")));
        }
    }
    if !constraints.is_empty() {
        ddl::run(&ddl::revert::set_constraints(&constraints, "IMMEDIATE"))?;
    }
    Ok(())
}

/// Does what can be done now. The steps that must wait come back, with the last error: a statement
/// and its cascades are one deed, and which of their rows is first is not in the log. What is done to a
/// row stays in its order.
fn pass(tables: &[Option<Table>], steps: &[Step], left: Vec<usize>) -> Result<(Vec<usize>, Option<Error>)> {
    let mut rows_waiting = HashSet::new();
    let mut waiting = vec![];
    let mut last = None;
    for i in left {
        let Some(step) = steps.get(i) else { continue };
        if let Some(conflict) = &step.conflict {
            return Err(Error::not_in_state(conflict.to_string()));
        }
        let rows = step.rows();
        let done = if rows.iter().any(|row| rows_waiting.contains(row)) {
            Ok(false)
        } else {
            subtransaction(|| batches(tables, steps, [i]).iter().try_for_each(|batch| batch.run(steps)))
                .map(|()| true)
        };
        match done {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) if depends_on_order(&error) => last = Some(error),
            Err(error) => return Err(error),
        }
        rows_waiting.extend(rows);
        waiting.push(i);
    }
    Ok((waiting, last))
}

/// Whether another order might do.
fn depends_on_order(error: &Error) -> bool {
    matches!(
        error.code(),
        PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION
            | PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION
            | PgSqlErrorCode::ERRCODE_EXCLUSION_VIOLATION
            | PgSqlErrorCode::ERRCODE_RESTRICT_VIOLATION
            // a cascade took rows away before their turn
            | PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
    )
}

/// The caller's own context with what is undone added; one that is no object stands beside it.
fn context(told: Map<String, Value>) -> String {
    let given = guc::string(&settings::CONTEXT).filter(|text| !text.is_empty());
    let given = given.map(|text| String::from_utf8_lossy(&text).into_owned());
    let mut context =
        match given.map(|text| serde_json::from_str::<Value>(&text).unwrap_or(Value::String(text))) {
            Some(Value::Object(object)) => object,
            Some(other) => Map::from_iter([("context".to_owned(), other)]),
            None => Map::new(),
        };
    context.insert("reverts".to_owned(), Value::Object(told));
    Value::Object(context).to_string()
}
