//! What work on a table left that was ended before its cut-over, and taking it back: a check and indexes, told
//! by the names it noted before it made them.

use crate::ddl::convert as ddl;
use crate::error::Result;
use crate::partition::job::Job;
use crate::partition::patience::{self, Waited};
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// Whether there was anything.
pub fn take_back(job: &Job, table: Oid) -> Result<bool> {
    let made = job.made()?;
    let statements = statements(table, &made)?;
    if !statements.is_empty() {
        let owner = crate::catalog::relation(table)?.owner;
        patience::steps(table, &mut Waited::default(), || {
            crate::pg::lock::access_exclusive(table);
            as_role(owner, Fence::Restricted, || statements.iter().try_for_each(|sql| crate::ddl::run(sql)))
        })?;
    }
    made.iter().try_for_each(|name| job.unmade(name))?;
    Ok(!statements.is_empty())
}

fn statements(table: Oid, made: &[String]) -> Result<Vec<String>> {
    // read as a write, to see what was made in this transaction
    const FOUND: &str = "
        SELECT n.nspname::text, c.relname::text, k.conname::text, NULL
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE k.conrelid = $1 AND k.conname::text = ANY ($2) AND k.contype = 'c' AND k.conislocal
        UNION ALL
        SELECT n.nspname::text, NULL, NULL, c.relname::text
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.indrelid = $1 AND c.relname::text = ANY ($2)
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
          AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid)";
    Spi::connect_mut(|client| {
        let mut statements = vec![];
        for row in client.update(FOUND, None, &[table.into(), made.to_vec().into()])? {
            let schema: String = row.get(1)?.unwrap_or_default();
            let (name, check, index): (Option<String>, Option<String>, Option<String>) =
                (row.get(2)?, row.get(3)?, row.get(4)?);
            match (name.zip(check), index) {
                (Some((name, check)), _) => statements.push(ddl::drop_constraint((&schema, &name), &check)),
                (None, Some(index)) => statements.push(ddl::drop_index((&schema, &index))),
                (None, None) => {}
            }
        }
        Ok(statements)
    })
}
