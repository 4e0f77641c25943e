//! pg_partman's configuration: where it is, what it says, and the end of its work on a set.

use crate::ddl::partman as ddl;
use crate::error::{Error, Result};
use crate::pg::user::{self, as_role, Fence};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use serde_json::Value;

/// Where part_config is.
pub struct Source {
    pub schema: String,
    /// As whom it is read and changed: the caller; its owner where the caller is a superuser, since
    /// triggers and checks on it may be that owner's.
    role: Oid,
}

/// A row of part_config.
pub struct Theirs {
    /// The set as pg_partman calls it.
    pub name: String,
    pub row: Value,
    /// Its partitions are made by pg_partman as partitioned tables.
    pub has_subpartitions: bool,
}

impl Theirs {
    pub fn text(&self, column: &str) -> Option<&str> {
        self.row.get(column)?.as_str()
    }
}

impl Source {
    /// By what belongs to the extension, never by a name that anybody could give a table.
    pub fn find() -> Result<Source> {
        const FIND: &str = "
            SELECT n.nspname::text, c.relowner,
                   EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgdeferrable)
            FROM pg_extension e
            JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                            AND d.classid = 'pg_class'::regclass
            JOIN pg_class c ON c.oid = d.objid AND c.relname = 'part_config' AND c.relkind = 'r'
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE e.extname = 'pg_partman'";
        let found = Spi::connect(|client| {
            let row = client.select(FIND, Some(1), &[])?.first();
            if row.is_empty() {
                return Ok((None, None, None));
            }
            row.get_three::<String, Oid, bool>()
        })?;
        let (Some(schema), Some(owner), deferred) = found else {
            return Err(Error::not_in_state("extension \"pg_partman\" is not installed in this database")
                .hint("Connect to the database it is in, or call dbguard.partition_enable: it takes over partitions that are there, whoever made them."));
        };
        let role = if user::is_superuser() { owner } else { user::current() };
        // it would run when the transaction ends, as whoever ends it
        if deferred == Some(true) && role != user::current() {
            return Err(Error::not_in_state("a deferrable trigger is on part_config of pg_partman")
                .hint("Drop it, or call this as the owner of part_config."));
        }
        Ok(Source { schema, role })
    }

    /// The set of this name, or all.
    pub fn sets(&self, name: Option<&str>) -> Result<Vec<Theirs>> {
        as_role(self.role, Fence::Restricted, || {
            Spi::connect(|client| {
                let mut sets = Vec::new();
                for row in client.select(ddl::sets(&self.schema).as_str(), None, &[name.into()])? {
                    let json = row.get::<String>(1)?.unwrap_or_default();
                    let json: Value = serde_json::from_str(&json)
                        .map_err(|e| Error::internal(format!("part_config cannot be read: {e}")))?;
                    let name =
                        json.get("parent_table").and_then(Value::as_str).unwrap_or_default().to_owned();
                    let has_subpartitions = row.get(2)?.unwrap_or(false);
                    sets.push(Theirs { name, row: json, has_subpartitions });
                }
                Ok(sets)
            })
        })
    }

    /// Keeps maintenance of pg_partman from beginning until this transaction ends, by the lock that it takes
    /// itself: it must not make what is made here.
    pub fn hold(&self) -> Result<()> {
        const HOLD: &str = "SELECT pg_try_advisory_xact_lock(hashtext('pg_partman run_maintenance'))";
        let held = Spi::connect(|client| client.select(HOLD, Some(1), &[])?.first().get_one::<bool>())?;
        if held == Some(true) {
            return Ok(());
        }
        let code = PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE;
        Err(Error::new(code, "maintenance of pg_partman is running").hint("Try again when it is done."))
    }

    /// Has pg_partman leave a set alone.
    pub fn stop(&self, set: &str) -> Result<()> {
        let stopped = crate::pg::subxact::subtransaction(|| {
            as_role(self.role, Fence::Restricted, || {
                Spi::connect_mut(|client| {
                    Ok(client.update(ddl::stop(&self.schema).as_str(), None, &[set.into()])?.len())
                })
            })
        });
        let refused = |e: Error| match e.code() {
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE => {
                e.detail("pg_partman must be told to leave the set alone.").hint(format!(
                    "Let a role that may change part_config call this, or let it run: {}",
                    ddl::stop_by_hand(&self.schema, set)
                ))
            }
            _ => e,
        };
        match stopped.map_err(refused)? {
            0 => Err(Error::not_in_state(format!("the row of \"{set}\" in part_config cannot be changed"))
                .hint(
                    "A policy or a trigger on part_config hides it. Let the owner of part_config call this.",
                )),
            _ => Ok(()),
        }
    }
}
