//! Partitions whose time is over: which they are, and what is to be done with them. `run` does it, `noted`
//! is what was begun.

mod at_once;
mod choose;
mod leave;
mod noted;
mod obstacle;
pub mod run;
mod size;
mod trust;

pub use noted::begun;

use super::retention::Retire;
use super::set::{Partition, Set};
use crate::ddl::retire as ddl;
use crate::error::Result;
use crate::pg::kept::Kept;
use crate::pg::procedure::can_be_fenced;
use dbguard_core::partition::retire::{ripe, Piece, Policy};
use dbguard_core::partition::{civil, Micros};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A partition to go.
pub struct Step {
    pub partition: Partition,
    pub schema: String,
    pub name: String,
    pub is_foreign: bool,
    pub lower: String,
    pub upper: String,
    /// If its size was looked at.
    pub bytes: Option<i64>,
    /// Whether it can be detached concurrently.
    pub concurrently: bool,
    pub action: &'static str,
    /// As users read it.
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
    over(set, &set.partitions)
}

/// Those of some partitions whose time is over, as if they were all the set has.
fn over(set: &Set, partitions: &[Partition]) -> Result<Vec<Due>> {
    if set.retention.keeps_all() {
        return Ok(vec![]);
    }
    let sizes = set.retention.most_bytes.map(|_| size::of(set, partitions)).transpose()?;
    let bytes = |partition: &Partition| sizes.as_ref().map(|s| s.get(&partition.oid).copied().unwrap_or(0));
    let all: Vec<Due> = partitions.iter().map(|p| Due { partition: *p, bytes: bytes(p) }).collect();
    let pieces: Vec<Piece> =
        all.iter().map(|d| Piece { range: d.partition.range, bytes: d.bytes.unwrap_or(0) }).collect();
    let chosen = ripe(&pieces, set.grid.clock(set.now)?, &policy(set));
    Ok(chosen.into_iter().filter_map(|i| all.get(i).copied()).collect())
}

/// After retention was changed: what has left follows it, and what would not have to go by it is forgotten and
/// stays as a table. How many those are.
pub fn reconsider(set: &Set) -> Result<usize> {
    noted::follow(set)?;
    let noted = noted::all(set)?;
    let mut all = set.partitions.clone();
    all.extend(noted.iter().map(|(p, _)| *p).filter(|p| set.partitions.iter().all(|have| have.oid != p.oid)));
    let over = if noted.is_empty() { vec![] } else { over(set, &all)? };
    let mut kept = 0;
    for (partition, retire) in noted {
        if retire != set.retention.retire || over.iter().all(|due| due.partition.oid != partition.oid) {
            noted::forget(partition.oid)?;
            kept += 1;
        }
    }
    Ok(kept)
}

/// All that a run would do, in its order: what was begun comes before what is new.
pub fn plan(set: &Set) -> Result<Vec<Step>> {
    let mut plan = vec![];
    let pending = noted::pending(set.parent)?;
    for partition in set.partitions.iter().filter(|p| pending.contains(&p.oid)) {
        let Some(step) = step(set, Due { partition: *partition, bytes: None }, false)? else { continue };
        let sql = ddl::finalize((&set.schema, &set.name), step.table());
        plan.push(Step { sql: crate::ddl::partition::script(&[sql]), action: "finalize", ..step });
    }
    for waiting in noted::planned(set)? {
        plan.push(Step {
            partition: waiting.partition,
            lower: bound(set, waiting.partition.range.from)?,
            upper: bound(set, waiting.partition.range.to)?,
            bytes: None,
            concurrently: false,
            action: waiting.retire.word(),
            sql: crate::ddl::partition::script(waiting.statement().as_slice()),
            schema: waiting.schema,
            name: waiting.name,
            is_foreign: waiting.is_foreign,
        });
    }
    let new = steps(set)?.into_iter().filter(|step| !pending.contains(&step.partition.oid));
    plan.extend(new);
    Ok(plan)
}

/// The statements for what is to go, oldest first.
pub fn steps(set: &Set) -> Result<Vec<Step>> {
    let due = due(set)?;
    let concurrently = !due.is_empty() && can_be_concurrent(set)?;
    due.into_iter().filter_map(|due| step(set, due, concurrently).transpose()).collect()
}

/// A partition as the catalog has it.
struct Named {
    schema: String,
    name: String,
    is_foreign: bool,
}

/// `None` when it is no partition of the set any more.
fn named(set: &Set, partition: Oid) -> Result<Option<Named>> {
    const NAME: &str = "
        SELECT n.nspname::text, c.relname::text, c.relkind = 'f'
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhrelid = $1 AND i.inhparent = $2";
    Spi::connect(|client| {
        let Some(row) = client.select(Kept(NAME), Some(1), &[partition.into(), set.parent.into()])?.next()
        else {
            return Ok(None);
        };
        Ok(Some(Named {
            schema: row.get(1)?.unwrap_or_default(),
            name: row.get(2)?.unwrap_or_default(),
            is_foreign: row.get(3)?.unwrap_or(false),
        }))
    })
}

/// A bound as users read it.
fn bound(set: &Set, at: Micros) -> Result<String> {
    match at {
        Micros::MIN => Ok("MINVALUE".to_owned()),
        Micros::MAX => Ok("MAXVALUE".to_owned()),
        at => Ok(civil::literal(set.grid.key, at)?),
    }
}

/// `None` when it is no partition of the set any more.
fn step(set: &Set, Due { partition, bytes }: Due, concurrently: bool) -> Result<Option<Step>> {
    let Some(Named { schema, name, is_foreign }) = named(set, partition.oid)? else { return Ok(None) };
    let concurrently = concurrently && !trust::runs_code(partition.oid)?;
    let (lower, upper) = (bound(set, partition.range.from)?, bound(set, partition.range.to)?);
    let (parent, table) = ((&*set.schema, &*set.name), (schema.as_str(), name.as_str()));
    let retention = &set.retention;
    let mut statements = vec![];
    if let Some((schema, name)) = &retention.archive {
        statements.push(ddl::archive_of((schema, name), table, &lower, &upper));
    }
    statements.push(match concurrently {
        true => ddl::detach_concurrently(parent, table),
        false => ddl::detach(parent, table),
    });
    let last = match (retention.retire, &retention.schema) {
        (Retire::Drop, _) if is_foreign => Some(ddl::drop_foreign(table)),
        (Retire::Drop, _) => Some(ddl::drop(table)),
        (Retire::Move, Some(to)) if *to != schema => Some(ddl::set_schema(table, to)),
        _ => None,
    };
    statements.extend(last.map(|last| match &retention.grace {
        Some(grace) => ddl::after(&grace.to_string(), &last),
        None => last,
    }));
    let sql = crate::ddl::partition::script(&statements);
    let action = retention.retire.word();
    Ok(Some(Step { partition, schema, name, is_foreign, lower, upper, bytes, concurrently, action, sql }))
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
