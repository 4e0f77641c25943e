//! Partitions whose time is over: which they are, and what is to be done with them. `run` does it, `noted`
//! is what was begun.

mod at_once;
mod choose;
mod noted;
pub mod run;
mod trust;

pub use noted::begun;

use super::retention::Retire;
use super::set::{Partition, Set};
use crate::ddl::retire as ddl;
use crate::error::{Error, Result};
use crate::pg::kept::Kept;
use crate::pg::procedure::can_be_fenced;
use dbguard_core::partition::retire::{ripe, Piece, Policy};
use dbguard_core::partition::{civil, Micros};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;
use std::collections::HashMap;

/// A partition to go.
pub struct Step {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub lower: String,
    pub upper: String,
    /// If its size was looked at.
    pub bytes: Option<i64>,
    /// Whether it can be detached concurrently.
    pub concurrently: bool,
    pub sql: String,
}

impl Step {
    pub fn qualified(&self) -> String {
        dbguard_core::quote::qualified(&self.schema, &self.name)
    }

    fn table(&self) -> ddl::Table<'_> {
        (&self.schema, &self.name)
    }
}

/// A partition whose time is over.
#[derive(Clone, Copy)]
struct Due {
    partition: Partition,
    /// If sizes were looked at.
    bytes: Option<i64>,
}

/// What a set's retention says, in terms of its grid.
pub fn policy(set: &Set) -> Policy {
    Policy {
        cutoff: set.cutoff,
        most_bytes: set.retention.most_bytes,
        at_least: set.retention.at_least.unsigned_abs() as usize,
    }
}

/// What is to go, oldest first.
fn due(set: &Set) -> Result<Vec<Due>> {
    if set.retention.keeps_all() {
        return Ok(vec![]);
    }
    let sizes = set.retention.most_bytes.map(|_| sizes(set)).transpose()?;
    let bytes = |partition: &Partition| sizes.as_ref().map(|s| s.get(&partition.oid).copied().unwrap_or(0));
    let all: Vec<Due> = set.partitions.iter().map(|p| Due { partition: *p, bytes: bytes(p) }).collect();
    let pieces: Vec<Piece> =
        all.iter().map(|d| Piece { range: d.partition.range, bytes: d.bytes.unwrap_or(0) }).collect();
    let chosen = ripe(&pieces, set.grid.clock(set.now)?, &policy(set));
    Ok(chosen.into_iter().filter_map(|i| all.get(i).copied()).collect())
}

/// What each partition takes with all that belongs to it.
fn sizes(set: &Set) -> Result<HashMap<Oid, i64>> {
    const SIZES: &str = "
        SELECT p.oid, (SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(p.oid) t)::int8
        FROM unnest($1) p (oid)";
    let oids: Vec<Oid> = set.partitions.iter().map(|partition| partition.oid).collect();
    Spi::connect(|client| {
        let rows = client.select(SIZES, None, &[oids.into()])?;
        let size = |row: SpiHeapTupleData| Ok::<_, Error>((row.get::<Oid>(1)?, row.get::<i64>(2)?));
        let sizes = rows.map(size).collect::<Result<Vec<_>>>()?;
        Ok(sizes.into_iter().filter_map(|(oid, size)| oid.zip(size)).collect())
    })
}

/// The statements for what is to go, oldest first.
pub fn steps(set: &Set) -> Result<Vec<Step>> {
    let due = due(set)?;
    let concurrently = !due.is_empty() && can_be_concurrent(set)?;
    due.into_iter().filter_map(|due| step(set, due, concurrently).transpose()).collect()
}

/// Schema and name of a partition of the set; `None` when it is none any more.
fn named(set: &Set, partition: Oid) -> Result<Option<(String, String)>> {
    const NAME: &str = "
        SELECT n.nspname::text, c.relname::text
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhrelid = $1 AND i.inhparent = $2";
    Spi::connect(|client| {
        let Some(row) = client.select(Kept(NAME), Some(1), &[partition.into(), set.parent.into()])?.next()
        else {
            return Ok(None);
        };
        Ok(row.get::<String>(1)?.zip(row.get::<String>(2)?))
    })
}

/// `None` when it is no partition of the set any more.
fn step(set: &Set, Due { partition, bytes }: Due, concurrently: bool) -> Result<Option<Step>> {
    let Some((schema, name)) = named(set, partition.oid)? else { return Ok(None) };
    let concurrently = concurrently && !trust::runs_code(partition.oid)?;
    let bound = |at| match at {
        Micros::MIN => Ok("MINVALUE".to_owned()),
        Micros::MAX => Ok("MAXVALUE".to_owned()),
        at => civil::literal(set.grid.key, at),
    };
    let (parent, table) = ((&*set.schema, &*set.name), (schema.as_str(), name.as_str()));
    let mut statements = vec![match concurrently {
        true => ddl::detach_concurrently(parent, table),
        false => ddl::detach(parent, table),
    }];
    match (set.retention.retire, &set.retention.schema) {
        (Retire::Drop, _) => statements.push(ddl::drop(table)),
        (Retire::Move, Some(to)) => statements.push(ddl::set_schema(table, to)),
        _ => {}
    }
    Ok(Some(Step {
        oid: partition.oid,
        lower: bound(partition.range.from)?,
        upper: bound(partition.range.to)?,
        bytes,
        concurrently,
        sql: crate::ddl::partition::script(&statements),
        schema,
        name,
    }))
}

/// Whether anything of the set may have to go. By size is not asked here: that takes longer, and waits for
/// whoever has locked a partition.
pub fn may_be_due(set: &Set) -> Result<bool> {
    match set.retention.most_bytes {
        Some(_) => Ok(true),
        None => Ok(!due(set)?.is_empty()),
    }
}

/// DETACH CONCURRENTLY is refused beside a default partition, and by Citus for what it has distributed.
fn can_be_concurrent(set: &Set) -> Result<bool> {
    const DEFAULT: &str = "SELECT partdefid = 0 FROM pg_partitioned_table WHERE partrelid = $1";
    const CITUS: &str = "SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL";
    const DISTRIBUTED: &str =
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrelid::oid = $1)";
    let ask = |query: &str, args: &[pgrx::datum::DatumWithOid]| {
        Spi::connect(|client| client.select(Kept(query), Some(1), args)?.first().get_one::<bool>())
    };
    if !can_be_fenced() || ask(DEFAULT, &[set.parent.into()])? != Some(true) {
        return Ok(false);
    }
    if ask(CITUS, &[])? != Some(true) {
        return Ok(true);
    }
    Ok(ask(DISTRIBUTED, &[set.parent.into()])? != Some(true))
}
