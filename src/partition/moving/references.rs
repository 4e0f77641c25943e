//! The foreign keys of the set on its pieces, made while they are empty: ATTACH finds them, takes them over and
//! reads no row. Until then their triggers rest. A piece is behind its source, whose rows are those that are checked,
//! and nobody who changes a table that is referred to is to be held up by what was copied of them.

use super::build::oid;
use super::resting::Resting;
use super::stage::Piece;
use crate::ddl::moving as ddl;
use crate::error::Result;
use crate::partition::patience::{self, Step, Waited};
use crate::partition::set::Set;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// Those of all pieces.
#[derive(Default)]
pub struct References {
    checks: Vec<Resting>,
    referred: Vec<Oid>,
}

impl References {
    /// Gives them to a piece.
    pub fn add(&mut self, set: &Set, piece: &Piece) -> Result<()> {
        let keys = keys(set)?;
        if keys.is_empty() {
            return Ok(());
        }
        let table = (&*set.schema, &*piece.name);
        let relation = oid(table.0, table.1)?;
        patience::steps(set.parent, &mut Waited::default(), || {
            as_role(set.owner, Fence::Restricted, || {
                keys.iter().try_for_each(|(name, definition)| {
                    crate::ddl::run(&ddl::add_constraint(table, name, definition))
                })
            })
        })?;
        let (checks, actions) =
            (Resting::of_references(relation, false)?, Resting::of_references(relation, true)?);
        checks.rest()?;
        actions.rest()?;
        self.referred.extend(actions.relations());
        self.referred.sort_unstable_by_key(|relation| relation.to_u32());
        self.referred.dedup();
        self.checks.push(checks);
        Ok(())
    }

    /// ATTACH drops the triggers on the tables that are referred to: those of the set's own keys are there.
    pub fn lock(&self, step: &Step) -> Result<()> {
        step.lock(&self.referred)
    }

    /// From here on the pieces are checked.
    pub fn enforce(&self) -> Result<()> {
        self.checks.iter().try_for_each(Resting::wake)
    }
}

/// Name and definition of each; not those that the server keeps for partitions of a table that is referred to.
fn keys(set: &Set) -> Result<Vec<(String, String)>> {
    const KEYS: &str = "
        SELECT k.conname::text, pg_get_constraintdef(k.oid)
        FROM pg_constraint k
        WHERE k.conrelid = $1 AND k.contype = 'f'
          AND NOT EXISTS (SELECT FROM pg_constraint u WHERE u.oid = k.conparentid AND u.conrelid = k.conrelid)
        ORDER BY k.oid";
    Spi::connect(|client| {
        let mut keys = vec![];
        for row in client.select(KEYS, None, &[set.parent.into()])? {
            keys.extend(row.get::<String>(1)?.zip(row.get::<String>(2)?));
        }
        Ok(keys)
    })
}
