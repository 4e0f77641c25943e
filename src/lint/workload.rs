//! What pg_stat_statements counted in this database, or why that cannot be told.

use crate::ddl;
use crate::error::Result;
use crate::lint::read::rows;
use crate::pg::subxact::look;
use dbguard_core::lint::catalog::cluster::Statements;
use dbguard_core::lint::catalog::Statement;
use pgrx::Spi;
use std::cell::OnceCell;

pub fn statements() -> Result<std::result::Result<Vec<Statement>, String>> {
    let schema = match home("pg_stat_statements")? {
        Ok(schema) => schema,
        Err(reason) => return Ok(Err(reason)),
    };
    let sql = ddl::lint::statements(&schema);
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

/// The schema in which pg_stat_statements has a view of that name, or why it has none. Only the
/// extension's own: another's of that name would run its code as the caller.
fn home(view: &str) -> Result<std::result::Result<String, String>> {
    let found = Spi::connect(|client| {
        let mut found = client.select(include_str!("sql/statements_home.sql"), Some(1), &[view.into()])?;
        match found.next() {
            Some(row) => Ok(Some((row.get::<String>(1)?, row.get::<bool>(2)?))),
            None => Ok(None),
        }
    })
    .map_err(|e: pgrx::spi::Error| e)?;
    Ok(match found {
        Some((Some(schema), Some(true))) => Ok(schema),
        Some(_) => Err(format!("this version of pg_stat_statements has no {view}")),
        None => Err("the extension pg_stat_statements is not installed in this database".to_owned()),
    })
}

/// What pg_stat_statements says of itself, or why that cannot be told.
pub fn of_itself() -> Result<std::result::Result<Statements, String>> {
    let schema = match home("pg_stat_statements_info")? {
        Ok(schema) => schema,
        Err(reason) => return Ok(Err(reason)),
    };
    let sql = ddl::lint::statements_info(&schema);
    let said = look(|| rows(&sql, |r| Ok(Statements { evictions: r.get(1)?, since: r.maybe(2)? })));
    // not preloaded, or no right to read it
    let said = said.map_err(|e| e.message().to_owned());
    Ok(said.and_then(|s| s.into_iter().next().ok_or_else(|| "it says nothing".to_owned())))
}
