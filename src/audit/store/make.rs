//! Making the log.

use crate::audit::evidence::guard;
use crate::ddl;
use crate::error::{Error, Result};
use crate::partition;
use crate::pg::relation::of_ours;
use pgrx::datum::Interval;
use pgrx::prelude::*;
use std::ffi::CStr;

/// The parts of the log: the relation that tells whether it is there, and what makes it.
const PARTS: &[(&CStr, &str)] = &[
    (c"audit_change", include_str!("log.sql")),
    (c"audit_command", include_str!("../command/command.sql")),
    (c"audit_ddl_option", include_str!("../command/command_option.sql")),
    (c"audit_import", include_str!("../import/import.sql")),
    (c"audit_events", include_str!("events.sql")),
];
/// Its tables that are partitioned by time.
const SETS: &[&CStr] = &[c"audit_context", c"audit_change", c"audit_pack", c"audit_command"];
const MONTHS_AHEAD: i32 = 4;
const MOST_AHEAD: i32 = 30;

/// Makes the log, or what is missing of it. To be called as the extension's owner.
pub fn make_log() -> Result<()> {
    const LOG_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('dbguard.audit_log', 0))";
    // two sessions that are the first at once: the second waits and finds the log made
    Spi::run(LOG_LOCK)?;
    let missing: Vec<_> = PARTS.iter().filter(|(name, _)| of_ours(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let new: Vec<&CStr> = SETS.iter().copied().filter(|name| of_ours(name).is_none()).collect();
    for (_, script) in missing {
        Spi::run(script)?;
    }
    // before the partitions, which take over what guards their parent
    guard::put()?;
    for name in new {
        partition_table(name, Interval::from_months(1))?;
    }
    keep_to_owner()
}

/// Lets the log have partitions of that width from where those there are end.
pub fn partition(every: Interval) -> Result<()> {
    SETS.iter().try_for_each(|name| partition_table(name, every))
}

/// The log is a partition set like any other.
fn partition_table(name: &CStr, every: Interval) -> Result<()> {
    // narrow ones are made further ahead: four hours would not last until somebody looks
    let ahead = if every.months() > 0 { MONTHS_AHEAD } else { MOST_AHEAD };
    let table = of_ours(name).ok_or_else(|| Error::internal("the audit log was not made"))?;
    partition::enable_internal(table, "dbguard", &name.to_string_lossy(), every, ahead)
}

/// Default privileges may have granted something on the new tables: nobody but the owner may write
/// to the log, and who may read it is for the owner to say.
fn keep_to_owner() -> Result<()> {
    const GRANTED: &str = "
        SELECT c.relname::text, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, r.rolname::text
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'dbguard'
        CROSS JOIN LATERAL aclexplode(c.relacl) a
        LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relname LIKE 'audit\\_%' AND a.grantee <> c.relowner
          -- the extension's own tables have the grants its script gave
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        GROUP BY 1, 2, 3";
    let granted = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(GRANTED, None, &[])? {
            list.push((row.get::<String>(1)?, row.get::<String>(2)?, row.get::<String>(3)?));
        }
        Ok(list)
    })?;
    for (name, kind, grantee) in granted {
        let (name, kind) = (name.unwrap_or_default(), kind.unwrap_or_default());
        ddl::run(&ddl::audit::revoke_all(&kind, "dbguard", &name, grantee.as_deref()))?;
    }
    Ok(())
}
