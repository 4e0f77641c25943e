//! Which tables are guarded, and how: read off their policies, so that there is nothing that could go stale.

use crate::error::Result;
use crate::pg::guc;
use crate::pg::query::each_fresh;
use dbguard_core::tenant::Kind;
use pgrx::pg_sys::{self, Oid};

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
    SELECT json_build_array(c.oid::int8, n.nspname, c.relname, c.relowner::int8,
           CASE WHEN e.intact THEN a.attname::text END, CASE WHEN e.intact THEN e.kind END, CASE WHEN e.intact THEN e.setting END,
           c.relrowsecurity, c.relforcerowsecurity,
           EXISTS (SELECT FROM pg_inherits i JOIN pg_policy up ON up.polrelid = i.inhparent AND up.polname = 'dbguard_tenant'
                   WHERE i.inhrelid = c.oid),
           obj_description(p.oid, 'pg_policy'))::text
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
    ORDER BY EXISTS (SELECT FROM pg_inherits i JOIN pg_policy up ON up.polrelid = i.inhparent AND up.polname = 'dbguard_tenant'
                     WHERE i.inhrelid = c.oid), n.nspname, c.relname";

/// Relation, schema, name, owner; column, type and setting; enabled, forced, follows; comment.
type Found = (
    u32,
    String,
    String,
    u32,
    Option<String>,
    Option<String>,
    Option<String>,
    bool,
    bool,
    bool,
    Option<String>,
);

/// The tables with our policy of a schema or of all, as they are now: a guard must not rest on an old snapshot, nor on
/// how the session wants names printed.
pub fn policies(schema: Option<Oid>, relation: Option<Oid>) -> Result<Vec<Policy>> {
    let mut list = vec![];
    let oid = |oid: Option<Oid>| (pg_sys::OIDOID, oid.map(pg_sys::Datum::from));
    guc::with(&[(c"quote_all_identifiers", c"off")], || {
        each_fresh(POLICIES, &[oid(schema), oid(relation)], |found: Found| {
            let (relation, schema, name, owner, column, kind, setting, enabled, forced, follows, comment) =
                found;
            let rule = column.zip(kind).zip(setting);
            list.push(Policy {
                relation: relation.into(),
                schema,
                name,
                owner: owner.into(),
                rule: rule.and_then(|((column, kind), setting)| Some((column, Kind::parse(&kind)?, setting))),
                enabled,
                forced,
                follows,
                comment,
            });
        })
    })?;
    Ok(list)
}

/// In SQL, that table `c` is guarded by its policy `q` just as its parent `up` is by `p`.
macro_rules! same_guard {
    () => {
        "c.relrowsecurity AND c.relforcerowsecurity = up.relforcerowsecurity
         AND (q.polcmd, q.polpermissive, q.polroles) = (p.polcmd, p.polpermissive, p.polroles)
         AND pg_get_expr(q.polqual, c.oid) = pg_get_expr(p.polqual, up.oid)
         AND pg_get_expr(q.polwithcheck, c.oid) = pg_get_expr(p.polwithcheck, up.oid)"
    };
}
pub(crate) use same_guard;

/// The policy of a table.
pub fn policy_of(relation: Oid) -> Result<Option<Policy>> {
    Ok(policies(None, Some(relation))?.pop())
}
