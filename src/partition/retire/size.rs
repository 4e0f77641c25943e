//! How large partitions are.

use crate::error::{Error, Result};
use crate::partition::patience::is_held;
use crate::partition::set::{Partition, Set};
use crate::pg::guc;
use crate::pg::kept::Kept;
use crate::pg::subxact::subtransaction;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;
use std::collections::HashMap;

/// What each partition takes with all that belongs to it. The server locks what it measures: where somebody
/// has locked a partition against readers he is not waited for.
pub fn of(set: &Set, partitions: &[Partition]) -> Result<HashMap<Oid, i64>> {
    const SIZES: &str = "
        SELECT p.oid, (SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(p.oid) t)::int8
        FROM unnest($1) p (oid)";
    let oids: Vec<Oid> = partitions.iter().map(|partition| partition.oid).collect();
    let measure = || {
        Spi::connect(|client| {
            let rows = client.select(SIZES, None, &[oids.clone().into()])?;
            let size = |row: SpiHeapTupleData| Ok::<_, Error>((row.get::<Oid>(1)?, row.get::<i64>(2)?));
            let sizes = rows.map(size).collect::<Result<Vec<_>>>()?;
            Ok(sizes.into_iter().filter_map(|(oid, size)| oid.zip(size)).collect())
        })
    };
    guc::with(&[(c"lock_timeout", c"100ms")], || subtransaction(measure)).map_err(|e| match is_held(&e) {
        true => Error::new(e.code(), format!("the partitions of \"{}\" cannot be measured", set.name))
            .detail("Another session has locked one of them.")
            .hint("Try again when it has ended its transaction: see pg_locks."),
        false => e,
    })
}

/// Of how many relations a partition consists: its own partitions and all their indexes with it. Dropping
/// them takes time.
pub fn relations(partition: Oid) -> Result<i64> {
    const RELATIONS: &str = "
        SELECT count(*) FROM pg_partition_tree($1) t
        CROSS JOIN LATERAL (SELECT t.relid UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = t.relid) r";
    let count = Spi::connect(|client| {
        client.select(Kept(RELATIONS), Some(1), &[partition.into()])?.first().get_one::<i64>()
    })?;
    Ok(count.unwrap_or(0))
}
