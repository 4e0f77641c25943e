//! Whether a table's owner has code of his own that the server runs while it detaches a partition.

use crate::error::Result;
use crate::pg::kept::Kept;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// DETACH CONCURRENTLY commits half-way, and what the owner's code sets of the session is then kept. The server
/// evaluates what is constant in the partition's CHECK constraints, to see whether they imply its bounds. Where a
/// foreign key refers to it a query looks for such rows: keys of its ancestors, policies, casts and indexes, also of
/// other tables, have their say in that.
pub fn runs_code(partition: Oid) -> Result<bool> {
    const CODE: &str = "
        SELECT EXISTS (
                 SELECT FROM pg_constraint c
                 JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
                 WHERE c.conrelid = $1 AND c.contype = 'c'
                   AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass))
            OR EXISTS (
                 SELECT FROM pg_partition_ancestors($1) a JOIN pg_constraint k ON k.confrelid = a.relid
                 WHERE k.contype = 'f')";
    let found = Spi::connect(|client| {
        client.select(Kept(CODE), Some(1), &[partition.into()])?.first().get_one::<bool>()
    })?;
    Ok(found != Some(false))
}
