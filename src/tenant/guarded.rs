//! Which tables are guarded, and how: read off their policies, so that there is nothing that could go stale.

use crate::error::Result;
use dbguard_core::tenant::Kind;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use pgrx::spi::SpiTupleTable;

/// A table whose rows are seen by their tenant only.
#[derive(Debug, Clone)]
pub struct Guarded {
    pub relation: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    /// The tenant column.
    pub column: String,
    pub kind: Kind,
    /// The setting that names the tenant.
    pub setting: String,
    /// It is a partition or child of a guarded table.
    pub follows: bool,
}

/// A table with our policy, whatever has become of it since.
pub struct Policy {
    pub relation: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    /// The column it rests on, the type and the setting it reads; None if it is not as it was made.
    pub rule: Option<(String, Kind, String)>,
    /// ENABLE ROW LEVEL SECURITY
    pub enabled: bool,
    pub forced: bool,
    pub follows: bool,
    /// What the table was before, for the way back.
    pub comment: Option<String>,
}

/// The guarded tables of a schema or of all, partitions and children among them, parents first.
pub fn guarded(schema: Option<Oid>) -> Result<Vec<Guarded>> {
    let intact = policies(schema, None)?.into_iter().filter(|p| p.enabled).filter_map(|p| {
        let (column, kind, setting) = p.rule?;
        Some(Guarded {
            relation: p.relation,
            schema: p.schema,
            name: p.name,
            owner: p.owner,
            column,
            kind,
            setting,
            follows: p.follows,
        })
    });
    Ok(intact.collect())
}

/// A policy is as it was made if it reads just so: an expression somebody has changed is not ours.
const POLICIES: &str = r"
    SELECT c.oid, n.nspname::text, c.relname::text, c.relowner,
           CASE WHEN e.intact THEN a.attname::text END, CASE WHEN e.intact THEN e.kind END, CASE WHEN e.intact THEN e.setting END,
           c.relrowsecurity, c.relforcerowsecurity,
           EXISTS (SELECT FROM pg_inherits i JOIN pg_policy up ON up.polrelid = i.inhparent AND up.polname = 'dbguard_tenant'
                   WHERE i.inhrelid = c.oid),
           obj_description(p.oid, 'pg_policy')
    FROM pg_policy p
    JOIN pg_class c ON c.oid = p.polrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
        SELECT min(d.refobjsubid) AS attnum FROM pg_depend d
        WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
          AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0) d ON true
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.attnum
    CROSS JOIN LATERAL (SELECT pg_get_expr(p.polqual, c.oid) AS using_, pg_get_expr(p.polwithcheck, c.oid) AS check_) x
    LEFT JOIN LATERAL (
        SELECT m[1] AS kind, m[2] AS setting,
               p.polcmd = '*' AND NOT p.polpermissive AND p.polroles = '{0}' AND x.using_ = x.check_
               AND replace(x.using_, ' = ( SELECT dbguard.tenant_' || m[1] || '(''' || m[2] || '''::text) AS tenant_' || m[1] || '))', '')
                   IN ('(' || quote_ident(a.attname),
                       '((' || quote_ident(a.attname) || ')::' || CASE m[1] WHEN 'int' THEN 'integer' ELSE m[1] END) AS intact
        FROM regexp_match(x.using_, 'SELECT dbguard\.tenant_(uuid|bigint|int|text)\(''([A-Za-z0-9_.$]+)''::text\) AS tenant_[a-z]+\)\)$') m) e ON true
    WHERE p.polname = 'dbguard_tenant' AND ($1 IS NULL OR n.oid = $1) AND ($2 IS NULL OR c.oid = $2)
    ORDER BY 10, n.nspname, c.relname";

/// The tables with our policy of a schema or of all.
pub fn policies(schema: Option<Oid>, relation: Option<Oid>) -> Result<Vec<Policy>> {
    Ok(Spi::connect(|client| read(client.select(POLICIES, None, &[schema.into(), relation.into()])?))?)
}

/// The policy of a table that we hold a lock on, as it is now.
pub fn policy_of(relation: Oid) -> Result<Option<Policy>> {
    let args = [None::<Oid>.into(), relation.into()];
    Ok(Spi::connect_mut(|client| read(client.update(POLICIES, None, &args)?))?.pop())
}

fn read(rows: SpiTupleTable) -> std::result::Result<Vec<Policy>, pgrx::spi::Error> {
    let mut list = vec![];
    for row in rows {
        let rule = (row.get::<String>(5)?, row.get::<String>(6)?, row.get::<String>(7)?);
        list.push(Policy {
            relation: row.get(1)?.unwrap_or(pg_sys::InvalidOid),
            schema: row.get(2)?.unwrap_or_default(),
            name: row.get(3)?.unwrap_or_default(),
            owner: row.get(4)?.unwrap_or(pg_sys::InvalidOid),
            rule: match rule {
                (Some(column), Some(kind), Some(setting)) => {
                    Kind::parse(&kind).map(|kind| (column, kind, setting))
                }
                _ => None,
            },
            enabled: row.get(8)? == Some(true),
            forced: row.get(9)? == Some(true),
            follows: row.get(10)? == Some(true),
            comment: row.get(11)?,
        });
    }
    Ok(list)
}
