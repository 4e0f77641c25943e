//! What partitions take over from their parent: owner, privileges, where and how they are stored.

use super::patience::{self, Waited};
use super::set::Set;
use crate::ddl::partition::{Blueprint, Column, Grant, Grantee, Policy, Security};
use crate::error::{Error, Result};
use crate::pg::guc;
use crate::pg::kept::Kept;
use crate::pg::subxact::look;
use dbguard_core::partition::list;
use pgrx::prelude::*;

/// What partitions of `set` take over from it. Somebody may have locked what is to be read of policies:
/// waited for no longer than for one try when a partition is made.
pub fn of(set: &Set) -> Result<Blueprint> {
    guc::with(&[(c"lock_timeout", c"200ms")], || read(set))
}

/// The same for a run, which waits as it does to attach.
pub fn patiently(set: &Set, waited: &mut Waited) -> Result<Blueprint> {
    match set.extra.policies {
        true => patience::steps(set.parent, waited, || read(set)),
        false => read(set),
    }
}

fn read(set: &Set) -> Result<Blueprint> {
    let extra = &set.extra;
    let (revoke, whole_owner) = revoke(set)?;
    Spi::connect(|client| {
        let row = client
            .select(
                Kept("SELECT s.spcname::text, m.amname::text, c.relreplident::text, obj_description(c.oid, 'pg_class'),
                        EXISTS (SELECT FROM pg_trigger t
                                WHERE t.tgrelid = c.oid AND t.tgname = 'audit_guard_truncate'
                                  AND t.tgfoid = 'dbguard._audit_guard()'::regprocedure),
                        c.relpersistence = 'u'
                 FROM pg_class c
                 LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
                 LEFT JOIN pg_am m ON m.oid = c.relam
                 WHERE c.oid = $1"),
                None,
                &[set.parent.into()],
            )?
            .next()
            .ok_or_else(|| Error::internal("the table was dropped by another session"))?;
        Ok(Blueprint {
            schema: set.schema.clone(),
            name: set.name.clone(),
            tablespace: row.get(1)?,
            access_method: row.get(2)?,
            replica_identity: row.get::<String>(3)?.and_then(|c| c.chars().next()).unwrap_or('d'),
            comment: row.get(4)?,
            guarded: row.get(5)?.unwrap_or(false),
            unlogged: row.get(6)?.unwrap_or(false),
            columns: columns(set)?,
            revoke,
            grants: grants(set, whole_owner, extra.policies)?,
            security: if extra.policies { Some(security(set)?) } else { None },
            storage: extra.storage()?,
            unique: extra.unique()?,
            hash: extra.hash()?,
        })
    })
}

/// Whom to take what default privileges or ownership give; and whether the owner has all rights.
fn revoke(set: &Set) -> Result<(Vec<Grantee>, bool)> {
    Spi::connect(|client| {
        let row = client
            .select(
                Kept(
                    "SELECT r.rolname::text,
                        c.relacl IS NULL
                          OR (SELECT count(*) FROM aclexplode(c.relacl) g WHERE g.grantee = c.relowner)
                           = (SELECT count(*) FROM aclexplode(acldefault('r', c.relowner)))
                 FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
                 WHERE c.oid = $1",
                ),
                None,
                &[set.parent.into()],
            )?
            .next()
            .ok_or_else(|| Error::internal("the table was dropped by another session"))?;
        let whole_owner = row.get(2)?.unwrap_or(true);
        let mut revoke: Vec<Grantee> = Vec::new();
        for row in client.select(
            Kept(
                "SELECT DISTINCT r.rolname::text
             FROM pg_class c
             JOIN pg_default_acl d ON d.defaclrole = c.relowner AND d.defaclobjtype = 'r'
                                  AND d.defaclnamespace IN (0, c.relnamespace)
             CROSS JOIN aclexplode(d.defaclacl) g
             LEFT JOIN pg_roles r ON r.oid = g.grantee
             WHERE c.oid = $1 AND g.grantee <> c.relowner
             ORDER BY 1",
            ),
            None,
            &[set.parent.into()],
        )? {
            revoke.push(row.get(1)?);
        }
        if !whole_owner {
            revoke.push(row.get(1)?);
        }
        Ok((revoke, whole_owner))
    })
}

fn grants(set: &Set, whole_owner: bool, policies: bool) -> Result<Vec<Grant>> {
    Spi::connect(|client| {
        let mut grants = Vec::new();
        for row in client.select(
            Kept(
                "SELECT NULL, r.rolname::text, array_agg(DISTINCT g.privilege_type), g.is_grantable
             FROM pg_class c CROSS JOIN aclexplode(c.relacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
             WHERE c.oid = $1 AND (g.grantee <> c.relowner OR NOT $2)
               -- without its policies, who may reach a partition directly would see all rows
               AND ($3 OR NOT c.relrowsecurity OR g.grantee = c.relowner)
             GROUP BY g.grantee, r.rolname, g.is_grantable
             UNION ALL
             SELECT a.attname::text, r.rolname::text, array_agg(DISTINCT g.privilege_type), g.is_grantable
             FROM pg_attribute a CROSS JOIN aclexplode(a.attacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
             WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
               AND ($3 OR NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = $1))
             GROUP BY a.attname, g.grantee, r.rolname, g.is_grantable
             ORDER BY 1 NULLS FIRST, 2 NULLS FIRST, 4",
            ),
            None,
            &[set.parent.into(), whole_owner.into(), policies.into()],
        )? {
            grants.push(Grant {
                column: row.get(1)?,
                to: row.get(2)?,
                privileges: row.get(3)?.unwrap_or_default(),
                grantable: row.get(4)?.unwrap_or(false),
            });
        }
        Ok(grants)
    })
}

/// What the planner was told about columns. Of their options only those that users set: the server
/// keeps some of its own beside them.
fn columns(set: &Set) -> Result<Vec<Column>> {
    const OURS: [&str; 2] = ["n_distinct", "n_distinct_inherited"];
    Spi::connect(|client| {
        let mut columns = Vec::new();
        for row in client.select(
            // no target is -1, or NULL from version 17 on
            Kept(
                "SELECT attname::text, nullif(attstattarget::int, -1), attoptions
             FROM pg_attribute
             WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
               AND (attstattarget <> -1 OR attoptions IS NOT NULL)
             ORDER BY attnum",
            ),
            None,
            &[set.parent.into()],
        )? {
            let options: Vec<String> = row.get(3)?.unwrap_or_default();
            let mut options: Vec<_> = options.iter().filter_map(|text| list::option(text)).collect();
            options.retain(|(name, _)| OURS.contains(&name.as_str()));
            columns.push(Column { name: row.get(1)?.unwrap_or_default(), statistics: row.get(2)?, options });
        }
        Ok(columns)
    })
}

/// Row-level security of the parent. Printing the expressions locks it and what they name; those locks are
/// let go at once.
fn security(set: &Set) -> Result<Security> {
    look(|| {
        Spi::connect(|client| {
            let mut policies = Vec::new();
            for row in client.select(
                Kept(
                    "SELECT p.polname::text, p.polpermissive, p.polcmd::text,
                        ARRAY(SELECT r.rolname::text
                              FROM unnest(p.polroles) g LEFT JOIN pg_roles r ON r.oid = g ORDER BY 1),
                        pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid),
                        obj_description(p.oid, 'pg_policy')
                 FROM pg_policy p WHERE p.polrelid = $1 ORDER BY 1",
                ),
                None,
                &[set.parent.into()],
            )? {
                policies.push(Policy {
                    name: row.get(1)?.unwrap_or_default(),
                    permissive: row.get(2)?.unwrap_or(true),
                    command: row.get::<String>(3)?.and_then(|c| c.chars().next()).unwrap_or('*'),
                    roles: row.get::<Vec<Grantee>>(4)?.unwrap_or_default(),
                    using: row.get(5)?,
                    check: row.get(6)?,
                    comment: row.get(7)?,
                });
            }
            let row = client
                .select(
                    Kept("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = $1"),
                    None,
                    &[set.parent.into()],
                )?
                .next()
                .ok_or_else(|| Error::internal("the table was dropped by another session"))?;
            Ok(Security {
                enabled: row.get(1)?.unwrap_or(false),
                forced: row.get(2)?.unwrap_or(false),
                policies,
            })
        })
    })
}
