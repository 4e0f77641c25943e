//! One partition: its name, its statements, and the patience to attach it.

use super::set::Set;
use crate::ddl::partition::{self as ddl, Blueprint};
use crate::error::Result;
use crate::pg::subxact::subtransaction;
use crate::pg::user::{as_role, Fence};
use dbguard_core::partition::{civil, name, Range};
use pgrx::prelude::*;
use std::ffi::CString;
use std::time::{Duration, Instant};

/// A partition to make, with everything known before anything is done.
pub struct Step {
    pub name: String,
    pub lower: String,
    pub upper: String,
    pub statements: Vec<String>,
}

/// What making `range` takes. `chosen` are names given to other ranges that are not made yet.
pub fn step(set: &Set, parent: &Blueprint, range: Range, chosen: &[String]) -> Result<Step> {
    let identity = format!("{}.{}", set.schema, set.name);
    let taken = |name: &str| -> Result<bool> {
        Ok(chosen.iter().any(|other| other == name) || exists(&set.schema, name)?)
    };
    let name = name::choose(&set.grid, range, &set.name, &identity, taken)?;
    let (lower, upper) = civil::literals(set.grid.key, range)?;
    let statements = ddl::make(parent, &name, &lower, &upper);
    Ok(Step { name, lower, upper, statements })
}

/// Makes it, as the table's owner.
pub fn make(set: &Set, parent: &Blueprint, step: &Step) -> Result<()> {
    let made = patiently(|| {
        as_role(set.owner, Fence::Restricted, || {
            for statement in &step.statements {
                Spi::run(statement)?;
            }
            if parent.replica_identity == 'i' {
                take_replica_identity(set, step)?;
            }
            Ok(())
        })
    });
    made.map_err(|e| match e.code() {
        PgSqlErrorCode::ERRCODE_CHECK_VIOLATION => {
            e.hint("Move the rows of this range out of the default partition.")
        }
        _ => e,
    })
}

/// Runs `f` in a subtransaction. What others hold is waited for in short steps, each leaving nothing
/// locked, so that nobody queues behind us for longer than one of them.
pub fn patiently(f: impl Fn() -> Result<()>) -> Result<()> {
    const BUDGET: Duration = Duration::from_secs(10);
    let started = Instant::now();
    for attempt in 1.. {
        let patience = [20, 50, 100, 200].get(attempt - 1).copied().unwrap_or(200);
        let timeout = CString::new(format!("{patience}ms")).unwrap_or_default();
        match crate::pg::guc::with(&[(c"lock_timeout", &timeout)], || subtransaction(&f)) {
            Err(e)
                if e.code() == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE && started.elapsed() < BUDGET =>
            {
                sleep((50 * attempt).min(500))?;
            }
            other => return other,
        }
    }
    Ok(())
}

/// The partition's own index that belongs to the parent's replica identity index.
fn take_replica_identity(set: &Set, step: &Step) -> Result<()> {
    let index = Spi::connect_mut(|client| {
        client
            .update(
                "SELECT ci.relname::text
                 FROM pg_index p
                 JOIN pg_inherits i ON i.inhparent = p.indexrelid
                 JOIN pg_index x ON x.indexrelid = i.inhrelid
                 JOIN pg_class ci ON ci.oid = x.indexrelid
                 JOIN pg_class t ON t.oid = x.indrelid
                 JOIN pg_namespace n ON n.oid = t.relnamespace
                 WHERE p.indrelid = $1 AND p.indisreplident AND n.nspname = $2 AND t.relname = $3",
                None,
                &[set.parent.into(), set.schema.as_str().into(), step.name.as_str().into()],
            )?
            .next()
            .map_or(Ok(None), |row| row.get::<String>(1))
    })?;
    if let Some(index) = index {
        Spi::run(&ddl::replica_identity_index(&set.schema, &step.name, &index))?;
    }
    Ok(())
}

/// Whether a relation or a type of this name would be in the way.
pub fn exists(schema: &str, name: &str) -> Result<bool> {
    let found = Spi::connect(|client| {
        client
            .select(
                "SELECT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = $2)
                     OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid AND t.typname = $2)
                 FROM pg_namespace n WHERE n.nspname = $1",
                None,
                &[schema.into(), name.into()],
            )?
            .first()
            .get_one::<bool>()
    })?;
    Ok(found.unwrap_or(false))
}

fn sleep(milliseconds: usize) -> Result<()> {
    Spi::connect(|client| {
        client.select("SELECT pg_sleep($1 / 1000.0)", None, &[(milliseconds as i32).into()])?;
        Ok(())
    })
}
