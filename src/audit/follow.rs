//! Keeping up with columns that are renamed or dropped: a redacted column stays redacted under its
//! new name.

use super::enable::attach;
use super::status;
use crate::catalog::{self, extension_owner};
use crate::error::Result;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

/// Event trigger at the end of ALTER TABLE.
#[pg_extern(sql = false)]
fn audit_follow_columns(_fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = follow() {
        e.raise();
    }
}

fn follow() -> Result<()> {
    const ALTERED: &str = "
        SELECT DISTINCT e.objid, CASE WHEN e.object_type = 'table column' THEN a.attname::text END
        FROM pg_event_trigger_ddl_commands() e
        JOIN pg_trigger t ON t.tgrelid = e.objid AND t.tgparentid = 0
                         AND t.tgfoid = 'dbguard.audit_row()'::regprocedure
        LEFT JOIN pg_attribute a ON a.attrelid = e.objid AND a.attnum = e.objsubid
        WHERE e.classid = 'pg_class'::regclass";
    let altered = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(ALTERED, None, &[])? {
            list.push((row.get::<Oid>(1)?, row.get::<String>(2)?));
        }
        Ok(list)
    })?;
    for (relation, renamed) in altered {
        let Some(relation) = relation else { continue };
        let Some(audited) = status::audited(Some(relation))?.pop() else { continue };
        let mut options = audited.options.clone();
        options.follow(&status::columns(relation)?, renamed.as_deref());
        if options != audited.options {
            let table = catalog::relation(relation)?;
            as_role(extension_owner()?, Fence::Local, || attach(&table, &options, audited.state))?;
        }
    }
    Ok(())
}
