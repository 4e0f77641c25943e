//! Triggers that rest while rows are moved, for a move is no change. Those of foreign keys are the server's: only
//! a superuser may have them rest.

use crate::catalog::extension_owner;
use crate::ddl::audit::set_trigger_state;
use crate::error::{Error, Result};
use crate::pg::user::{as_role, Fence};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A trigger, and how it is enabled.
struct Trigger {
    relation: Oid,
    schema: String,
    table: String,
    name: String,
    state: &'static str,
}

pub struct Resting(Vec<Trigger>);

impl Resting {
    /// All that would fire when rows leave a partition.
    pub fn of_rows(partition: Oid) -> Result<Resting> {
        const TRIGGERS: &str = "
            SELECT c.oid, n.nspname::text, c.relname::text, t.tgname::text, t.tgenabled::text
            FROM pg_partition_tree($1) p
            JOIN pg_trigger t ON t.tgrelid = p.relid
            JOIN pg_class c ON c.oid = p.relid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE t.tgenabled <> 'D' AND p.isleaf";
        triggers(TRIGGERS, &[partition.into()])
    }

    /// Those that check the foreign keys of a partition, or if `referred` those on the tables it refers to.
    pub fn of_references(partition: Oid, referred: bool) -> Result<Resting> {
        const TRIGGERS: &str = "
            SELECT c.oid, n.nspname::text, c.relname::text, t.tgname::text, t.tgenabled::text
            FROM pg_constraint k
            JOIN pg_trigger t ON t.tgconstraint = k.oid AND t.tgrelid = CASE WHEN $2 THEN k.confrelid ELSE k.conrelid END
            JOIN pg_class c ON c.oid = t.tgrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE k.contype = 'f' AND t.tgenabled <> 'D' AND k.conrelid IN (SELECT relid FROM pg_partition_tree($1))";
        triggers(TRIGGERS, &[partition.into(), referred.into()])
    }

    /// The tables they are on.
    pub fn relations(&self) -> Vec<Oid> {
        self.0.iter().map(|trigger| trigger.relation).collect()
    }

    pub fn rest(&self) -> Result<()> {
        self.all(|_| "disabled")
    }

    pub fn wake(&self) -> Result<()> {
        self.all(|trigger| trigger.state)
    }

    fn all(&self, state: fn(&Trigger) -> &'static str) -> Result<()> {
        as_role(extension_owner()?, Fence::Local, || {
            self.0.iter().try_for_each(|trigger| {
                let (schema, table) = (&trigger.schema, &trigger.table);
                crate::ddl::run(&set_trigger_state(&trigger.name, schema, table, state(trigger)))
            })
        })
    }
}

fn triggers(query: &str, args: &[DatumWithOid]) -> Result<Resting> {
    Spi::connect_mut(|client| {
        let mut triggers = vec![];
        for row in client.update(query, None, args)? {
            let text = |i| Ok::<_, Error>(row.get::<String>(i)?.unwrap_or_default());
            let Some(relation) = row.get(1)? else { continue };
            let state = match text(5)?.as_str() {
                "A" => "always",
                "R" => "replica only",
                _ => "enabled",
            };
            triggers.push(Trigger { relation, schema: text(2)?, table: text(3)?, name: text(4)?, state });
        }
        Ok(Resting(triggers))
    })
}
