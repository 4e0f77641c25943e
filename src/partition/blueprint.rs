//! What partitions take over from their parent: owner, privileges, where and how they are stored.

use super::set::Set;
use crate::ddl::partition::{Blueprint, Grant};
use crate::error::{Error, Result};
use pgrx::prelude::*;

/// What partitions of `set` take over from it.
pub fn of(set: &Set) -> Result<Blueprint> {
    Spi::connect(|client| {
        let row = client
            .select(
                "SELECT r.rolname::text, s.spcname::text, m.amname::text, c.relreplident::text,
                        c.relacl IS NULL
                          OR (SELECT count(*) FROM aclexplode(c.relacl) g WHERE g.grantee = c.relowner)
                           = (SELECT count(*) FROM aclexplode(acldefault('r', c.relowner))),
                        EXISTS (SELECT FROM pg_trigger t
                                WHERE t.tgrelid = c.oid AND t.tgname = 'audit_guard_truncate'
                                  AND t.tgfoid = 'dbguard._audit_guard()'::regprocedure)
                 FROM pg_class c
                 JOIN pg_roles r ON r.oid = c.relowner
                 LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
                 LEFT JOIN pg_am m ON m.oid = c.relam
                 WHERE c.oid = $1",
                None,
                &[set.parent.into()],
            )?
            .next()
            .ok_or_else(|| Error::internal("the table was dropped by another session"))?;
        let owner: String = row.get(1)?.unwrap_or_default();
        let whole_owner = row.get(5)?.unwrap_or(true);
        let mut revoke = Vec::new();
        for row in client.select(
            "SELECT DISTINCT r.rolname::text
             FROM pg_class c
             JOIN pg_default_acl d ON d.defaclrole = c.relowner AND d.defaclobjtype = 'r'
                                  AND d.defaclnamespace IN (0, c.relnamespace)
             CROSS JOIN aclexplode(d.defaclacl) g
             LEFT JOIN pg_roles r ON r.oid = g.grantee
             WHERE c.oid = $1 AND g.grantee <> c.relowner
             ORDER BY 1",
            None,
            &[set.parent.into()],
        )? {
            revoke.push(row.get(1)?);
        }
        if !whole_owner {
            revoke.push(Some(owner.clone()));
        }
        let mut grants = Vec::new();
        for row in client.select(
            "SELECT NULL, r.rolname::text, array_agg(DISTINCT g.privilege_type), g.is_grantable
             FROM pg_class c CROSS JOIN aclexplode(c.relacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
             WHERE c.oid = $1 AND (g.grantee <> c.relowner OR NOT $2)
               -- a partition has no policies: who may reach it directly would see all rows
               AND (NOT c.relrowsecurity OR g.grantee = c.relowner)
             GROUP BY g.grantee, r.rolname, g.is_grantable
             UNION ALL
             SELECT a.attname::text, r.rolname::text, array_agg(DISTINCT g.privilege_type), g.is_grantable
             FROM pg_attribute a CROSS JOIN aclexplode(a.attacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
             WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
               AND NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = $1)
             GROUP BY a.attname, g.grantee, r.rolname, g.is_grantable
             ORDER BY 1 NULLS FIRST, 2 NULLS FIRST, 4",
            None,
            &[set.parent.into(), whole_owner.into()],
        )? {
            grants.push(Grant {
                column: row.get(1)?,
                to: row.get(2)?,
                privileges: row.get(3)?.unwrap_or_default(),
                grantable: row.get(4)?.unwrap_or(false),
            });
        }
        Ok(Blueprint {
            schema: set.schema.clone(),
            name: set.name.clone(),
            tablespace: row.get(2)?,
            access_method: row.get(3)?,
            replica_identity: row.get::<String>(4)?.and_then(|c| c.chars().next()).unwrap_or('d'),
            revoke,
            grants,
            guarded: row.get(6)?.unwrap_or(false),
        })
    })
}
