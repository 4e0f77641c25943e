//! tenant_enable and tenant_plan: the steps of a table and of all that inherit from it.

use super::auto::let_be;
use super::steps::{Step, BUILD, EXCLUSIVE};
use super::wanted::{root_table, Wanted};
use super::{guard, index, views};
use crate::catalog::writable;
use crate::catalog::{own_table, relation};
use crate::ddl::tenant as ddl;
use crate::error::{notice, warning, Error, Result};
use crate::pg::lock;
use crate::pg::relation::{with_inheritors, Relation};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

type Row = (Oid, &'static str, &'static str, Option<String>, Option<&'static str>, String);

pub fn rows(steps: Vec<Step>) -> Vec<Row> {
    steps.into_iter().map(|s| (s.table, s.step, s.action(), s.statement, s.lock, s.reason)).collect()
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn tenant_enable(
    table: Option<Oid>,
    tenant_column: Option<&str>,
    setting: Option<&str>,
    force: Option<bool>,
    tenants: Option<Oid>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(step, &'static str),
            name!(action, &'static str),
            name!(statement, Option<String>),
            name!(lock, Option<&'static str>),
            name!(reason, String),
        ),
    >,
    ErrorReport,
> {
    writable("tenant_enable")?;
    let table = table.ok_or_else(|| Error::null_argument("relation"))?;
    let steps = enable(table, &Wanted::new(tenant_column, setting, force, tenants)?)?;
    if !steps.iter().any(|s| s.at_once) {
        notice(format!("table \"{}\" is already guarded, nothing to do", relation(table)?.name));
    }
    Ok(TableIterator::new(rows(steps)))
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn tenant_plan(
    table: Option<Oid>,
    tenant_column: Option<&str>,
    setting: Option<&str>,
    force: Option<bool>,
    tenants: Option<Oid>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(step, &'static str),
            name!(action, &'static str),
            name!(statement, Option<String>),
            name!(lock, Option<&'static str>),
            name!(reason, String),
        ),
    >,
    ErrorReport,
> {
    let table = table.ok_or_else(|| Error::null_argument("relation"))?;
    let steps = plan(table, &Wanted::new(tenant_column, setting, force, tenants)?)?;
    Ok(TableIterator::new(rows(steps)))
}

/// Guards a table and all that inherit from it. All steps, with those that are left to the user.
pub fn enable(table: Oid, wanted: &Wanted) -> Result<Vec<Step>> {
    let steps = plan(table, wanted)?;
    if !steps.iter().any(|s| s.at_once) {
        return Ok(steps);
    }
    // from here on nobody else changes them; parents first, as the server locks them
    for relid in with_inheritors(table) {
        if guardable(&relation(relid)?) {
            own_table(relid)?;
            lock::access_exclusive(relid);
        }
    }
    let steps = plan(table, wanted)?;
    let_be(|| steps.iter().try_for_each(|step| step.take()))?;
    Ok(steps)
}

/// What is to be done, and why.
pub fn plan(table: Oid, wanted: &Wanted) -> Result<Vec<Step>> {
    let root = root_table(table)?;
    wanted.kind(&root)?;
    if let Some(above) = unguarded_parent(table)? {
        warning(
            Error::not_in_state(format!("table \"{above}\" shows the rows of \"{}\", too", root.name))
                .detail("It is inherited from, and has no policy of dbguard.")
                .hint("Guard that one, or ALTER TABLE ... NO INHERIT."),
        );
    }
    let mut steps = vec![];
    // children first: what is guarded has no child that is not, whenever one looks (as our event trigger does)
    for relid in with_inheritors(table).into_iter().rev() {
        let table = relation(relid)?;
        if guardable(&table) {
            steps.extend(guard::steps(&own_table(relid)?, wanted)?);
        } else if table.kind == 'f' {
            steps.push(of_foreign_table(&table));
        }
    }
    for relid in with_inheritors(table) {
        let table = relation(relid)?;
        // a partition has its part of the table's
        if guardable(&table) && !table.is_partition {
            steps.extend(index::steps(&table, &wanted.column)?);
            steps.extend(not_null(&table, &wanted.column)?);
            if let Some(tenants) = wanted.tenants {
                steps.extend(foreign_key(&table, &wanted.column, tenants)?);
            }
        }
        steps.extend(views::steps(relid)?);
    }
    Ok(steps)
}

/// A table that this one inherits from and that has no policy of ours: through it no policy of this one counts.
fn unguarded_parent(table: Oid) -> Result<Option<String>> {
    const PARENT: &str = "
        SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent
        WHERE i.inhrelid = $1
          AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'dbguard_tenant')
        ORDER BY 1 LIMIT 1";
    Ok(Spi::connect(|client| {
        let mut found = client.select(PARENT, Some(1), &[table.into()])?;
        found.next().map_or(Ok(None), |row| row.get::<String>(1))
    })
    .map_err(|e: pgrx::spi::Error| e)?)
}

/// Whether it can have policies and is seen by other sessions.
pub fn guardable(table: &Relation) -> bool {
    matches!(table.kind, 'r' | 'p') && table.persistence != 't'
}

fn of_foreign_table(table: &Relation) -> Step {
    Step {
        table: table.oid,
        step: "partition",
        at_once: false,
        statement: None,
        lock: None,
        reason: "a foreign table can have no policies: leave no role a privilege on it".to_owned(),
    }
}

fn is(query: &str, args: &[DatumWithOid]) -> Result<bool> {
    let found = Spi::connect(|client| client.select(query, Some(1), args)?.first().get_one::<bool>())?;
    Ok(found == Some(true))
}

/// A column without a tenant belongs to nobody, and nobody sees the row.
fn not_null(table: &Relation, column: &str) -> Result<Vec<Step>> {
    const NULLABLE: &str = "SELECT NOT attnotnull FROM pg_attribute WHERE attrelid = $1 AND attname = $2";
    if !is(NULLABLE, &[table.oid.into(), column.into()])? {
        return Ok(vec![]);
    }
    let [check, validate, set, drop] = ddl::not_null(&table.schema, &table.name, column);
    let step = |statement, lock, reason| Step::by_hand(table, "not null", statement, lock, reason);
    Ok(vec![
        step(check, EXCLUSIVE, "nobody sees a row without a tenant; new rows must have one from here on"),
        step(validate, BUILD, "the rows there are; it fails if one has no tenant"),
        step(set, EXCLUSIVE, "the checked constraint proves it without looking at the rows"),
        step(drop, EXCLUSIVE, "it has served"),
    ])
}

/// A tenant must be one of those there are.
fn foreign_key(table: &Relation, column: &str, tenants: Oid) -> Result<Vec<Step>> {
    const THERE: &str = "
        SELECT EXISTS (SELECT FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
                       WHERE k.contype = 'f' AND k.conrelid = $1 AND k.confrelid = $2 AND a.attname = $3)";
    let to = relation(tenants)?;
    let key = to.key();
    let [key] = key.as_slice() else {
        return Err(Error::not_in_state(format!("table \"{}\" has no primary key of one column", to.name))
            .hint("Name the table that has one row a tenant."));
    };
    if is(THERE, &[table.oid.into(), tenants.into(), column.into()])? {
        return Ok(vec![]);
    }
    let to = (&*to.schema, &*to.name, key.as_str());
    let mut steps = vec![];
    let mut add = |table: &Relation, statement, lock, reason| {
        steps.push(Step::by_hand(table, "foreign key", statement, lock, reason));
    };
    const KEYS: &str = "SHARE ROW EXCLUSIVE on both tables, for a moment";
    let mut leaves = 0;
    for leaf in with_inheritors(table.oid) {
        let leaf = relation(leaf)?;
        if leaf.kind != 'r' || (leaf.oid != table.oid && !leaf.is_partition) {
            continue;
        }
        let (schema, name) = (&*leaf.schema, &*leaf.name);
        add(
            &leaf,
            ddl::foreign_key(schema, name, column, to, true),
            KEYS,
            "new rows must be of a tenant there is",
        );
        add(&leaf, ddl::validate_foreign_key(schema, name), BUILD, "the rows there are");
        leaves += 1;
    }
    if table.kind == 'p' {
        let reason =
            if leaves == 0 { "new partitions have it" } else { "it takes over those of the partitions" };
        add(table, ddl::foreign_key(&table.schema, &table.name, column, to, false), KEYS, reason);
    }
    Ok(steps)
}
