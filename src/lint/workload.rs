//! What pg_stat_statements counted in this database, or why that cannot be told.

use crate::ddl;
use crate::error::Result;
use crate::lint::read::rows;
use crate::pg::subxact::look;
use dbguard_core::lint::catalog::Statement;
use std::cell::OnceCell;

pub fn statements() -> Result<std::result::Result<Vec<Statement>, String>> {
    let schema = rows(
        // only the extension's own view: another's of that name would run its code as the caller
        "SELECT n.nspname::text FROM pg_catalog.pg_extension e
         JOIN pg_catalog.pg_class c ON c.relname = 'pg_stat_statements' AND c.relnamespace = e.extnamespace
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.refobjid = e.oid AND d.deptype = 'e'
              AND d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_extension'::regclass
         WHERE e.extname = 'pg_stat_statements'",
        |r| r.get::<String>(1),
    )?;
    let Some(schema) = schema.first() else {
        return Ok(Err("the extension pg_stat_statements is not installed in this database".to_owned()));
    };
    let sql = ddl::lint::statements(schema);
    let read = look(|| {
        rows(&sql, |r| {
            Ok(Statement {
                queryid: r.get(1)?,
                query: r.get(2)?,
                users: r.oids(3)?,
                calls: r.get(4)?,
                total_ms: r.get(5)?,
                rows: r.get(6)?,
                blocks: r.get(7)?,
                tokens: OnceCell::new(),
            })
        })
    });
    let sees_all = rows("SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')", |r| r.get::<bool>(1))?;
    Ok(match read {
        // not preloaded, too old, or no right to read it
        Err(e) => Err(e.message().to_owned()),
        Ok(_) if sees_all != [true] => {
            Err("only roles with the rights of pg_read_all_stats see the statements of others".to_owned())
        }
        Ok(statements) => Ok(statements),
    })
}
