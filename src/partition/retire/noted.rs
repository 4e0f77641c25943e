//! What was begun and is not ended: dbguard.partition_retired. Written with the rights of the extension's
//! owner.

use super::Step;
use crate::catalog::extension_owner;
use crate::ddl::retire as ddl;
use crate::error::Result;
use crate::partition::retention::Retire;
use crate::partition::set::{Partition, Set};
use crate::pg::identity;
use crate::pg::kept::Kept;
use crate::pg::user::{as_role, Fence};
use dbguard_core::partition::{civil, Key, Micros, Range};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

/// A detached partition that waits to be dropped or moved.
pub struct Waiting {
    pub partition: Partition,
    pub schema: String,
    pub name: String,
    pub is_foreign: bool,
    pub retire: Retire,
    /// Where to.
    pub to: Option<String>,
}

impl Waiting {
    fn table(&self) -> ddl::Table<'_> {
        (&self.schema, &self.name)
    }

    /// What is to be done with it; nothing if it is where it is to be.
    pub fn statement(&self) -> Option<String> {
        match (self.retire, &self.to) {
            (Retire::Drop, _) if self.is_foreign => Some(ddl::drop_foreign(self.table())),
            (Retire::Drop, _) => Some(ddl::drop(self.table())),
            (Retire::Move, Some(to)) if *to != self.schema => Some(ddl::set_schema(self.table(), to)),
            _ => None,
        }
    }
}

fn write(sql: &str, args: &[DatumWithOid]) -> Result<()> {
    as_role(extension_owner()?, Fence::Local, || {
        Ok(Spi::connect_mut(|client| client.update(Kept(sql), None, args).map(drop))?)
    })
}

/// That `partition` is about to leave, and what becomes of it then.
pub fn leaving(set: &Set, step: &Step) -> Result<()> {
    const LEAVING: &str = "
        INSERT INTO dbguard.partition_retired
          (parent, home, relation, partition_schema, partition_name, lower, upper, retire, retire_schema, grace, pid, backend_start)
        SELECT $1, $2, $3, $4::name, $5::name, $6::timestamp, $7::timestamp, $8, $9::name, $10, a.pid, a.backend_start
        FROM pg_stat_get_activity(pg_backend_pid()) a";
    let Partition { oid, range } = step.partition;
    let retention = &set.retention;
    let lower = Some(range.from).filter(|from| *from != Micros::MIN);
    let lower = lower.map(|from| civil::literal(Key::Timestamp, from)).transpose()?;
    // it may have waited before, and have been attached again, to another table even
    forget(oid)?;
    write(
        LEAVING,
        &[
            set.parent.into(),
            identity::database().into(),
            oid.into(),
            step.schema.as_str().into(),
            step.name.as_str().into(),
            lower.into(),
            civil::literal(Key::Timestamp, range.to)?.into(),
            retention.retire.word().into(),
            retention.schema.as_deref().into(),
            retention.grace.into(),
        ],
    )
}

/// That it has left: what else there is to do is due after the grace period. Nothing more is to be done with
/// one that is only detached.
pub fn left(partition: Oid) -> Result<()> {
    const LEFT: &str = "
        UPDATE dbguard.partition_retired
        SET left_at = clock_timestamp(), due = clock_timestamp() + coalesce(grace, '0'::interval)
        WHERE relation = $1 AND home = $2 AND retire <> 'detach'";
    const DONE: &str = "
        DELETE FROM dbguard.partition_retired WHERE relation = $1 AND home = $2 AND retire = 'detach'";
    let args = || [partition.into(), identity::database().into()];
    write(LEFT, &args())?;
    write(DONE, &args())
}

/// That this session goes no further, and another may take it up.
pub fn abandoned(partition: Oid) -> Result<()> {
    const ABANDONED: &str = "
        UPDATE dbguard.partition_retired SET pid = NULL, backend_start = NULL WHERE relation = $1 AND home = $2";
    write(ABANDONED, &[partition.into(), identity::database().into()])
}

pub fn forget(partition: Oid) -> Result<()> {
    const FORGET: &str = "DELETE FROM dbguard.partition_retired WHERE relation = $1 AND home = $2";
    write(FORGET, &[partition.into(), identity::database().into()])
}

/// Whether another session that is still there is detaching a partition of the table.
pub fn is_at_work(parent: Oid) -> Result<bool> {
    const AT_WORK: &str = "
        SELECT EXISTS (
          SELECT FROM dbguard.partition_retired r
          JOIN pg_inherits i ON i.inhrelid = r.relation AND i.inhparent = $1
          JOIN pg_stat_get_activity(NULL) a ON a.pid = r.pid AND a.backend_start = r.backend_start
          WHERE r.home = $2 AND r.left_at IS NULL AND r.pid <> pg_backend_pid())";
    let found = Spi::connect_mut(|client| {
        let args = [parent.into(), identity::database().into()];
        client.update(Kept(AT_WORK), Some(1), &args)?.first().get_one::<bool>()
    })?;
    Ok(found == Some(true))
}

/// The partitions of a table of which DETACH CONCURRENTLY was begun and not ended.
pub fn pending(parent: Oid) -> Result<Vec<Oid>> {
    const PENDING: &str = "SELECT inhrelid FROM pg_inherits WHERE inhparent = $1 AND inhdetachpending";
    Spi::connect(|client| {
        let rows = client.select(Kept(PENDING), None, &[parent.into()])?;
        Ok(rows.filter_map(|row| row.get::<Oid>(1).transpose()).collect::<std::result::Result<_, _>>()?)
    })
}

/// Whether a detached partition is still what was noted, and not attached anew.
pub fn is_free(waiting: &Waiting) -> Result<bool> {
    const FREE: &str = "
        SELECT EXISTS (
          SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.oid = $1 AND NOT c.relispartition AND n.nspname = $2 AND c.relname = $3)";
    let args = [waiting.partition.oid.into(), waiting.schema.as_str().into(), waiting.name.as_str().into()];
    let free =
        Spi::connect_mut(|client| client.update(Kept(FREE), Some(1), &args)?.first().get_one::<bool>())?;
    Ok(free == Some(true))
}

/// Forgets what is gone, and what a killed run left behind: what did not leave is looked at anew, and what did
/// without being noted so stays as a table, since it may have been detached by somebody who wants to keep it.
pub fn tidy(set: &Set) -> Result<()> {
    const GONE: &str = "
        DELETE FROM dbguard.partition_retired r
        WHERE r.parent = $1 AND r.home = $2
          AND (NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = r.relation)
               OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = r.relation)
               OR r.left_at IS NULL)";
    write(GONE, &[set.parent.into(), identity::database().into()])
}

/// The first that goes by another name than was noted, by that: somebody has plans of his own for it.
pub fn renamed(set: &Set) -> Result<Option<(Oid, String)>> {
    const RENAMED: &str = "
        SELECT r.relation, r.partition_name::text
        FROM dbguard.partition_retired r
        JOIN pg_class c ON c.oid = r.relation
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.parent = $1 AND r.home = $2 AND (n.nspname, c.relname) <> (r.partition_schema, r.partition_name)
        ORDER BY r.upper LIMIT 1";
    Spi::connect_mut(|client| {
        let args = [set.parent.into(), identity::database().into()];
        let Some(row) = client.update(Kept(RENAMED), Some(1), &args)?.next() else { return Ok(None) };
        Ok(row.get::<Oid>(1)?.zip(row.get::<String>(2)?))
    })
}

/// After retention was changed: what waits follows it, but goes no sooner than was said when it was detached.
pub fn follow(set: &Set) -> Result<()> {
    const FOLLOW: &str = "
        UPDATE dbguard.partition_retired
        SET retire_schema = $3::name, grace = greatest(grace, $4), due = greatest(due, left_at + $4)
        WHERE parent = $1 AND home = $2";
    let to = set.retention.schema.as_deref();
    write(FOLLOW, &[set.parent.into(), identity::database().into(), to.into(), set.retention.grace.into()])
}

/// All that is leaving or has left, with what was to become of it.
pub fn all(set: &Set) -> Result<Vec<(Partition, Retire)>> {
    const ALL: &str = "
        SELECT relation, (extract(epoch FROM lower - '2000-01-01 00:00:00'::timestamp) * 1000000)::int8,
               (extract(epoch FROM upper - '2000-01-01 00:00:00'::timestamp) * 1000000)::int8, retire
        FROM dbguard.partition_retired WHERE parent = $1 AND home = $2";
    Spi::connect_mut(|client| {
        let rows = client.update(Kept(ALL), None, &[set.parent.into(), identity::database().into()])?;
        rows.map(|row| Ok((partition(&row)?, Retire::parse(row.get::<&str>(4)?.unwrap_or_default())?)))
            .collect()
    })
}

/// From OID, lower and upper bound.
fn partition(row: &SpiHeapTupleData) -> Result<Partition> {
    let range = Range { from: row.get(2)?.unwrap_or(Micros::MIN), to: row.get(3)?.unwrap_or(Micros::MAX) };
    Ok(Partition { oid: row.get(1)?.unwrap_or(Oid::INVALID), range })
}

const DUE: &str = "
    SELECT c.oid, (extract(epoch FROM r.lower - '2000-01-01 00:00:00'::timestamp) * 1000000)::int8,
           (extract(epoch FROM r.upper - '2000-01-01 00:00:00'::timestamp) * 1000000)::int8,
           n.nspname::text, c.relname::text, c.relkind = 'f', r.retire, r.retire_schema::text
    FROM dbguard.partition_retired r
    JOIN pg_class c ON c.oid = r.relation AND c.relname = r.partition_name
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = r.partition_schema
    WHERE r.parent = $1 AND r.home = $2 AND r.due <= clock_timestamp() AND NOT c.relispartition
    ORDER BY r.due, r.upper";

/// Those whose time has come and that are as they were noted, the first to come first. As a write, to see
/// what other sessions have changed.
pub fn due(set: &Set) -> Result<Vec<Waiting>> {
    let args = [set.parent.into(), identity::database().into()];
    Spi::connect_mut(|client| client.update(Kept(DUE), None, &args)?.map(|row| waiting(&row)).collect())
}

/// The same for a plan, which must not write.
pub fn planned(set: &Set) -> Result<Vec<Waiting>> {
    let args = [set.parent.into(), identity::database().into()];
    Spi::connect(|client| client.select(Kept(DUE), None, &args)?.map(|row| waiting(&row)).collect())
}

fn waiting(row: &SpiHeapTupleData) -> Result<Waiting> {
    Ok(Waiting {
        partition: partition(row)?,
        schema: row.get(4)?.unwrap_or_default(),
        name: row.get(5)?.unwrap_or_default(),
        is_foreign: row.get(6)?.unwrap_or(false),
        retire: Retire::parse(row.get::<&str>(7)?.unwrap_or_default())?,
        to: row.get(8)?,
    })
}

/// The tables of which something was begun: a detach that was interrupted, or a partition that is due.
pub fn begun() -> Result<Vec<Oid>> {
    const BEGUN: &str = "
        SELECT inhparent FROM pg_inherits WHERE inhdetachpending
        UNION
        SELECT parent FROM dbguard.partition_retired r
        WHERE r.home = $1 AND (r.due IS NULL OR r.due <= clock_timestamp())";
    Spi::connect(|client| {
        let rows = client.select(BEGUN, None, &[identity::database().into()])?;
        Ok(rows.filter_map(|row| row.get::<Oid>(1).transpose()).collect::<std::result::Result<_, _>>()?)
    })
}
