//! What was begun and is not ended: dbguard.partition_retired. Written with the rights of the extension's
//! owner.

use crate::catalog::extension_owner;
use crate::error::Result;
use crate::partition::retention::Retire;
use crate::partition::set::Set;
use crate::pg::identity;
use crate::pg::kept::Kept;
use crate::pg::user::{as_role, Fence};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A detached partition that waits to be dropped or moved.
pub struct Waiting {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub retire: Retire,
    /// Where to.
    pub to: Option<String>,
}

fn write(sql: &str, args: &[DatumWithOid]) -> Result<()> {
    as_role(extension_owner()?, Fence::Local, || {
        Ok(Spi::connect_mut(|client| client.update(Kept(sql), None, args).map(drop))?)
    })
}

/// That `partition` is about to leave, and what becomes of it then.
pub fn leaving(set: &Set, partition: (Oid, &str, &str)) -> Result<()> {
    const LEAVING: &str = "
        INSERT INTO dbguard.partition_retired
          (schema_name, table_name, partition_schema, partition_name, relation, home, retire, retire_schema, grace, pid, backend_start)
        SELECT $1::name, $2::name, $3::name, $4::name, $5, $6, $7, $8::name, $9, a.pid, a.backend_start
        FROM pg_stat_get_activity(pg_backend_pid()) a";
    let (oid, schema, name) = partition;
    let retention = &set.retention;
    write(
        LEAVING,
        &[
            set.schema.as_str().into(),
            set.name.as_str().into(),
            schema.into(),
            name.into(),
            oid.into(),
            identity::database().into(),
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
    let args = [waiting.oid.into(), waiting.schema.as_str().into(), waiting.name.as_str().into()];
    let free =
        Spi::connect_mut(|client| client.update(Kept(FREE), Some(1), &args)?.first().get_one::<bool>())?;
    Ok(free == Some(true))
}

/// Forgets what is gone, and what a killed run left behind: what did not leave is looked at anew, and what did
/// without being noted so stays as a table, since it may have been detached by somebody who wants to keep it.
pub fn tidy(set: &Set) -> Result<()> {
    const GONE: &str = "
        DELETE FROM dbguard.partition_retired r
        WHERE r.schema_name = $1::name AND r.table_name = $2::name AND r.home = $3
          AND (NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = r.relation)
               OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = r.relation)
               OR r.left_at IS NULL)";
    write(GONE, &[set.schema.as_str().into(), set.name.as_str().into(), identity::database().into()])
}

/// The first of those whose time has come, without those given up.
pub fn due(set: &Set, given_up: &[Oid]) -> Result<Option<Waiting>> {
    const DUE: &str = "
        SELECT c.oid, n.nspname::text, c.relname::text, r.retire, r.retire_schema::text
        FROM dbguard.partition_retired r
        JOIN pg_class c ON c.oid = r.relation
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.schema_name = $1::name AND r.table_name = $2::name AND r.home = $3 AND r.due <= clock_timestamp()
          AND NOT r.relation = ANY ($4)
        ORDER BY r.due LIMIT 1";
    let args = [
        set.schema.as_str().into(),
        set.name.as_str().into(),
        identity::database().into(),
        given_up.to_vec().into(),
    ];
    Spi::connect_mut(|client| {
        let Some(row) = client.update(Kept(DUE), Some(1), &args)?.next() else { return Ok(None) };
        Ok(Some(Waiting {
            oid: row.get(1)?.unwrap_or(Oid::INVALID),
            schema: row.get(2)?.unwrap_or_default(),
            name: row.get(3)?.unwrap_or_default(),
            retire: Retire::parse(row.get::<&str>(4)?.unwrap_or_default())?,
            to: row.get(5)?,
        }))
    })
}

/// The tables of which something was begun: a detach that was interrupted, or a partition that is due.
pub fn begun() -> Result<Vec<Oid>> {
    const BEGUN: &str = "
        SELECT inhparent FROM pg_inherits WHERE inhdetachpending
        UNION
        SELECT s.parent FROM dbguard.partition_retired r JOIN dbguard.partition_set s USING (schema_name, table_name, home)
        WHERE r.home = $1 AND (r.due IS NULL OR r.due <= clock_timestamp())";
    Spi::connect(|client| {
        let rows = client.select(BEGUN, None, &[identity::database().into()])?;
        Ok(rows.filter_map(|row| row.get::<Oid>(1).transpose()).collect::<std::result::Result<_, _>>()?)
    })
}
