//! What would keep a partition from being dropped or moved once it is detached. Looked at before it leaves: it
//! must not end up nowhere.

use super::Step;
use crate::error::{Error, Result};
use crate::partition::make;
use crate::partition::retention::Retire;
use crate::partition::set::Set;
use crate::pg::kept::Kept;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// An error if there is something in the way.
pub fn look(set: &Set, step: &Step) -> Result<()> {
    match (set.retention.retire, &set.retention.schema) {
        (Retire::Drop, _) => {
            owned(set, step)?;
            independent(step)
        }
        (Retire::Move, Some(to)) if *to != step.schema => {
            owned(set, step)?;
            room(set, to, &step.name)
        }
        _ => Ok(()),
    }
}

fn owned(set: &Set, step: &Step) -> Result<()> {
    const OWNED: &str = "SELECT pg_has_role($2, relowner, 'USAGE') FROM pg_class WHERE oid = $1";
    match ask(OWNED, step.partition.oid, set.owner)? {
        Some(false) => Err(Error::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("partition \"{}\" belongs to another role than \"{}\"", step.name, set.name),
        )
        .hint("Give it to the owner of the table: ALTER TABLE ... OWNER TO.")),
        _ => Ok(()),
    }
}

/// What DROP would refuse: whatever needs the partition or a part of it and does not belong to it. The copies
/// that it has of its parent's foreign keys are looked at when it is detached.
fn independent(step: &Step) -> Result<()> {
    const NEEDS: &str = "
        WITH tree AS (
          SELECT c.oid, c.reltype FROM pg_partition_tree($1) t JOIN pg_class c ON c.oid = t.relid
        ), needed AS (
          SELECT d.classid, d.objid
          FROM tree t JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.deptype = 'n'
          UNION
          SELECT d.classid, d.objid
          FROM tree t JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = t.reltype AND d.deptype = 'n'
        )
        SELECT string_agg(pg_describe_object(classid, objid, 0), ', ' ORDER BY objid) FROM needed n
        WHERE NOT EXISTS (SELECT FROM pg_depend d JOIN tree t ON t.oid = d.refobjid
                          WHERE d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                            AND d.classid = n.classid AND d.objid = n.objid)
          AND NOT (classid = 'pg_constraint'::regclass
                   AND objid IN (SELECT oid FROM pg_constraint WHERE conparentid <> 0))";
    let needs = Spi::connect(|client| {
        client.select(Kept(NEEDS), Some(1), &[step.partition.oid.into()])?.first().get_one::<String>()
    })?;
    match needs {
        None => Ok(()),
        Some(needs) => Err(Error::new(
            PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot drop partition \"{}\" because other objects depend on it", step.name),
        )
        .detail(format!("These need it: {needs}."))
        .hint("Drop them: the partition stays where it is until then.")),
    }
}

/// Whether there is a place for it.
fn room(set: &Set, to: &str, name: &str) -> Result<()> {
    const MAY: &str = "SELECT has_schema_privilege($2, oid, 'CREATE') FROM pg_namespace WHERE oid = $1";
    const SCHEMA: &str = "SELECT oid FROM pg_namespace WHERE nspname = $1::name";
    let schema = Spi::connect(|client| {
        let mut rows = client.select(Kept(SCHEMA), Some(1), &[to.into()])?;
        rows.next().map_or(Ok(None), |row| row.get::<Oid>(1))
    })?;
    let Some(schema) = schema else {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
            format!("schema \"{to}\" does not exist"),
        )
        .hint("Create it: the partition stays where it is until then."));
    };
    if ask(MAY, schema, set.owner)? != Some(true) {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for schema {to}"),
        )
        .detail("The table's owner must be allowed to create tables in it.")
        .hint("Grant it: the partition stays where it is until then."));
    }
    if make::exists(to, name)? {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE,
            format!("relation \"{name}\" already exists in schema \"{to}\""),
        )
        .hint("Rename or remove it: the partition stays where it is until then."));
    }
    Ok(())
}

fn ask(query: &str, object: Oid, role: Oid) -> Result<Option<bool>> {
    Ok(Spi::connect(|client| {
        client.select(Kept(query), Some(1), &[object.into(), role.into()])?.first().get_one::<bool>()
    })?)
}
