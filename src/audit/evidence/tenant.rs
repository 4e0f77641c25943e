//! What the log has of one tenant, for an erasure: the changes that carry its name, and the whole life of rows that this
//! transaction has deleted from tables that have no tenant of their own.

use super::chain;
use super::life;
use super::redact::{erase, Order};
use super::seal;
use crate::audit::choose::audited;
use crate::audit::store::lineage;
use crate::audit::write::buffer;
use crate::catalog;
use crate::error::Result;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A table of the log, under its last name.
struct Known {
    lineage: i32,
    schema: String,
    name: String,
    relation: Option<Oid>,
    /// All it ever had but those of its key.
    columns: Vec<String>,
}

/// How many changes of the tenant the log has of each table, among them `tables`; with a reason, their values are
/// erased.
pub fn of_tenant(tenant: &str, tables: &[Oid], reason: Option<&str>) -> Result<Vec<(Option<Oid>, i64)>> {
    chain::need_log()?;
    buffer::flush()?;
    if reason.is_some() {
        seal::lock_chain()?;
    }
    let mut lineages = vec![];
    for table in tables {
        let table = catalog::relation(*table)?;
        lineages.extend(lineage::of(&table, &audited::home(&table))?);
    }
    let mut rows = vec![];
    for known in known(tenant, lineages)? {
        let mut changes = life::of_tenant(known.lineage, tenant, &known.columns)?;
        changes.retain(|change| !change.columns.is_empty());
        if changes.is_empty() {
            continue;
        }
        rows.push((known.relation, changes.len() as i64));
        if let Some(reason) = reason {
            let order = Order {
                schema: &known.schema,
                name: &known.name,
                lineage: known.lineage,
                key: &format!("tenant {tenant}"),
                columns: &known.columns,
                reason,
            };
            erase(&order, &changes)?;
        }
    }
    Ok(rows)
}

fn known(tenant: &str, lineages: Vec<i32>) -> Result<Vec<Known>> {
    const KNOWN: &str = "
        SELECT l.lineage, n.schema_name::text, n.table_name::text, to_regclass(format('%I.%I', n.schema_name, n.table_name))::oid, c.columns
        FROM (SELECT lineage FROM dbguard.audit_relation WHERE lineage = ANY ($2)
              UNION
              SELECT r.lineage FROM dbguard.audit_relation r
              WHERE EXISTS (SELECT FROM dbguard.audit_change c WHERE c.relation = r.id AND c.tenant = $1)
                 OR EXISTS (SELECT FROM dbguard.audit_pack p WHERE p.relation = r.id AND p.tenant = $1)) l
        CROSS JOIN LATERAL (SELECT schema_name, table_name FROM dbguard.audit_relation r WHERE r.lineage = l.lineage ORDER BY id DESC LIMIT 1) n
        CROSS JOIN LATERAL (
          SELECT coalesce(array_agg(DISTINCT k.name), '{}') AS columns
          FROM dbguard.audit_relation r CROSS JOIN LATERAL jsonb_object_keys(r.columns) k(name)
          WHERE r.lineage = l.lineage
            AND NOT EXISTS (SELECT FROM dbguard.audit_relation o WHERE o.lineage = l.lineage AND k.name::name = ANY (o.key_columns))) c
        ORDER BY 2, 3";
    Ok(Spi::connect_mut(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.update(KNOWN, None, &[tenant.into(), lineages.into()])? {
            list.push(Known {
                lineage: row.get(1)?.unwrap_or_default(),
                schema: row.get(2)?.unwrap_or_default(),
                name: row.get(3)?.unwrap_or_default(),
                relation: row.get(4)?,
                columns: row.get(5)?.unwrap_or_default(),
            });
        }
        Ok(list)
    })?)
}
