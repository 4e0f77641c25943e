//! What a move that came to no end has left: found in dbguard.partition_move, and taken back.

use crate::ddl::moving as ddl;
use crate::error::Result;
use crate::partition::config::write;
use crate::partition::patience::{self, Waited};
use crate::pg::relation::Relation;
use crate::pg::user::{as_role, Fence};
use dbguard_core::quote::qualified;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// What was noted is no longer work to be taken back.
pub fn forget(parent: Oid) -> Result<()> {
    write("DELETE FROM dbguard.partition_move WHERE parent = $1 AND role <> 'wide'", &[parent.into()])
        .map(drop)
}

/// A relation that was noted and is still there under its name.
struct Left {
    oid: Oid,
    role: String,
    schema: String,
    name: String,
    owner: Oid,
}

/// Removes what an earlier move left. Whether there was anything.
pub fn take_back(table: &Relation) -> Result<bool> {
    let parent = table.oid;
    note_dumped(table)?;
    let was = !left(parent)?.is_empty();
    remove_copies(parent)?;
    release(parent)?;
    Ok(was)
}

/// What was copied, which nobody else knows.
pub fn remove_copies(parent: Oid) -> Result<()> {
    remove(parent, &["work", "piece"])
}

/// The trigger, and only then the table it writes to. It takes a lock that a reader of the source holds up.
pub fn release(parent: Oid) -> Result<()> {
    for source in left(parent)?.iter().filter(|one| one.role == "source") {
        for (oid, owner, schema, name) in captured(source.oid)? {
            let statement = ddl::drop_capture((&schema, &name));
            patience::steps(oid, &mut Waited::default(), || {
                as_role(owner, Fence::Restricted, || crate::ddl::run(&statement))
            })?;
        }
    }
    remove(parent, &["keys"])?;
    forget(parent)
}

fn remove(parent: Oid, roles: &[&str]) -> Result<()> {
    for one in left(parent)?.iter().filter(|one| roles.contains(&&*one.role)) {
        // a partition goes with its parent
        if crate::pg::relation::exists(&one.schema, &one.name) {
            let statement = ddl::drop((&one.schema, &one.name));
            patience::steps(one.oid, &mut Waited::default(), || {
                as_role(one.owner, Fence::Restricted, || crate::ddl::run(&statement))
            })?;
        }
    }
    Ok(())
}

/// Parents of pieces first: they take their partitions along.
fn left(parent: Oid) -> Result<Vec<Left>> {
    const LEFT: &str = "
        SELECT c.oid, m.role, n.nspname::text, c.relname::text, c.relowner
        FROM dbguard.partition_move m
        JOIN pg_class c ON c.oid = m.relation
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE m.parent = $1 AND m.role <> 'wide' AND (m.role = 'source' OR (n.nspname, c.relname) = (m.schema_name, m.table_name))
        ORDER BY m.role <> 'work', c.oid";
    Spi::connect_mut(|client| {
        let mut left = vec![];
        for row in client.update(LEFT, None, &[parent.into()])? {
            let (Some(oid), Some(owner)) = (row.get(1)?, row.get(5)?) else { continue };
            left.push(Left {
                oid,
                role: row.get(2)?.unwrap_or_default(),
                schema: row.get(3)?.unwrap_or_default(),
                name: row.get(4)?.unwrap_or_default(),
                owner,
            });
        }
        Ok(left)
    })
}

/// The tables of a source that still have the trigger: OID, owner, schema and name.
fn captured(source: Oid) -> Result<Vec<(Oid, Oid, String, String)>> {
    const CAPTURED: &str = "
        SELECT c.oid, c.relowner, n.nspname::text, c.relname::text
        FROM (SELECT $1 AS relid UNION SELECT relid FROM pg_partition_tree($1)) t
        JOIN pg_trigger g ON g.tgrelid = t.relid AND g.tgfoid = 'dbguard.partition_capture()'::regprocedure
        JOIN pg_class c ON c.oid = t.relid
        JOIN pg_namespace n ON n.oid = c.relnamespace";
    Spi::connect_mut(|client| {
        let mut tables = vec![];
        for row in client.update(CAPTURED, None, &[source.into()])? {
            let (Some(oid), Some(owner)) = (row.get(1)?, row.get(2)?) else { continue };
            tables.push((oid, owner, row.get(3)?.unwrap_or_default(), row.get(4)?.unwrap_or_default()));
        }
        Ok(tables)
    })
}

/// The comment by which a table of a move is known where dbguard.partition_move does not know it.
pub fn work_of((schema, table): ddl::Table) -> String {
    let of = qualified(schema, table);
    format!("Work of dbguard.partition_drain or partition_regrain of {of}; it goes with it")
}

/// A dump taken meanwhile brings tables and the trigger along, but not what was noted of them. The tables go
/// like that of keys, after the trigger.
fn note_dumped(table: &Relation) -> Result<()> {
    const NOTE: &str = "
        INSERT INTO dbguard.partition_move (parent, relation, role, schema_name, table_name)
        SELECT $1, c.oid, 'keys', n.nspname, c.relname
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relowner = $2 AND c.relkind IN ('r', 'p') AND obj_description(c.oid, 'pg_class') = $3
          AND NOT EXISTS (SELECT FROM dbguard.partition_move m WHERE m.relation = c.oid)
        UNION ALL
        SELECT $1, $1, 'source', $4::name, $5::name
        FROM pg_trigger g
        WHERE g.tgrelid IN (SELECT relid FROM pg_partition_tree($1))
          AND g.tgfoid = 'dbguard.partition_capture()'::regprocedure
          AND NOT EXISTS (SELECT FROM dbguard.partition_move m WHERE m.parent = $1 AND m.role = 'source')
        ON CONFLICT DO NOTHING";
    let (schema, name) = (&*table.schema, &*table.name);
    write(
        NOTE,
        &[table.oid.into(), table.owner.into(), work_of((schema, name)).into(), schema.into(), name.into()],
    )
    .map(drop)
}
