//! Views, materialized views and rules that read a guarded table as somebody whom its policies do not bind.

use super::steps::{Step, EXCLUSIVE};
use crate::ddl::tenant as ddl;
use crate::error::Result;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

pub struct Bypass {
    pub schema: String,
    pub name: String,
    /// pg_class.relkind of the view, or of the table that has the rule.
    pub relkind: char,
    pub owner: String,
    /// Others than its owner may read it.
    pub granted: bool,
}

impl Bypass {
    pub fn finding(&self) -> String {
        let name = dbguard_core::quote::qualified(&self.schema, &self.name);
        match self.relkind {
            'm' => format!("materialized view {name} holds rows of all tenants, and no policy guards them"),
            'v' => {
                format!(
                    "view {name} shows rows of all tenants: it reads as {}, whom policies do not bind",
                    self.owner
                )
            }
            _ => format!("a rule of table {name} acts as {}, whom policies do not bind", self.owner),
        }
    }

    pub fn fix(&self) -> Option<String> {
        (self.relkind == 'v').then(|| ddl::security_invoker(&self.schema, &self.name))
    }
}

/// A view asks as its owner for what it reads, or as whoever asks it (security_invoker): then views of such views count as
/// well, as do views of views that show too much. A materialized view shows what its owner has seen to everybody.
pub fn bypasses(relation: Oid) -> Result<Vec<Bypass>> {
    const BYPASSES: &str = "
        WITH RECURSIVE table_ AS (SELECT oid, relowner, relforcerowsecurity FROM pg_class WHERE oid = $1),
        seen AS (
            SELECT oid, false AS bypass, true AS asks_as_asked FROM table_
            UNION
            SELECT v.oid, s.bypass OR v.relkind = 'm' OR s.asks_as_asked AND NOT x.invoker AND (o.rolsuper OR o.rolbypassrls
                          OR (NOT t.relforcerowsecurity AND pg_has_role(v.relowner, t.relowner, 'USAGE'))), s.asks_as_asked AND x.invoker
            FROM seen s
            CROSS JOIN table_ t
            JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND d.classid = 'pg_rewrite'::regclass
            JOIN pg_rewrite w ON w.oid = d.objid AND w.ev_class <> s.oid
            JOIN pg_class v ON v.oid = w.ev_class
            JOIN pg_roles o ON o.oid = v.relowner
            CROSS JOIN LATERAL (SELECT v.relkind = 'v' AND coalesce((
                SELECT lower(option_value) IN ('true', 'on', '1', 'yes', 't', 'y') FROM pg_options_to_table(v.reloptions)
                WHERE option_name = 'security_invoker'), false) AS invoker) x
            WHERE v.oid <> $1)
        SELECT DISTINCT n.nspname::text, v.relname::text, v.relkind::text, quote_ident(pg_get_userbyid(v.relowner)),
               EXISTS (SELECT FROM aclexplode(v.relacl) x WHERE x.grantee <> v.relowner)
               OR EXISTS (SELECT FROM pg_attribute a CROSS JOIN aclexplode(a.attacl) x
                          WHERE a.attrelid = v.oid AND x.grantee <> v.relowner)
        FROM seen s JOIN pg_class v ON v.oid = s.oid JOIN pg_namespace n ON n.oid = v.relnamespace
        WHERE s.bypass ORDER BY 1, 2";
    let list = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(BYPASSES, None, &[relation.into()])? {
            list.push(Bypass {
                schema: row.get(1)?.unwrap_or_default(),
                name: row.get(2)?.unwrap_or_default(),
                relkind: row.get::<String>(3)?.and_then(|k| k.chars().next()).unwrap_or('v'),
                owner: row.get(4)?.unwrap_or_default(),
                granted: row.get(5)? == Some(true),
            });
        }
        Ok(list)
    })?;
    Ok(list)
}

pub fn steps(relation: Oid) -> Result<Vec<Step>> {
    let step = |b: Bypass| Step {
        table: relation,
        step: "view",
        at_once: false,
        lock: b.fix().map(|_| EXCLUSIVE),
        reason: b.finding(),
        statement: b.fix(),
    };
    Ok(bypasses(relation)?.into_iter().map(step).collect())
}
