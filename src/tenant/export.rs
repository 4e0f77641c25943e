//! tenant_export: all rows of a tenant, those first that others refer to.

use super::order::order;
use super::owned::Owned;
use crate::ddl::tenant_data as ddl;
use crate::error::Result;
use crate::pg::query::{param, SetCall};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

/// Positions of the tables, parents first.
fn tables(owned: &Owned) -> Result<Vec<usize>> {
    let mut tables = order(owned)?.tables;
    tables.reverse();
    Ok(tables)
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn tenant_export_plan(
    tenant: Option<&str>,
    schema: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (name!(step, i32), name!(relation, Oid), name!(statement, String), name!(rows, i64)),
    >,
    ErrorReport,
> {
    Ok(TableIterator::new(plan(tenant, schema)?))
}

fn plan(tenant: Option<&str>, schema: Option<&str>) -> Result<Vec<(i32, Oid, String, i64)>> {
    let owned = Owned::of(tenant, schema)?;
    let mut rows = vec![];
    for (step, at) in (1..).zip(tables(&owned)?) {
        let (table, condition) = (&owned.tables[at], owned.condition(at)?);
        let count = table.count(&ddl::count(table.id(), &condition))?;
        rows.push((step, table.oid, ddl::copy(table.id(), &table.columns, &condition), count));
    }
    Ok(rows)
}

/// dbguard.tenant_export(tenant, schema)
#[pg_extern(sql = false)]
fn tenant_export(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = export(&SetCall::new(fcinfo)) {
        e.raise();
    }
}

fn export(call: &SetCall) -> Result<()> {
    let owned = Owned::of(call.text(0).as_deref(), call.text(1).as_deref())?;
    call.begin();
    for (step, at) in (1..).zip(tables(&owned)?) {
        let (table, condition) = (&owned.tables[at], owned.condition(at)?);
        let query = ddl::rows(table.id(), &condition);
        let params = [param::<i32>(step), (pg_sys::REGCLASSOID, param(table.oid).1)];
        table.fenced(|| call.append_query(&query, &params))?;
    }
    Ok(())
}
