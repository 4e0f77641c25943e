//! Few rows of a default partition: moved into the new partition in the one transaction that makes it, with
//! the table locked.

use super::source::{self, Source};
use crate::catalog::extension_owner;
use crate::ddl::audit::set_trigger_state;
use crate::ddl::moving as ddl;
use crate::ddl::partition::Blueprint;
use crate::error::{notice, Error, Result};
use crate::partition::job;
use crate::partition::make::{take_replica_identity, Step};
use crate::partition::patience::{self, Waited};
use crate::partition::set::Set;
use crate::pg::lock::access_exclusive;
use crate::pg::user::{as_role, Fence};
use crate::settings::PARTITION_DRAIN_ROWS;
use pgrx::prelude::*;

/// Makes the partition that was refused because of rows in the default partition, if those are few.
pub fn make(set: &Set, parent: &Blueprint, step: &Step, waited: &mut Waited, refused: Error) -> Result<()> {
    let drain = ddl::drain((&set.schema, &set.name));
    let by_hand = refused.hint(format!("Move the rows of this range out of the default partition: {drain}"));
    let Some(source) = source::default_of(set)? else { return Err(by_hand) };
    let under_way = || match job::is_noted(set.parent)? {
        true => {
            Err(Error::not_in_state("long work on the table is under way, see dbguard.partition_progress"))
        }
        false => Ok(()),
    };
    if let Err(why) = may(set, &source).and_then(|()| under_way()) {
        return Err(by_hand.detail(format!("They were not moved: {}.", why.message())));
    }
    let most = i64::from(PARTITION_DRAIN_ROWS.get());
    let rows = rows(set, &source, step, most + 1)?;
    if rows > most {
        return Err(by_hand);
    }
    carry(set, parent, &source, step, waited)?;
    notice(format!("{rows} rows were moved from \"{}\" to \"{}\"", source.name, step.name));
    Ok(())
}

/// Whether rows may be taken out of the default partition one by one.
pub fn may(set: &Set, source: &Source) -> Result<()> {
    let leaves = source.leaves()?;
    source::check(set, &leaves)?;
    if let Some(leaf) = leaves.iter().find(|leaf| leaf.has_rules) {
        return Err(Error::unsupported(format!("\"{}\" has rules", leaf.name)));
    }
    if let Some(publication) = source::published(set, source)? {
        return Err(Error::unsupported(format!("publication \"{publication}\" would publish their removal")));
    }
    Ok(())
}

fn rows(set: &Set, source: &Source, step: &Step, most: i64) -> Result<i64> {
    let query = ddl::count_up_to(source.table(), &source.key(), &step.lower, &step.upper);
    let rows = as_role(set.owner, Fence::RestrictedAllRows, || {
        Spi::connect(|client| client.select(&query, Some(1), &[most.into()])?.first().get_one::<i64>())
    })?;
    Ok(rows.unwrap_or(0))
}

/// No logical change happens, so no trigger is to see one: those of users and of foreign keys rest. The rows
/// that a foreign key refers to are there again when the partition is attached. Not by
/// session_replication_role, under which the owner's code could pass by the triggers of others.
pub fn carry(set: &Set, parent: &Blueprint, source: &Source, step: &Step, waited: &mut Waited) -> Result<()> {
    let move_rows = ddl::carry(
        source.table(),
        (&set.schema, &step.name),
        &source.columns,
        &source.key(),
        &step.lower,
        &step.upper,
    );
    let Some((attach, table)) = step.statements.split_last() else {
        return Err(Error::internal("a partition without statements"));
    };
    patience::steps(set.parent, waited, || {
        // also the parent, or who waited for the default partition would go on to read it without knowing of
        // the new one
        access_exclusive(set.parent);
        access_exclusive(source.oid);
        as_role(set.owner, Fence::RestrictedAllRows, || {
            table.iter().try_for_each(|statement| crate::ddl::run(statement))
        })?;
        let resting = resting(source)?;
        // those of foreign keys are the server's: only a superuser may have them rest
        let superuser = extension_owner()?;
        let all = |state: fn(&Resting) -> &'static str| {
            as_role(superuser, Fence::Local, || {
                resting.iter().try_for_each(|trigger| {
                    let (schema, table) = (&trigger.schema, &trigger.table);
                    crate::ddl::run(&set_trigger_state(&trigger.name, schema, table, state(trigger)))
                })
            })
        };
        all(|_| "disabled")?;
        as_role(set.owner, Fence::RestrictedAllRows, || crate::ddl::run(&move_rows))?;
        all(|trigger| trigger.state)?;
        as_role(set.owner, Fence::Restricted, || {
            crate::ddl::run(attach)?;
            match parent.replica_identity {
                'i' => take_replica_identity(set, &step.name),
                _ => Ok(()),
            }
        })
    })
}

/// A trigger that would fire, and how it is enabled.
struct Resting {
    schema: String,
    table: String,
    name: String,
    state: &'static str,
}

fn resting(source: &Source) -> Result<Vec<Resting>> {
    const TRIGGERS: &str = "
        SELECT n.nspname::text, c.relname::text, t.tgname::text, t.tgenabled::text
        FROM pg_partition_tree($1) p
        JOIN pg_trigger t ON t.tgrelid = p.relid
        JOIN pg_class c ON c.oid = p.relid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE t.tgenabled <> 'D' AND p.isleaf";
    Spi::connect_mut(|client| {
        let mut triggers = vec![];
        for row in client.update(TRIGGERS, None, &[source.oid.into()])? {
            let text = |i| Ok::<_, pgrx::spi::Error>(row.get::<String>(i)?.unwrap_or_default());
            let state = match text(4)?.as_str() {
                "A" => "always",
                "R" => "replica only",
                _ => "enabled",
            };
            triggers.push(Resting { schema: text(1)?, table: text(2)?, name: text(3)?, state });
        }
        Ok(triggers)
    })
}
