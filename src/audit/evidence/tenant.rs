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
use crate::error::{Error, Result};
use crate::pg::snapshot::fresh;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::BTreeMap;

/// A table of the log, under its last name.
struct Known {
    lineage: i32,
    schema: String,
    name: String,
    relation: Option<Oid>,
    /// All it ever had but those of its key.
    columns: Vec<String>,
}

/// Whose changes, of which tables.
pub struct Erasure<'a> {
    pub tenant: &'a str,
    /// As the log may have it.
    pub spelled: &'a [String],
    pub tables: Vec<Oid>,
    /// Of other tables, too, where changes carry the tenant.
    pub everywhere: bool,
}

/// The last change that this transaction has written.
pub fn last_change() -> Result<i64> {
    const LAST: &str =
        "SELECT coalesce(max(id), 0) FROM dbguard.audit_record WHERE xact = pg_current_xact_id_if_assigned()";
    chain::need_log()?;
    buffer::flush()?;
    let last = Spi::connect_mut(|client| client.update(LAST, Some(1), &[])?.first().get_one::<i64>())?;
    Ok(last.unwrap_or_default())
}

/// How many changes of the tenant the log has of each table. With the last change before the tenant's rows were
/// deleted: their values are erased, and those of the whole life of rows that were deleted since.
///
/// # Errors
/// 0A000 if a row was deleted whose life cannot be told, for want of a key.
pub fn of_tenant(erasure: &Erasure, before: Option<i64>) -> Result<Vec<(Option<Oid>, i64)>> {
    chain::need_log()?;
    buffer::flush()?;
    if before.is_some() {
        seal::lock_chain()?;
    }
    let mut lineages = vec![];
    for table in &erasure.tables {
        let table = catalog::relation(*table)?;
        lineages.extend(lineage::of(&table, &audited::home(&table))?);
    }
    let mut rows = vec![];
    for known in known(erasure, &lineages)? {
        let mut changes = BTreeMap::new();
        for tenant in erasure.spelled {
            let found = life::of_tenant(known.lineage, tenant, &known.columns)?;
            changes.extend(found.into_iter().map(|change| (change.id, change)));
        }
        if let Some(before) = before.filter(|_| lineages.contains(&known.lineage)) {
            for key in deleted(&known, erasure, before)? {
                let found = life::of_key(known.lineage, &key, &known.columns)?;
                changes.extend(found.into_iter().map(|change| (change.id, change)));
            }
        }
        let changes: Vec<_> = changes.into_values().filter(|change| !change.columns.is_empty()).collect();
        if changes.is_empty() {
            continue;
        }
        rows.push((known.relation, changes.len() as i64));
        if before.is_some() {
            let order = Order {
                schema: &known.schema,
                name: &known.name,
                lineage: known.lineage,
                key: &format!("tenant {}", erasure.tenant),
                columns: &known.columns,
                reason: "dbguard.tenant_erase",
            };
            erase(&order, &changes)?;
        }
    }
    Ok(rows)
}

/// The keys of rows deleted since, of which the log does not say that they were the tenant's.
fn deleted(known: &Known, erasure: &Erasure, before: i64) -> Result<Vec<String>> {
    const DELETED: &str = "
        SELECT d.key FROM dbguard.audit_record d JOIN dbguard.audit_relation v ON v.id = d.relation
        WHERE v.lineage = $1 AND d.op = 'D' AND d.xact = pg_current_xact_id_if_assigned() AND d.id > $2
          AND (d.tenant = ANY ($3)) IS NOT TRUE
        ORDER BY d.id";
    let args = [known.lineage.into(), before.into(), erasure.spelled.to_vec().into()];
    let keys = Spi::connect_mut(|client| -> std::result::Result<Vec<Option<String>>, pgrx::spi::Error> {
        client.update(DELETED, None, &args)?.map(|row| row.get::<String>(1)).collect()
    })?;
    keys.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| {
        Error::unsupported(format!("the changes of table \"{}\" cannot be told apart", known.name))
            .detail("It has no primary key, and the log does not say whose its rows were.")
            .hint("Audit it with tenant => column, or erase with audit => 'keep' and redact by dbguard.audit_redact.")
    })
}

fn known(erasure: &Erasure, lineages: &[i32]) -> Result<Vec<Known>> {
    const KNOWN: &str = "
        SELECT l.lineage, n.schema_name::text, n.table_name::text, to_regclass(format('%I.%I', n.schema_name, n.table_name))::oid, c.columns
        FROM (SELECT lineage FROM dbguard.audit_relation WHERE lineage = ANY ($2)
              UNION
              SELECT r.lineage FROM dbguard.audit_relation r
              WHERE $3 AND (EXISTS (SELECT FROM dbguard.audit_change c WHERE c.relation = r.id AND c.tenant = ANY ($1))
                 OR EXISTS (SELECT FROM dbguard.audit_pack p WHERE p.relation = r.id AND p.tenant = ANY ($1)))) l
        CROSS JOIN LATERAL (SELECT schema_name, table_name FROM dbguard.audit_relation r WHERE r.lineage = l.lineage ORDER BY id DESC LIMIT 1) n
        CROSS JOIN LATERAL (
          SELECT coalesce(array_agg(DISTINCT k.name), '{}') AS columns
          FROM dbguard.audit_relation r CROSS JOIN LATERAL jsonb_object_keys(r.columns) k(name)
          WHERE r.lineage = l.lineage
            AND NOT EXISTS (SELECT FROM dbguard.audit_relation o WHERE o.lineage = l.lineage AND k.name::name = ANY (o.key_columns))) c
        ORDER BY 2, 3";
    let args = [erasure.spelled.to_vec().into(), lineages.to_vec().into(), erasure.everywhere.into()];
    let read = |client: &SpiClient| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(KNOWN, None, &args)? {
            list.push(Known {
                lineage: row.get(1)?.unwrap_or_default(),
                schema: row.get(2)?.unwrap_or_default(),
                name: row.get(3)?.unwrap_or_default(),
                relation: row.get(4)?,
                columns: row.get(5)?.unwrap_or_default(),
            });
        }
        Ok(list)
    };
    Ok(fresh(|| Spi::connect(read))?)
}
