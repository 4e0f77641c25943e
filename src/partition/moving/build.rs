//! The tables of a move made, each noted in dbguard.partition_move so that what a killed session left is found and
//! taken back; and the trigger that notes what changes from then on.

use super::leftover::work_of;
use super::source::{Leaf, Source};
use super::stage::Stage;
use crate::catalog::hold;
use crate::ddl::moving as ddl;
use crate::ddl::partition::{self, Blueprint};
use crate::error::{Error, Result};
use crate::partition::config::write;
use crate::partition::patience::{self, Waited};
use crate::partition::set::Set;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// Makes the tables, as the set's owner.
pub fn make(
    set: &Set,
    parent: &Blueprint,
    source: &Source,
    stage: &Stage,
    key: &[ddl::KeyColumn],
) -> Result<()> {
    const PARTITIONED_BY: &str = "SELECT pg_get_partkeydef($1)";
    let by = Spi::get_one_with_args::<String>(PARTITIONED_BY, &[set.parent.into()])?.unwrap_or_default();
    let (of, schema) = ((&*set.schema, &*set.name), &*set.schema);
    let works = [&stage.filling, &stage.indexed, &stage.noted, &stage.fresh];
    hold(set.parent, of, set.owner)?;
    as_role(set.owner, Fence::Restricted, || {
        crate::ddl::run(&ddl::stage(of, (schema, &stage.filling), &by, false))?;
        crate::ddl::run(&ddl::stage(of, (schema, &stage.indexed), &by, true))?;
        crate::ddl::run(&ddl::beside(of, (schema, &stage.noted), &names(key)))?;
        crate::ddl::run(&ddl::beside(of, (schema, &stage.fresh), &source.columns))?;
        for table in works {
            // default privileges are for tables that are meant to be read
            for role in &parent.revoke {
                crate::ddl::run(&crate::ddl::audit::revoke_all("TABLE", schema, table, role.as_deref()))?;
            }
            crate::ddl::run(&ddl::comment((schema, table), &work_of(of)))?;
        }
        for piece in &stage.pieces {
            piece.table.iter().try_for_each(|statement| crate::ddl::run(statement))?;
            let filling = (schema, &*stage.filling);
            crate::ddl::run(&partition::attach(filling, (schema, &piece.name), &piece.bound()))?;
            if !piece.is_default {
                crate::ddl::run(&ddl::add_bound((schema, &piece.name), &constraint(schema, &piece.name)?))?;
            }
        }
        if let Some(outside) = &stage.outside {
            crate::ddl::run(outside)?;
        }
        Ok::<_, Error>(())
    })?;
    note(set, "source", source.oid, source.table())?;
    let pieces = stage.pieces.iter().map(|piece| ("piece", &piece.name));
    let works = works.map(|name| (if *name == stage.noted { "keys" } else { "work" }, name));
    for (role, name) in works.into_iter().chain(pieces) {
        note(set, role, oid(schema, name)?, (schema, name))?;
    }
    Ok(())
}

/// What the server makes of the bounds of a partition.
fn constraint(schema: &str, name: &str) -> Result<String> {
    const CONSTRAINT: &str = "SELECT pg_get_partition_constraintdef($1)";
    let found = Spi::get_one_with_args::<String>(CONSTRAINT, &[oid(schema, name)?.into()])?;
    found.ok_or_else(|| Error::internal("a partition without bounds"))
}

pub fn oid(schema: &str, name: &str) -> Result<Oid> {
    const OID: &str = "
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2";
    let found = Spi::connect_mut(|client| {
        let rows = client.update(OID, Some(1), &[schema.into(), name.into()])?;
        rows.into_iter().next().map_or(Ok(None), |row| row.get::<Oid>(1))
    })?;
    found.ok_or_else(|| {
        Error::not_in_state(format!("table \"{name}\" was dropped or renamed by another session"))
            .hint("Call the procedure again.")
    })
}

pub fn note(set: &Set, role: &str, relation: Oid, (schema, name): ddl::Table) -> Result<()> {
    const NOTE: &str = "
        INSERT INTO dbguard.partition_move (parent, relation, role, schema_name, table_name)
        VALUES ($1, $2, $3, $4::name, $5::name)";
    write(NOTE, &[set.parent.into(), relation.into(), role.into(), schema.into(), name.into()]).map(drop)
}

/// From here on every change of the source is noted. Whoever is writing is waited for: what they changed is
/// seen by whoever begins to copy after that.
pub fn capture(set: &Set, stage: &Stage, leaf: &Leaf, key: &[ddl::KeyColumn]) -> Result<()> {
    let numbers = numbers(leaf.oid, key)?;
    let create = ddl::capture(leaf.table(), (&set.schema, &stage.noted), &numbers);
    patience::steps(leaf.oid, &mut Waited::default(), || {
        as_role(set.owner, Fence::Restricted, || {
            crate::ddl::run(&create)?;
            crate::ddl::run(&ddl::capture_always(leaf.table()))
        })
    })
}

/// The numbers that the key's columns have in a leaf.
fn numbers(leaf: Oid, key: &[ddl::KeyColumn]) -> Result<Vec<i16>> {
    const NUMBERS: &str = "
        SELECT array_agg(a.attnum ORDER BY k.n)
        FROM unnest($2::text[]) WITH ORDINALITY k (name, n)
        JOIN pg_attribute a ON a.attrelid = $1 AND a.attname = k.name";
    let found = Spi::get_one_with_args::<Vec<i16>>(NUMBERS, &[leaf.into(), names(key).into()])?;
    Ok(found.unwrap_or_default())
}

fn names(key: &[ddl::KeyColumn]) -> Vec<String> {
    key.iter().map(|column| column.name.clone()).collect()
}
