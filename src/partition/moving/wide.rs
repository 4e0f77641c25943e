//! Partitions made on the way, wider than the grid, that are still to be divided: noted by OID, for users may rename
//! them, detach them or move them elsewhere before a later call finds them.

use super::build;
use super::source::rows;
use super::stage::Piece;
use crate::error::Result;
use crate::partition::config::write;
use crate::partition::set::Set;
use pgrx::pg_sys::Oid;

/// In the transaction that attaches them.
pub fn note<'a>(set: &Set, pieces: impl Iterator<Item = &'a Piece>) -> Result<()> {
    for piece in pieces {
        let table = (&*set.schema, &*piece.partition);
        build::note(set, "wide", build::oid(table.0, table.1)?, table)?;
    }
    Ok(())
}

/// Those that are partitions of the table, the latest first, with their names.
pub fn left(parent: Oid) -> Result<Vec<(Oid, String)>> {
    const LEFT: &str = "
        SELECT m.relation, c.relname::text FROM dbguard.partition_move m
        JOIN pg_inherits i ON i.inhrelid = m.relation AND i.inhparent = m.parent
        JOIN pg_class c ON c.oid = m.relation
        WHERE m.parent = $1 AND m.role = 'wide' ORDER BY m.table_name DESC";
    rows(LEFT, &[parent.into()], |row| Ok((row.get(1)?.unwrap_or_default(), row.get(2)?.unwrap_or_default())))
}

/// It is divided, or gone.
pub fn done(parent: Oid, partition: Oid) -> Result<()> {
    const DONE: &str =
        "DELETE FROM dbguard.partition_move WHERE parent = $1 AND relation = $2 AND role = 'wide'";
    write(DONE, &[parent.into(), partition.into()]).map(drop)
}

/// They stay as they are.
pub fn forget(parent: Oid) -> Result<()> {
    write("DELETE FROM dbguard.partition_move WHERE parent = $1 AND role = 'wide'", &[parent.into()])
        .map(drop)
}
