//! tenant_usage: how much of the guarded tables is each tenant's.

use super::guarded::{guarded, Guarded};
use crate::catalog::{hold, relation, schema_with};
use crate::ddl::tenant as ddl;
use crate::error::Result;
use crate::pg::compat::owns_relation;
use crate::pg::relation::with_inheritors;
use crate::pg::user::{self, as_role, Fence};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What a tenant has. Tables by OID: a partitioned table counts once.
#[derive(Default)]
struct Share {
    tables: BTreeSet<u32>,
    rows: f64,
    bytes: f64,
}

/// By tenant, and what it rests on. None: rows of the tenants that statistics do not name, or of none.
type Shares = BTreeMap<(Option<String>, &'static str), Share>;

const COUNTED: &str = "counted";
const STATISTICS: &str = "statistics";
const OTHERS: &str = "statistics: all other tenants";
const NEVER: &str = "no statistics: ANALYZE first";
const NOBODY: &str = "no tenant";
const NOT_YOURS: &str = "not yours to read";

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn tenant_usage(
    schema: Option<&str>,
    exact: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(tenant, Option<String>),
            name!(tables, i64),
            name!(rows, Option<i64>),
            name!(bytes, Option<i64>),
            name!(source, &'static str),
        ),
    >,
    ErrorReport,
> {
    let shares = usage(schema, exact.unwrap_or_default())?;
    let mut rows: Vec<_> = shares
        .into_iter()
        .map(|((tenant, source), s)| {
            let known = source != NOT_YOURS;
            let number = |n: f64| known.then_some(n.round() as i64);
            (tenant, s.tables.len() as i64, number(s.rows), number(s.bytes), source)
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.3));
    Ok(TableIterator::new(rows))
}

fn usage(schema: Option<&str>, exact: bool) -> Result<Shares> {
    let schema = schema.map(|s| schema_with(s, &[])).transpose()?;
    let mut shares = Shares::new();
    // one that inherits from two of them counts once
    let mut seen = BTreeSet::new();
    for table in guarded(schema)?.iter().filter(|t| !t.follows) {
        for relid in with_inheritors(table.relation) {
            pgrx::check_for_interrupts!();
            let leaf = relation(relid)?;
            if leaf.kind != 'r' || !seen.insert(relid.to_u32()) {
                continue;
            }
            if !owns_relation(relid, user::current()) {
                add(&mut shares, (None, NOT_YOURS), table, 0.0, 0.0);
                continue;
            }
            hold(relid, (&leaf.schema, &leaf.name), leaf.owner)?;
            as_role(leaf.owner, Fence::RestrictedAllRows, || {
                if exact {
                    counted(&mut shares, table, &ddl::count(&leaf.schema, &leaf.name, &table.column))
                } else {
                    estimated(&mut shares, table, relid)
                }
            })?;
        }
    }
    Ok(shares)
}

fn add(shares: &mut Shares, key: (Option<String>, &'static str), table: &Guarded, rows: f64, bytes: f64) {
    let share = shares.entry(key).or_default();
    share.tables.insert(table.relation.to_u32());
    share.rows += rows;
    share.bytes += bytes;
}

fn counted(shares: &mut Shares, table: &Guarded, sql: &str) -> Result<()> {
    Spi::connect(|client| -> std::result::Result<(), pgrx::spi::Error> {
        for row in client.select(sql, None, &[])? {
            let tenant = row.get::<String>(1)?;
            let source = if tenant.is_some() { COUNTED } else { NOBODY };
            let (rows, bytes) =
                (row.get::<i64>(2)?.unwrap_or_default(), row.get::<i64>(3)?.unwrap_or_default());
            add(shares, (tenant, source), table, rows as f64, bytes as f64);
        }
        Ok(())
    })?;
    Ok(())
}

/// The most common tenants have their part of the rows; the others share the rest, and are not told apart.
fn estimated(shares: &mut Shares, table: &Guarded, leaf: Oid) -> Result<()> {
    const STATS: &str = "
        SELECT greatest(c.reltuples, 0)::float8, pg_table_size(c.oid)::float8, c.reltuples < 0 OR (c.reltuples > 0 AND s.attname IS NULL),
               s.most_common_vals::text::text[], s.most_common_freqs::float8[], s.null_frac::float8
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = $2 AND NOT s.inherited
        WHERE c.oid = $1";
    Spi::connect(|client| -> std::result::Result<(), pgrx::spi::Error> {
        let args = [leaf.into(), table.column.as_str().into()];
        for row in client.select(STATS, Some(1), &args)? {
            let rows = row.get::<f64>(1)?.unwrap_or_default();
            let bytes = row.get::<f64>(2)?.unwrap_or_default();
            if row.get::<bool>(3)? == Some(true) {
                add(shares, (None, NEVER), table, rows, bytes);
                continue;
            }
            let tenants = row.get::<Vec<Option<String>>>(4)?.unwrap_or_default();
            let parts = row.get::<Vec<Option<f64>>>(5)?.unwrap_or_default();
            let none = row.get::<f64>(6)?.unwrap_or_default();
            let mut rest = 1.0 - none;
            for (tenant, part) in tenants.into_iter().zip(parts) {
                let part = part.unwrap_or_default();
                rest -= part;
                add(shares, (tenant, STATISTICS), table, rows * part, bytes * part);
            }
            // what is left of the sum of rounded parts is nobody's
            if rest > 1e-6 && rows > 0.0 {
                add(shares, (None, OTHERS), table, rows * rest, bytes * rest);
            }
            if none > 0.0 {
                add(shares, (None, NOBODY), table, rows * none, bytes * none);
            }
        }
        Ok(())
    })?;
    Ok(())
}
