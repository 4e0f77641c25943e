//! tenant_erase: really deletes all rows of a tenant, and makes sure of it.

use super::order::order;
use super::owned::Owned;
use crate::audit;
use crate::catalog::writable;
use crate::ddl::{self, tenant_data};
use crate::error::{notice, Error, Result};
use crate::pg::guc;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use serde_json::{Map, Value};

#[derive(Clone, Copy, PartialEq)]
enum Work {
    /// A key lets go.
    Unlink,
    Delete,
    /// Values are taken out of the audit log.
    Redact,
}

struct Step {
    work: Work,
    /// Position of the table; of what the log has, its OID if it is still there.
    table: usize,
    relation: Option<Oid>,
    statement: Option<String>,
    rows: Option<i64>,
}

/// What becomes of the tenant's rows in the audit log.
#[derive(Clone, Copy, PartialEq)]
enum Log {
    Keep,
    Redact,
}

impl Log {
    fn parse(given: Option<&str>) -> Result<Log> {
        match given.ok_or_else(|| Error::null_argument("audit"))? {
            "keep" => Ok(Log::Keep),
            "redact" => Ok(Log::Redact),
            "erase" => Err(Error::unsupported("changes cannot be erased from the audit log")
                .detail("The log only grows, so that its seals can prove it.")
                .hint("audit => 'redact' takes the values out of them.")),
            other => {
                Err(Error::invalid_parameter(format!("invalid value for argument \"audit\": \"{other}\""))
                    .detail("It can be keep, redact.")
                    .hint("Give one of these."))
            }
        }
    }
}

/// Everything that is to be done, in its order.
fn plan(owned: &Owned, log: Log) -> Result<Vec<Step>> {
    alone(owned)?;
    let order = order(owned)?;
    let mut steps = vec![];
    for key in order.cuts.iter().map(|at| &owned.keys[*at]).filter(|key| key.holds) {
        let table = &owned.tables[key.child];
        let condition =
            format!("{} AND {}", owned.condition(key.child)?, tenant_data::refers_at_all(&key.nullable));
        let rows = Some(table.count(&tenant_data::count(table.id(), &condition))?);
        let statement = Some(tenant_data::unlink(table.id(), &key.nullable, &condition));
        steps.push(Step { work: Work::Unlink, table: key.child, relation: Some(table.oid), statement, rows });
    }
    for at in order.tables {
        let (table, condition) = (&owned.tables[at], owned.condition(at)?);
        let rows = table.count(&tenant_data::count(table.id(), &condition))?;
        let statement = Some(tenant_data::delete(table.id(), &condition));
        steps.push(Step {
            work: Work::Delete,
            table: at,
            relation: Some(table.oid),
            statement,
            rows: Some(rows),
        });
    }
    if log == Log::Redact {
        steps.extend(redactions(audit::of_tenant(&erasure(owned), None)?));
    }
    Ok(steps)
}

fn erasure(owned: &Owned) -> audit::Erasure<'_> {
    let tables = owned.tables.iter().map(|t| t.oid).collect();
    audit::Erasure { tenant: &owned.value, spelled: &owned.shown, tables, everywhere: owned.everywhere }
}

fn redactions(found: Vec<(Option<Oid>, i64)>) -> impl Iterator<Item = Step> {
    found.into_iter().map(|(relation, rows)| Step {
        work: Work::Redact,
        table: 0,
        relation,
        statement: None,
        rows: Some(rows),
    })
}

/// Nobody begins to refer to the tenant's rows from now on, and who is at it is waited for: a row of another tenant would
/// go along.
fn keep_referrers_out(owned: &Owned) -> Result<()> {
    for (at, table) in owned.tables.iter().enumerate() {
        if owned.keys.iter().any(|key| key.parent == at) {
            table.count_now(&tenant_data::lock(table.id(), &owned.condition(at)?))?;
        }
    }
    Ok(())
}

/// No row of another tenant may refer to what goes: it would go along, or keep it from going.
///
/// # Errors
/// 55000 if one does.
fn alone(owned: &Owned) -> Result<()> {
    for key in owned.keys.iter().filter(|key| owned.tables[key.child].tenant.is_some()) {
        let child = &owned.tables[key.child];
        let query = tenant_data::foreign_rows(child.id(), &owned.condition(key.child)?, &owned.refers(key)?);
        let rows = child.count(&query)?;
        if rows > 0 {
            let parent = &owned.tables[key.parent].name;
            return Err(Error::not_in_state(format!(
                "rows of other tenants refer to the tenant's rows in table \"{parent}\""
            ))
            .detail(format!("Table \"{}\" has {rows} of them, by foreign key \"{}\".", child.name, key.name))
            .hint("Give them the tenant they belong to, or let them refer to something else."));
        }
    }
    Ok(())
}

/// The rows are really deleted, not marked, and nothing waits for the end of the transaction, when it would run with
/// the caller's rights.
fn run(owned: &Owned, log: Log, steps: &mut Vec<Step>) -> Result<()> {
    let before = if log == Log::Redact { Some(audit::last_change()?) } else { None };
    ddl::run(tenant_data::CHECK_AT_ONCE)?;
    guc::with(&[(c"dbguard.hard_delete", c"on")], || steps.iter().try_for_each(|step| one(owned, step)))?;
    for at in 0..owned.tables.len() {
        none_left(owned, at)?;
    }
    let mut told: Map<String, Value> = Map::new();
    for step in steps.iter().filter(|step| step.work == Work::Delete) {
        let (schema, name) = owned.tables[step.table].id();
        told.insert(dbguard_core::quote::qualified(schema, name), step.rows.into());
    }
    if before.is_some() {
        steps.retain(|step| step.work != Work::Redact);
        steps.extend(redactions(audit::of_tenant(&erasure(owned), before)?));
    }
    if !audit::log_erasure(&owned.value, &Value::Object(told).to_string())? {
        notice("there is no audit log: nothing but this result tells that the tenant was erased");
    }
    Ok(())
}

fn one(owned: &Owned, step: &Step) -> Result<()> {
    let table = &owned.tables[step.table];
    let Some(statement) = &step.statement else { return Ok(()) };
    let rows = table.write(statement)?;
    if Some(rows) != step.rows {
        let planned = step.rows.unwrap_or_default();
        let code = PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE;
        return Err(Error::new(
            code,
            format!("{rows} rows of table \"{}\" were deleted or unlinked, not {planned}", table.name),
        )
        .detail("Another session or a trigger changed them meanwhile, or a trigger kept them.")
        .hint("Try again, when nobody works for the tenant; see what triggers the table has."));
    }
    match step.work {
        Work::Delete => none_left(owned, step.table),
        _ => Ok(()),
    }
}

fn none_left(owned: &Owned, at: usize) -> Result<()> {
    let table = &owned.tables[at];
    let rows = table.count_now(&tenant_data::count(table.id(), &owned.condition(at)?))?;
    if rows == 0 {
        return Ok(());
    }
    Err(Error::not_in_state(format!("table \"{}\" still has {rows} rows of the tenant", table.name))
        .detail("Another session or a trigger made them, or a trigger kept them from being deleted.")
        .hint("Try again, when nobody works for the tenant; see what triggers the table has."))
}

type Row = (i32, Option<Oid>, &'static str, Option<String>, Option<i64>);

fn rows(steps: Vec<Step>) -> Vec<Row> {
    let action = |work: Work| match work {
        Work::Unlink => "unlink",
        Work::Delete => "delete",
        Work::Redact => "redact",
    };
    (1..)
        .zip(steps)
        .map(|(n, step)| (n, step.relation, action(step.work), step.statement, step.rows))
        .collect()
}

fn erase(tenant: Option<&str>, schema: Option<&str>, log: Option<&str>, dry_run: bool) -> Result<Vec<Row>> {
    let log = Log::parse(log)?;
    let owned = Owned::of(tenant, schema)?;
    if !dry_run {
        keep_referrers_out(&owned)?;
    }
    let mut steps = plan(&owned, log)?;
    if !dry_run {
        run(&owned, log, &mut steps)?;
    }
    Ok(rows(steps))
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn tenant_erase_plan(
    tenant: Option<&str>,
    schema: Option<&str>,
    audit: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(relation, Option<Oid>),
            name!(action, &'static str),
            name!(statement, Option<String>),
            name!(rows, Option<i64>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::new(erase(tenant, schema, audit, true)?))
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn tenant_erase(
    tenant: Option<&str>,
    schema: Option<&str>,
    audit: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(relation, Option<Oid>),
            name!(action, &'static str),
            name!(statement, Option<String>),
            name!(rows, Option<i64>),
        ),
    >,
    ErrorReport,
> {
    writable("tenant_erase")?;
    Ok(TableIterator::new(erase(tenant, schema, audit, false)?))
}
