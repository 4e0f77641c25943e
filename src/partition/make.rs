//! One partition: its name, its statements, and making it.

use super::blueprint;
use super::moving::few;
use super::patience::{self, Waited};
use super::set::Set;
use crate::catalog::is_still;
use crate::ddl::partition::{self as ddl, Blueprint};
use crate::error::{Error, Result};
use crate::pg::guc;
use crate::pg::kept::Kept;
use crate::pg::subxact::look;
use crate::pg::user::{as_role, Fence};
use dbguard_core::partition::{civil, name, Range};
use pgrx::prelude::*;

/// A partition to make, with everything known before anything is done.
pub struct Step {
    pub name: String,
    pub lower: String,
    pub upper: String,
    pub statements: Vec<String>,
}

/// What making `range` takes. `chosen` are names given to other ranges that are not made yet.
pub fn step(set: &Set, parent: &Blueprint, range: Range, chosen: &[String]) -> Result<Step> {
    let identity = format!("{}.{}", set.schema, set.name);
    let taken = |name: &str| -> Result<bool> {
        Ok(chosen.iter().any(|other| other == name) || exists(&set.schema, name)?)
    };
    let name = name::choose(&set.grid, range, &set.name, &identity, taken)?;
    let (lower, upper) = civil::literals(set.grid.key, range)?;
    let children = parts(set, parent, &name, chosen)?;
    let statements = ddl::make(parent, &name, &children, &lower, &upper);
    Ok(Step { name, lower, upper, statements })
}

/// The names of the parts of a partition that is split by hash.
pub fn parts(set: &Set, parent: &Blueprint, name: &str, chosen: &[String]) -> Result<Vec<String>> {
    let identity = format!("{}.{} {name}", set.schema, set.name);
    let mut children: Vec<String> = Vec::new();
    for number in 0..parent.hash.as_ref().map_or(0, |hash| hash.count) {
        let child = name::fit(name, &format!("_h{number}"), &identity, |child| {
            let known = chosen.iter().chain(&children).any(|other| other == child);
            Ok::<_, Error>(known || exists(&set.schema, child)?)
        })?;
        children.push(child);
    }
    Ok(children)
}

/// Makes it, as the table's owner, with the patience that others' locks need.
pub fn make(set: &Set, parent: &Blueprint, step: &Step, waited: &mut Waited) -> Result<()> {
    let made = patience::ladder(set.parent, waited, || {
        is_still(set.parent, (&set.schema, &set.name), set.owner)?;
        as_role(set.owner, Fence::Restricted, || {
            for statement in &step.statements {
                Spi::run(statement)?;
            }
            if parent.replica_identity == 'i' {
                take_replica_identity(set, &step.name)?;
            }
            Ok(())
        })
    });
    made.or_else(|e| match e.code() {
        PgSqlErrorCode::ERRCODE_CHECK_VIOLATION => few::make(set, parent, step, waited, e),
        _ => Err(e),
    })
}

/// Makes a partition that is never attached and takes it back: an error says what is wrong with the
/// options of the set.
pub fn rehearse(set: &Set) -> Result<()> {
    let parent = blueprint::of(set)?;
    let now = set.grid.cell(set.grid.clock(set.now)?)?;
    let mut step = step(set, &parent, now, &[])?;
    step.statements.pop();
    let as_owner = |statements: &[String]| {
        look(|| {
            as_role(set.owner, Fence::Restricted, || {
                statements.iter().try_for_each(|statement| Ok(Spi::run(statement)?))
            })
        })
    };
    guc::with(&[(c"lock_timeout", c"2s")], || {
        if let Some(hash) = &parent.hash {
            as_owner(&[ddl::try_hash(&parent, &step.name, hash)])?;
        }
        as_owner(&step.statements)
    })
    .map_err(|e| match (e.code(), &parent.security) {
        (PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, Some(_)) => e.hint(
            "A policy that names its table inside a subquery cannot be copied: write \
             tenant IN (SELECT m.tenant FROM members m) instead of EXISTS with a condition on both.",
        ),
        _ => e,
    })
}

/// The partition's own index that belongs to the parent's replica identity index, and those of its
/// parts.
pub fn take_replica_identity(set: &Set, partition: &str) -> Result<()> {
    let statements = Spi::connect_mut(|client| {
        let found = client.update(
            Kept(
                "WITH made AS (
               SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = $2 AND c.relname = $3
             )
             SELECT t.relname::text, ci.relname::text
             FROM pg_index p
             CROSS JOIN made
             CROSS JOIN LATERAL (SELECT made.oid UNION ALL
                                 SELECT inhrelid FROM pg_inherits WHERE inhparent = made.oid) part
             JOIN pg_index x ON x.indrelid = part.oid
             JOIN pg_inherits i ON i.inhrelid = x.indexrelid
             LEFT JOIN pg_inherits above ON above.inhrelid = i.inhparent
             JOIN pg_class ci ON ci.oid = x.indexrelid
             JOIN pg_class t ON t.oid = x.indrelid
             WHERE p.indrelid = $1 AND p.indisreplident AND p.indexrelid IN (i.inhparent, above.inhparent)",
            ),
            None,
            &[set.parent.into(), set.schema.as_str().into(), partition.into()],
        )?;
        let mut statements = Vec::new();
        for row in found {
            let (table, index): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
            let (table, index) = (table.unwrap_or_default(), index.unwrap_or_default());
            statements.push(ddl::replica_identity_index(&set.schema, &table, &index));
        }
        Ok::<_, Error>(statements)
    })?;
    statements.iter().try_for_each(|statement| Ok(Spi::run(statement)?))
}

/// Whether a relation or a type of this name would be in the way.
pub fn exists(schema: &str, name: &str) -> Result<bool> {
    let found =
        Spi::connect(|client| {
            client
            .select(
                Kept("SELECT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = $2)
                     OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid AND t.typname = $2)
                 FROM pg_namespace n WHERE n.nspname = $1"),
                None,
                &[schema.into(), name.into()],
            )?
            .first()
            .get_one::<bool>()
        })?;
    Ok(found.unwrap_or(false))
}
