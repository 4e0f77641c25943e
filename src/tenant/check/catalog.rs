//! What the catalogs give away: ways past the policies, and ways to learn of another tenant's rows.

use super::Finding;
use crate::error::Result;
use crate::tenant::guarded::{same_guard, Guarded};
use crate::tenant::views::bypasses;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// Each of these answers table, check, severity, finding, fix. $1: the guarded tables, $2: their tenant columns,
/// $3: their settings, $4: the schema asked for. `g` is one of them.
const CHECKS: [&str; 10] = [
    // asked through a table that it inherits from only that one's policies count
    "WITH RECURSIVE above AS (
         SELECT g.oid AS root, i.inhparent AS oid FROM unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting) JOIN pg_inherits i ON i.inhrelid = g.oid
         UNION SELECT a.root, i.inhparent FROM above a JOIN pg_inherits i ON i.inhrelid = a.oid)
     SELECT a.root, 'parent', 'error',
            format('table %s, which it inherits from or is a partition of, is not guarded and shows its rows', c.oid::regclass), NULL
     FROM above a JOIN pg_class c ON c.oid = a.oid JOIN pg_class r ON r.oid = a.root
     WHERE c.oid <> ALL ($1) AND ($4 IS NULL OR r.relnamespace = $4)
       AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'dbguard_tenant')",
    // the policies bind its owner only if forced
    "SELECT c.oid, 'force', 'warning',
            CASE WHEN r.rolcanlogin THEN format('its owner %I logs in and sees all tenants'' rows: row-level security is not forced', r.rolname)
                 ELSE format('%I logs in and sees all tenants'' rows as a member of its owner %I: row-level security is not forced', m.rolname, r.rolname) END,
            format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', c.oid::regclass)
     FROM unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting)
     JOIN pg_class c ON c.oid = g.oid JOIN pg_roles r ON r.oid = c.relowner
     LEFT JOIN LATERAL (SELECT m.rolname FROM pg_roles m
                        WHERE m.rolcanlogin AND NOT m.rolsuper AND pg_has_role(m.oid, r.oid, 'USAGE') ORDER BY 1 LIMIT 1) m ON true
     WHERE NOT c.relforcerowsecurity AND (r.rolcanlogin OR m.rolname IS NOT NULL) AND NOT r.rolsuper AND ($4 IS NULL OR c.relnamespace = $4)",
    // what inherits and is not guarded, foreign tables too
    "WITH RECURSIVE tree AS (
         SELECT g.oid AS root, i.inhrelid AS oid, g.col, g.setting
         FROM unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting) JOIN pg_inherits i ON i.inhparent = g.oid
         UNION SELECT t.root, i.inhrelid, t.col, t.setting FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid)
     SELECT DISTINCT ON (c.oid) c.oid, 'partition', 'error',
            format('it can be read past the policies of %s', t.root::regclass),
            CASE WHEN c.relkind IN ('r', 'p')
                 THEN format('SELECT dbguard.tenant_enable(%L, %L, %L%s)', t.root::regclass, t.col, t.setting,
                             CASE WHEN NOT up.relforcerowsecurity THEN ', force => false' END) END
     FROM tree t JOIN pg_class c ON c.oid = t.oid JOIN pg_class up ON up.oid = t.root
     WHERE c.relpersistence <> 't' AND c.oid <> ALL ($1) AND ($4 IS NULL OR c.relnamespace = $4)
     ORDER BY c.oid, t.root",
    // by a rule of its own: it may be read by it past the policies of the table
    concat!(
        "SELECT DISTINCT ON (c.oid) c.oid, 'partition', 'error',
                format('it is guarded by another rule than %s, which it inherits from or is a partition of', up.oid::regclass),
                format('SELECT dbguard.tenant_enable(%L, %L, %L%s)', up.oid::regclass, g.col, g.setting,
                       CASE WHEN NOT up.relforcerowsecurity THEN ', force => false' END)
         FROM unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting)
         JOIN pg_class up ON up.oid = g.oid
         JOIN pg_inherits i ON i.inhparent = up.oid
         JOIN pg_class c ON c.oid = i.inhrelid AND c.relrowsecurity
         JOIN pg_policy p ON p.polrelid = up.oid AND p.polname = 'dbguard_tenant'
         JOIN pg_policy q ON q.polrelid = c.oid AND q.polname = 'dbguard_tenant'
         WHERE c.oid = ANY ($1) AND ($4 IS NULL OR c.relnamespace = $4) AND NOT (",
        same_guard!(),
        ") ORDER BY c.oid, up.oid"
    ),
    // beside a guarded table or referring to one, with a column of the same name
    "SELECT DISTINCT ON (c.oid) c.oid, 'unguarded', 'error',
            format('it has column %I and is not guarded', g.col),
            format('SELECT dbguard.tenant_enable(%L, %L, %L)', c.oid::regclass, g.col, g.setting)
     FROM unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting)
     JOIN pg_class gc ON gc.oid = g.oid
     JOIN pg_attribute a ON a.attname = g.col AND a.attnum > 0 AND NOT a.attisdropped
     JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
     WHERE c.oid <> ALL ($1) AND ($4 IS NULL OR c.relnamespace = $4)
       AND (c.relnamespace = gc.relnamespace
            OR EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = c.oid AND k.confrelid = g.oid))
       AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'dbguard'::regnamespace)
       AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'dbguard_tenant')
       AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent = ANY ($1))
     ORDER BY c.oid, c.relnamespace <> gc.relnamespace, g.oid",
    // its rows are some tenant's, by what they refer to; one with policies of its own is its owner's affair
    "WITH RECURSIVE kin AS (
         SELECT g.oid FROM unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting)
         UNION SELECT c.oid FROM kin JOIN pg_constraint k ON k.contype = 'f' AND k.confrelid = kin.oid
         JOIN pg_class c ON c.oid = coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid)
         WHERE NOT c.relrowsecurity AND c.relpersistence <> 't'
           AND NOT EXISTS (SELECT FROM unnest($1::oid[], $2::text[]) g(oid, col) JOIN pg_attribute a ON a.attname = g.col
                           WHERE a.attrelid = c.oid AND NOT a.attisdropped))
     SELECT DISTINCT ON (c.oid) c.oid, 'unguarded', 'warning',
            format('its rows are their tenants'', since they refer to %s (foreign key %I), and it shows them to all', up.oid::regclass, k.conname), NULL
     FROM kin
     JOIN pg_class c ON c.oid = kin.oid
     JOIN pg_constraint k ON k.contype = 'f' AND k.conparentid = 0 AND coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid) = c.oid
     JOIN kin up ON up.oid = coalesce(pg_partition_root(k.confrelid)::oid, k.confrelid) AND up.oid <> c.oid
     WHERE c.oid <> ALL ($1) AND ($4 IS NULL OR c.relnamespace = $4)
     ORDER BY c.oid, k.conname",
    // a key that does not carry the tenant may lead to another's row
    "SELECT k.conrelid, 'foreign key', 'warning',
            format('foreign key %I to %s does not include the tenant: a row may refer to another tenant''s row, and learn whether it is there',
                   k.conname, k.confrelid::regclass), NULL
     FROM pg_constraint k
     JOIN unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting) ON g.oid = k.conrelid
     JOIN unnest($1::oid[], $2::text[]) r(oid, col) ON r.oid = k.confrelid
     JOIN pg_class c ON c.oid = k.conrelid
     WHERE k.contype = 'f' AND k.conparentid = 0 AND ($4 IS NULL OR c.relnamespace = $4)
       AND NOT EXISTS (
           SELECT FROM unnest(k.conkey, k.confkey) p(here, there)
           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.here AND a.attname = g.col
           JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = p.there AND b.attname = r.col)",
    // a value that another tenant has is refused with 23505; nobody guesses a uuid, and numbers that the server gives say little
    "SELECT i.indrelid, 'unique', 'warning',
            format('unique index %I does not include the tenant: that a value is refused says that another tenant has it', x.relname), NULL
     FROM pg_index i
     JOIN unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting) ON g.oid = i.indrelid
     JOIN pg_class x ON x.oid = i.indexrelid
     WHERE (i.indisunique OR i.indisexclusion) AND NOT x.relispartition AND ($4 IS NULL OR x.relnamespace = $4)
       AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND a.attname = g.col)
       AND (0 = ANY (i.indkey::int2[]) OR EXISTS (
           SELECT FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
           WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
             AND a.atttypid <> 'uuid'::regtype AND a.attidentity = ''
             AND coalesce(pg_get_expr(d.adbin, d.adrelid), '') !~ '^nextval\\('))",
    "SELECT c.oid, w.what, w.severity, format(w.finding, coalesce(quote_ident(r.rolname), 'PUBLIC')),
            format('REVOKE %s ON %s FROM %s', x.privilege_type, c.oid::regclass, coalesce(quote_ident(r.rolname), 'PUBLIC'))
     FROM unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting)
     JOIN pg_class c ON c.oid = g.oid
     CROSS JOIN aclexplode(c.relacl) x LEFT JOIN pg_roles r ON r.oid = x.grantee
     JOIN (VALUES ('TRUNCATE', 'truncate', 'warning', '%s may TRUNCATE it, which no policy stops'),
                  ('TRIGGER', 'trigger', 'warning', '%s may make triggers on it, which are given the rows of all who write'),
                  ('REFERENCES', 'references', 'info', '%s may refer to it by foreign keys, and learn which keys other tenants have'))
          w(privilege, what, severity, finding) ON w.privilege = x.privilege_type
     WHERE x.grantee <> c.relowner AND NOT coalesce(r.rolsuper, false) AND ($4 IS NULL OR c.relnamespace = $4)
     ORDER BY c.oid, w.what, r.rolname",
    // what the server knows of: bodies in standard SQL
    "SELECT g.oid, 'function', 'warning',
            format('function %s reads or writes it as %I, whom policies do not bind (SECURITY DEFINER)', p.oid::regprocedure, o.rolname),
            format('ALTER FUNCTION %s SECURITY INVOKER', p.oid::regprocedure)
     FROM unnest($1::oid[], $2::text[], $3::text[]) g(oid, col, setting)
     JOIN pg_class c ON c.oid = g.oid
     JOIN LATERAL (SELECT DISTINCT d.objid FROM pg_depend d
                   WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = g.oid AND d.classid = 'pg_proc'::regclass) d ON true
     JOIN pg_proc p ON p.oid = d.objid AND p.prosecdef
     JOIN pg_roles o ON o.oid = p.proowner
     WHERE (o.rolsuper OR o.rolbypassrls OR (NOT c.relforcerowsecurity AND pg_has_role(p.proowner, c.relowner, 'USAGE')))
       AND ($4 IS NULL OR c.relnamespace = $4)",
];

pub fn findings(schema: Option<Oid>, tables: &[Guarded]) -> Result<Vec<Finding>> {
    let oids: Vec<Oid> = tables.iter().map(|t| t.relation).collect();
    let columns: Vec<String> = tables.iter().map(|t| t.column.clone()).collect();
    let settings: Vec<String> = tables.iter().map(|t| t.setting.clone()).collect();
    let mut findings = vec![];
    for check in CHECKS {
        let args = [oids.clone().into(), columns.clone().into(), settings.clone().into(), schema.into()];
        Spi::connect(|client| -> std::result::Result<(), pgrx::spi::Error> {
            for row in client.select(check, None, &args)? {
                findings.push(Finding {
                    table: row.get(1)?,
                    check: row.get(2)?.unwrap_or_default(),
                    severity: row.get(3)?.unwrap_or_default(),
                    finding: row.get(4)?.unwrap_or_default(),
                    fix: row.get(5)?,
                });
            }
            Ok(())
        })?;
    }
    for table in tables {
        for bypass in bypasses(table.relation)? {
            let severity = if bypass.granted { "error" } else { "info" };
            let finding = Finding::new(table.relation, "view", severity, bypass.finding());
            findings.push(Finding { fix: bypass.fix(), ..finding });
        }
    }
    Ok(findings)
}
