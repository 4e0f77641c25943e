//! Partitions whose time is over: which they are, and what is to be done with them. `run` does it, `noted`
//! is what was begun.

mod noted;
pub mod run;

pub use noted::begun;

use super::retention::{Retention, Retire};
use super::set::Set;
use crate::ddl::retire as ddl;
use crate::error::Result;
use crate::pg::bounds;
use dbguard_core::partition::retire::{ripe, Piece};
use dbguard_core::partition::{civil, Micros, Range};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A partition to go.
pub struct Step {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub lower: String,
    pub upper: String,
    /// If its size was looked at.
    pub bytes: Option<i64>,
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

/// A partition of a set, as the catalog has it.
struct Partition {
    oid: Oid,
    schema: String,
    name: String,
    range: Range,
    /// DETACH CONCURRENTLY was begun and not ended.
    pending: bool,
    bytes: Option<i64>,
}

/// `fresh`: as it is at this very moment, which a standby cannot be asked.
fn partitions(set: &Set, sized: bool, fresh: bool) -> Result<Vec<Partition>> {
    const PARTITIONS: &str = "
        SELECT c.oid, n.nspname::text, c.relname::text, c.relpartbound::text, i.inhdetachpending,
               CASE WHEN $2 THEN (SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t)::int8 END
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhparent = $1";
    Spi::connect_mut(|client| {
        let mut list = vec![];
        let args = [set.parent.into(), sized.into()];
        let rows = if fresh {
            client.update(PARTITIONS, None, &args)?
        } else {
            client.select(PARTITIONS, None, &args)?
        };
        for row in rows {
            let bounds = row.get::<String>(4)?.and_then(|text| bounds::range(&text));
            let bound = bounds.and_then(|bounds| set.grid.key.range(&bounds));
            let (Some(oid), Some(range)) = (row.get::<Oid>(1)?, bound) else { continue };
            list.push(Partition {
                oid,
                schema: row.get(2)?.unwrap_or_default(),
                name: row.get(3)?.unwrap_or_default(),
                range,
                pending: row.get(5)?.unwrap_or(false),
                bytes: row.get(6)?,
            });
        }
        Ok(list)
    })
}

/// What is to go, oldest first.
pub fn plan(set: &Set, retention: &Retention, fresh: bool) -> Result<Vec<Step>> {
    let list = partitions(set, retention.most_bytes.is_some(), fresh)?;
    let concurrently = can_be_concurrent(set)?;
    let pieces: Vec<Piece> =
        list.iter().map(|p| Piece { range: p.range, bytes: p.bytes.unwrap_or(0) }).collect();
    let chosen = ripe(&pieces, set.grid.clock(set.now)?, &retention.policy(set));
    chosen.into_iter().filter_map(|i| list.get(i)).map(|p| step(set, retention, p, concurrently)).collect()
}

fn step(set: &Set, retention: &Retention, partition: &Partition, concurrently: bool) -> Result<Step> {
    let bound = |at| match at {
        Micros::MIN => Ok("MINVALUE".to_owned()),
        Micros::MAX => Ok("MAXVALUE".to_owned()),
        at => civil::literal(set.grid.key, at),
    };
    let (parent, table) = ((&*set.schema, &*set.name), (partition.schema.as_str(), partition.name.as_str()));
    let mut statements = vec![match concurrently {
        true => ddl::detach_concurrently(parent, table),
        false => ddl::detach(parent, table),
    }];
    match (retention.retire, &retention.schema) {
        (Retire::Drop, _) => statements.push(ddl::drop(table)),
        (Retire::Move, Some(schema)) => statements.push(ddl::set_schema(table, schema)),
        _ => {}
    }
    Ok(Step {
        oid: partition.oid,
        schema: partition.schema.clone(),
        name: partition.name.clone(),
        lower: bound(partition.range.from)?,
        upper: bound(partition.range.to)?,
        bytes: partition.bytes,
        sql: crate::ddl::partition::script(&statements),
    })
}

/// Whether anything of the set may have to go, or was begun: asked of what is known of all sets anyway.
pub fn is_due(set: &Set, retention: &Retention) -> Result<bool> {
    if retention.most_bytes.is_some() {
        return Ok(true);
    }
    let policy = retention.policy(set);
    let pieces: Vec<Piece> = set.existing.iter().map(|range| Piece { range: *range, bytes: 0 }).collect();
    Ok(!ripe(&pieces, set.grid.clock(set.now)?, &policy).is_empty())
}

/// DETACH CONCURRENTLY is refused beside a default partition, and by Citus for what it has distributed.
fn can_be_concurrent(set: &Set) -> Result<bool> {
    const DEFAULT: &str = "SELECT partdefid = 0 FROM pg_partitioned_table WHERE partrelid = $1";
    const CITUS: &str = "SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL";
    const DISTRIBUTED: &str =
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrelid::oid = $1)";
    let ask = |query: &str, args: &[pgrx::datum::DatumWithOid]| {
        Spi::connect(|client| client.select(query, Some(1), args)?.first().get_one::<bool>())
    };
    if ask(DEFAULT, &[set.parent.into()])? != Some(true) {
        return Ok(false);
    }
    if ask(CITUS, &[])? != Some(true) {
        return Ok(true);
    }
    Ok(ask(DISTRIBUTED, &[set.parent.into()])? != Some(true))
}
