//! tenant_status: one row a guarded table.

use super::guarded::{policies, same_guard, Policy};
use super::index;
use crate::catalog::relation;
use crate::ddl::tenant as ddl;
use crate::error::Result;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn tenant_status() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(column, Option<String>),
            name!(type_name, Option<&'static str>),
            name!(setting, Option<String>),
            name!(force, bool),
            name!(index, bool),
            name!(children, i64),
            name!(unguarded, i64),
            name!(problem, Option<String>),
            name!(fix, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let mut rows = vec![];
    for policy in policies(None, None)?.iter().filter(|p| !p.follows) {
        rows.push(row(policy)?);
    }
    Ok(TableIterator::new(rows))
}

type Row = (
    Oid,
    Option<String>,
    Option<&'static str>,
    Option<String>,
    bool,
    bool,
    i64,
    i64,
    Option<String>,
    Option<String>,
);

fn row(p: &Policy) -> Result<Row> {
    let (children, unguarded) = children(p.relation)?;
    let (column, kind, setting) = match &p.rule {
        Some((column, kind, setting)) => (Some(column.clone()), Some(kind.name()), Some(setting.clone())),
        None => (None, None, None),
    };
    let has_index = match &column {
        Some(column) => index::serves(&relation(p.relation)?, column)?.is_some(),
        None => false,
    };
    let again = column
        .as_ref()
        .zip(setting.as_ref())
        .map(|(c, s)| ddl::enable_call(&p.schema, &p.name, c, s, p.forced));
    let (problem, fix) = if p.rule.is_none() {
        let what = "policy dbguard_tenant is not as it was made: it may let other tenants' rows through";
        (Some(what.to_owned()), None)
    } else if !p.enabled {
        let what = "row-level security is off: every tenant's rows are seen";
        (Some(what.to_owned()), Some(ddl::row_security(&p.schema, &p.name, true)))
    } else if unguarded > 0 {
        (Some(format!("{unguarded} partitions or children are not guarded as it is")), again)
    } else if !has_index {
        (Some("no index begins with the tenant column".to_owned()), again)
    } else {
        (None, None)
    };
    Ok((p.relation, column, kind, setting, p.forced, has_index, children, unguarded, problem, fix))
}

/// How many inherit from a table, and how many of them can be read past it.
fn children(relation: Oid) -> Result<(i64, i64)> {
    const CHILDREN: &str = concat!(
        "WITH RECURSIVE tree AS (
            SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = $1
            UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid)
        SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (
            SELECT FROM pg_inherits i JOIN pg_class up ON up.oid = i.inhparent
            JOIN pg_policy p ON p.polrelid = up.oid AND p.polname = 'dbguard_tenant'
            JOIN pg_policy q ON q.polrelid = c.oid AND q.polname = 'dbguard_tenant'
            WHERE i.inhrelid = c.oid AND ",
        same_guard!(),
        ")) FROM tree t JOIN pg_class c ON c.oid = t.oid WHERE c.relpersistence <> 't'"
    );
    let (all, open) = Spi::connect(|client| {
        client.select(CHILDREN, Some(1), &[relation.into()])?.first().get_two::<i64, i64>()
    })?;
    Ok((all.unwrap_or_default(), open.unwrap_or_default()))
}
