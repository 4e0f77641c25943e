//! The one moment in which the pieces take the place of the source: a short transaction under an exclusive
//! lock of the parent. Who reads before sees the source, who reads after sees the pieces.

use super::copy::{self, catch_up};
use super::leftover;
use super::made;
use super::references::References;
use super::source::{Leaf, Source};
use super::stage::Stage;
use super::still::{still, Before};
use super::whole::FEW_CHANGES;
use crate::ddl::moving as ddl;
use crate::ddl::{partition, retire};
use crate::error::{Error, Result};
use crate::partition::make::take_replica_identity;
use crate::partition::patience::{self, Waited};
use crate::partition::set::Set;
use crate::partition::{blueprint, busy, lock};
use crate::pg::user::{as_role, Fence};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// What is moved.
pub struct Move<'a> {
    pub set: &'a Set,
    pub source: &'a Source,
    pub leaves: &'a [Leaf],
    pub before: &'a Before,
    pub references: &'a References,
    pub key: &'a [ddl::KeyColumn],
    pub stage: &'a Stage,
    pub drop_old: bool,
}

/// How long the table was locked. None, with nothing done, when more was changed meanwhile than may be copied with it
/// locked.
pub fn swap(work: &Move, waited: &mut Waited) -> Result<Option<Duration>> {
    let Move { set, source, leaves, references, key, stage, drop_old, .. } = *work;
    let done = Cell::new(None);
    let replica_identity = blueprint::of(set)?.replica_identity;
    let made = made::all(set)?;
    // when it was waited for before, too much was changed in the meantime: with longer steps sooner
    patience::tries_after(waited.tries, set.parent, waited, |step| {
        // parent before partitions, as queries lock them; what was made last, for who writes to a partition notes it
        // there
        step.lock(&[set.parent, source.oid])?;
        step.lock(&leaves.iter().map(|leaf| leaf.oid).collect::<Vec<_>>())?;
        references.lock(step)?;
        step.lock(&made.iter().map(|made| made.oid).collect::<Vec<_>>())?;
        if !lock(set.parent)? {
            return Err(busy(&set.name));
        }
        let locked = Instant::now();
        still(work)?;
        made.iter().try_for_each(|made| made.is_still(set))?;
        let noted = copy::noted(set, stage, FEW_CHANGES + 1)?;
        if noted > FEW_CHANGES {
            return Ok(());
        }
        if noted > 0 {
            catch_up(set, source, stage, key)?;
        }
        references.enforce()?;
        let (schema, parent) = (&*set.schema, (&*set.schema, &*set.name));
        as_role(set.owner, Fence::Restricted, || {
            for leaf in leaves {
                crate::ddl::run(&ddl::drop_capture(leaf.table()))?;
            }
            crate::ddl::run(&retire::detach(parent, source.table()))?;
            let old = match drop_old {
                true => ddl::drop(source.table()),
                false => ddl::rename(source.table(), &stage.old),
            };
            crate::ddl::run(&old)?;
            // the default last, both times: what is attached beside one has it scanned
            for piece in stage.pieces.iter().rev() {
                crate::ddl::run(&retire::detach((schema, &stage.indexed), (schema, &piece.name)))?;
            }
            for piece in &stage.pieces {
                if piece.name != piece.partition {
                    crate::ddl::run(&ddl::rename((schema, &piece.name), &piece.partition))?;
                }
                let table = (schema, &*piece.partition);
                crate::ddl::run(&partition::attach(parent, table, &piece.bound()))?;
                if !piece.is_default || stage.outside.is_some() {
                    crate::ddl::run(&ddl::drop_bound(table))?;
                }
                if replica_identity == 'i' {
                    take_replica_identity(set, &piece.partition)?;
                }
            }
            for table in [&stage.filling, &stage.indexed, &stage.noted, &stage.fresh] {
                crate::ddl::run(&ddl::drop((schema, table)))?;
            }
            Ok::<_, Error>(())
        })?;
        done.set(Some(locked.elapsed()));
        Ok(())
    })?;
    if done.get().is_some() {
        leftover::forget(set.parent)?;
    }
    Ok(done.get())
}
