//! The tables that rows are copied into while nobody knows them, noted in dbguard.partition_move so that
//! what a killed session left is found and taken back.

use super::source::{Leaf, Source};
use super::survey::Part;
use crate::ddl::moving as ddl;
use crate::ddl::partition::{self, Blueprint};
use crate::error::Result;
use crate::partition::config::write;
use crate::partition::make::{self, exists};
use crate::partition::patience::{self, Waited};
use crate::partition::set::Set;
use crate::pg::user::{as_role, Fence};
use dbguard_core::partition::{civil, name, Micros};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A partition to be.
pub struct Piece {
    /// What it is called until it is one.
    pub name: String,
    /// What it is called then.
    pub partition: String,
    pub lower: Option<String>,
    pub upper: Option<String>,
    pub is_default: bool,
    pub rows: i64,
    /// The statements that make the table, and those that make indexes of its own.
    pub table: Vec<String>,
    pub indexes: Vec<String>,
}

impl Piece {
    pub fn bound(&self) -> String {
        match self.is_default {
            true => "DEFAULT".to_owned(),
            false => partition::values(self.lower.as_deref(), self.upper.as_deref()),
        }
    }
}

/// Everything that is made for one move.
pub struct Stage {
    pub pieces: Vec<Piece>,
    /// The parent of the pieces while they are filled, without indexes, and after that.
    pub filling: String,
    pub indexed: String,
    /// Keys of rows that changed: noted by the trigger, and taken up.
    pub noted: String,
    pub taken: String,
    /// What the source is called afterwards.
    pub old: String,
}

/// A name that nobody has: that of a table, and what follows it.
fn free((schema, table): ddl::Table, suffix: &str, chosen: &mut Vec<String>) -> Result<String> {
    let identity = format!("{schema}.{table} {suffix}");
    let name = name::fit(table, suffix, &identity, |name| {
        Ok::<_, crate::error::Error>(chosen.iter().any(|other| other == name) || exists(schema, name)?)
    })?;
    chosen.push(name.clone());
    Ok(name)
}

/// Chooses all names and statements; makes nothing.
pub fn plan(set: &Set, parent: &Blueprint, source: &Source, parts: Vec<Part>) -> Result<Stage> {
    let identity = format!("{}.{}", set.schema, set.name);
    let parent_table = (&*set.schema, &*set.name);
    let mut chosen = vec![];
    let old = free(source.table(), "_old", &mut chosen)?;
    let mut pieces = vec![];
    for part in parts {
        // the name of the source becomes free
        let taken = |name: &str, chosen: &[String]| -> Result<bool> {
            Ok(chosen.iter().any(|other| other == name)
                || (name != source.name || set.schema != source.schema) && exists(&set.schema, name)?)
        };
        let partition = match part.range.filter(|_| part.is_cell()) {
            Some(range) => name::choose(&set.grid, range, &set.name, &identity, |name| taken(name, &chosen))?,
            None => name::fit(&source.name, "", &identity, |name| taken(name, &chosen))?,
        };
        chosen.push(partition.clone());
        let name = match partition == source.name {
            true => free(parent_table, "_dbguard_rest", &mut chosen)?,
            false => partition.clone(),
        };
        let bound = |at: Option<Micros>| match at {
            None | Some(Micros::MIN | Micros::MAX) => Ok(None),
            Some(at) => civil::literal(set.grid.key, at).map(Some),
        };
        let children = make::parts(set, parent, &partition, &chosen)?;
        chosen.extend(children.iter().cloned());
        pieces.push(Piece {
            lower: bound(part.range.map(|range| range.from))?,
            upper: bound(part.range.map(|range| range.to))?,
            is_default: part.range.is_none(),
            rows: part.rows,
            table: partition::table(parent, &name, &children),
            indexes: partition::own_indexes(parent, &name),
            name,
            partition,
        });
    }
    Ok(Stage {
        pieces,
        filling: free(parent_table, "_dbguard_filling", &mut chosen)?,
        indexed: free(parent_table, "_dbguard_indexed", &mut chosen)?,
        noted: free(parent_table, "_dbguard_noted", &mut chosen)?,
        taken: free(parent_table, "_dbguard_taken", &mut chosen)?,
        old,
    })
}

/// Makes the tables, as the set's owner.
pub fn make(
    set: &Set,
    parent: &Blueprint,
    source: &Source,
    stage: &Stage,
    key: &[ddl::KeyColumn],
) -> Result<()> {
    const PARTITIONED_BY: &str = "SELECT pg_get_partkeydef($1)";
    let by = Spi::get_one_with_args::<String>(PARTITIONED_BY, &[set.parent.into()])?.unwrap_or_default();
    let (of, schema) = ((&*set.schema, &*set.name), &*set.schema);
    let works = [&stage.filling, &stage.indexed, &stage.noted, &stage.taken];
    as_role(set.owner, Fence::Restricted, || {
        crate::ddl::run(&ddl::stage(of, (schema, &stage.filling), &by, false))?;
        crate::ddl::run(&ddl::stage(of, (schema, &stage.indexed), &by, true))?;
        crate::ddl::run(&ddl::keys(of, (schema, &stage.noted), key))?;
        crate::ddl::run(&ddl::keys(of, (schema, &stage.taken), key))?;
        for table in works {
            // default privileges are for tables that are meant to be read
            for role in &parent.revoke {
                crate::ddl::run(&crate::ddl::audit::revoke_all("TABLE", schema, table, role.as_deref()))?;
            }
            let text = "Work of dbguard.partition_drain or partition_regrain; it goes with it";
            crate::ddl::run(&ddl::comment((schema, table), text))?;
        }
        for piece in &stage.pieces {
            piece.table.iter().try_for_each(|statement| crate::ddl::run(statement))?;
            let filling = (schema, &*stage.filling);
            crate::ddl::run(&partition::attach(filling, (schema, &piece.name), &piece.bound()))?;
            if !piece.is_default {
                crate::ddl::run(&ddl::add_bound((schema, &piece.name), &constraint(schema, &piece.name)?))?;
            }
        }
        Ok::<_, crate::error::Error>(())
    })?;
    note(set, "source", source.oid, source.table())?;
    let pieces = stage.pieces.iter().map(|piece| ("piece", &piece.name));
    let works = works.map(|name| (if *name == stage.noted { "keys" } else { "work" }, name));
    for (role, name) in works.into_iter().chain(pieces) {
        note(set, role, oid(schema, name)?, (schema, name))?;
    }
    Ok(())
}

/// What the server makes of the bounds of a partition.
fn constraint(schema: &str, name: &str) -> Result<String> {
    const CONSTRAINT: &str = "SELECT pg_get_partition_constraintdef($1)";
    let found = Spi::get_one_with_args::<String>(CONSTRAINT, &[oid(schema, name)?.into()])?;
    found.ok_or_else(|| crate::error::Error::internal("a partition without bounds"))
}

fn oid(schema: &str, name: &str) -> Result<Oid> {
    const OID: &str = "
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2";
    let found = Spi::connect_mut(|client| {
        let rows = client.update(OID, Some(1), &[schema.into(), name.into()])?;
        rows.into_iter().next().map_or(Ok(None), |row| row.get::<Oid>(1))
    })?;
    found.ok_or_else(|| {
        crate::error::Error::not_in_state(format!(
            "table \"{name}\" was dropped or renamed by another session"
        ))
        .hint("Call the procedure again.")
    })
}

fn note(set: &Set, role: &str, relation: Oid, (schema, name): ddl::Table) -> Result<()> {
    const NOTE: &str = "
        INSERT INTO dbguard.partition_move (parent, relation, role, schema_name, table_name)
        VALUES ($1, $2, $3, $4::name, $5::name)";
    write(NOTE, &[set.parent.into(), relation.into(), role.into(), schema.into(), name.into()]).map(drop)
}

/// What was noted is no longer work to be taken back.
pub fn forget(parent: Oid) -> Result<()> {
    write("DELETE FROM dbguard.partition_move WHERE parent = $1", &[parent.into()]).map(drop)
}

/// From here on every change of the source is noted. Whoever is writing is waited for: what they changed is
/// seen by whoever begins to copy after that.
pub fn capture(set: &Set, stage: &Stage, leaf: &Leaf, key: &[ddl::KeyColumn]) -> Result<()> {
    let numbers = numbers(leaf.oid, key)?;
    let create = ddl::capture(leaf.table(), (&set.schema, &stage.noted), &numbers);
    patience::steps(leaf.oid, &mut Waited::default(), || {
        as_role(set.owner, Fence::Restricted, || {
            crate::ddl::run(&create)?;
            crate::ddl::run(&ddl::capture_always(leaf.table()))
        })
    })
}

/// The numbers that the key's columns have in a leaf.
fn numbers(leaf: Oid, key: &[ddl::KeyColumn]) -> Result<Vec<i16>> {
    const NUMBERS: &str = "
        SELECT array_agg(a.attnum ORDER BY k.n)
        FROM unnest($2::text[]) WITH ORDINALITY k (name, n)
        JOIN pg_attribute a ON a.attrelid = $1 AND a.attname = k.name";
    let names: Vec<String> = key.iter().map(|column| column.name.clone()).collect();
    let found = Spi::get_one_with_args::<Vec<i16>>(NUMBERS, &[leaf.into(), names.into()])?;
    Ok(found.unwrap_or_default())
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
pub fn take_back(parent: Oid) -> Result<bool> {
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
        WHERE m.parent = $1 AND (m.role = 'source' OR (n.nspname, c.relname) = (m.schema_name, m.table_name))
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
