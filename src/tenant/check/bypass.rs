//! Roles that no policy binds, and who can become one of them.

use super::Finding;
use crate::error::Result;
use crate::pg::compat::CAN_ACT_AS;
use pgrx::prelude::*;

pub fn findings() -> Result<Vec<Finding>> {
    const ROLES: &str = "
        SELECT format('role %I logs in and passes by all policies (BYPASSRLS)', r.rolname), format('ALTER ROLE %I NOBYPASSRLS', r.rolname)
        FROM pg_roles r WHERE r.rolbypassrls AND NOT r.rolsuper AND r.rolcanlogin
        UNION ALL
        SELECT format('%s log in and can become %I, which passes by all policies (%s)', string_agg(quote_ident(m.rolname), ', ' ORDER BY m.rolname),
                      r.rolname, CASE WHEN r.rolsuper THEN 'superuser' ELSE 'BYPASSRLS' END),
               format('REVOKE %I FROM %s', r.rolname, string_agg(quote_ident(m.rolname), ', ' ORDER BY m.rolname) FILTER (WHERE d.member IS NOT NULL))
        FROM pg_roles r
        JOIN pg_roles m ON m.rolcanlogin AND NOT m.rolsuper AND NOT m.rolbypassrls AND m.oid <> r.oid AND pg_has_role(m.oid, r.oid, $1)
        LEFT JOIN LATERAL (SELECT DISTINCT member FROM pg_auth_members WHERE roleid = r.oid AND member = m.oid) d ON true
        WHERE r.rolbypassrls OR r.rolsuper
        GROUP BY r.rolname, r.rolsuper
        ORDER BY 1";
    Ok(Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut findings = vec![];
        for row in client.select(ROLES, None, &[CAN_ACT_AS.into()])? {
            findings.push(Finding {
                table: None,
                check: "role".to_owned(),
                severity: "warning".to_owned(),
                finding: row.get(1)?.unwrap_or_default(),
                fix: row.get(2)?,
            });
        }
        Ok(findings)
    })?)
}
