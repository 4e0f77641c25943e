//! What is stored: the sets and the log of runs. Written with the rights of the extension's owner,
//! after the caller's own rights were checked; everybody may read both.

use super::patience::Waited;
use super::retention::Retention;
use super::set::{self, Options, Registered, State};
use crate::error::{Error, Result};
use crate::pg::kept::Kept;
use crate::pg::notify;
use crate::pg::user::{as_role, Fence};
use crate::settings::PARTITION_NOTIFY;
use dbguard_core::partition::{civil, Key};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::CString;

/// Runs one statement on a table of the extension.
pub fn write(sql: &str, args: &[DatumWithOid]) -> Result<usize> {
    let owner = crate::catalog::extension_owner()?;
    as_role(owner, Fence::Local, || {
        Spi::connect_mut(|client| Ok(client.update(Kept(sql), None, args)?.len()))
    })
}

pub fn add(parent: pg_sys::Oid, schema: &str, name: &str, options: &Options) -> Result<()> {
    write(
        "INSERT INTO dbguard.partition_set (schema_name, table_name, parent, home, every, ahead, zone,
                                            anchor, key_unit)
         VALUES ($1::name, $2::name, $3, $4, $5, $6, $7, $8::timestamp, $9)",
        &[
            schema.into(),
            name.into(),
            parent.into(),
            crate::pg::identity::database().into(),
            options.every.into(),
            options.ahead.into(),
            options.zone.as_str().into(),
            anchor(options)?.into(),
            options.key_unit.as_deref().into(),
        ],
    )?;
    Ok(())
}

/// The anchor as a text that any DateStyle reads alike.
fn anchor(options: &Options) -> Result<Option<String>> {
    Ok(options.anchor.map(|at| civil::literal(Key::Timestamp, at)).transpose()?)
}

/// Changes the options of the set stored under a name.
pub fn change(schema: &str, name: &str, options: &Options) -> Result<()> {
    write(
        "UPDATE dbguard.partition_set SET every = $3, ahead = $4, zone = $5,
                anchor = $6::timestamp, key_unit = $7
         WHERE schema_name = $1::name AND table_name = $2::name",
        &[
            schema.into(),
            name.into(),
            options.every.into(),
            options.ahead.into(),
            options.zone.as_str().into(),
            anchor(options)?.into(),
            options.key_unit.as_deref().into(),
        ],
    )?;
    Ok(())
}

/// Changes the retention of the set stored under a name.
pub fn retain(schema: &str, name: &str, retention: &Retention) -> Result<()> {
    write(
        "UPDATE dbguard.partition_set
         SET retain = $3, retain_bytes = $4, retain_at_least = $5, retire = $6, retire_schema = $7::name, grace = $8,
             archive_schema = $9::name, archive_name = $10::name
         WHERE schema_name = $1::name AND table_name = $2::name",
        &[
            schema.into(),
            name.into(),
            retention.retain.into(),
            retention.most_bytes.into(),
            retention.at_least.into(),
            retention.retire.word().into(),
            retention.schema.as_deref().into(),
            retention.grace.into(),
            retention.archive.as_ref().map(|(schema, _)| schema.as_str()).into(),
            retention.archive.as_ref().map(|(_, name)| name.as_str()).into(),
        ],
    )?;
    Ok(())
}

/// What waits to be dropped stays as a table.
pub fn remove(schema: &str, name: &str) -> Result<()> {
    write(
        "WITH removed AS (
           DELETE FROM dbguard.partition_set WHERE schema_name = $1::name AND table_name = $2::name
           RETURNING parent, home)
         DELETE FROM dbguard.partition_retired r USING removed s WHERE r.parent = s.parent AND r.home = s.home",
        &[schema.into(), name.into()],
    )?;
    Ok(())
}

/// Keeps other sessions from a set until this transaction ends; false when one is at it. As a write, so that
/// what is read after it is read anew.
pub fn lock(schema: &str, name: &str) -> Result<bool> {
    const LOCK: &str = "
        SELECT FROM dbguard.partition_set WHERE schema_name = $1::name AND table_name = $2::name
        FOR UPDATE SKIP LOCKED";
    Ok(write(LOCK, &[schema.into(), name.into()])? > 0)
}

/// Forgets sets whose table is gone, then stores names and OIDs as they are now: in this order, for
/// a table may have taken the name of one that is gone. What another session is at is left for the next run.
/// Whether anything is stored otherwise now.
pub fn tidy(run: i64, sets: &[Registered]) -> Result<bool> {
    for Registered { schema, name, state, .. } in sets {
        if matches!(state, State::Gone) && lock(schema, name)? {
            remove(schema, name)?;
            let note = Some("the table is gone; the set was removed".to_owned());
            let entry = Entry { schema: Some(schema), table: Some(name), note, ..Entry::default() };
            log(run, "forget", "done", entry)?;
        }
    }
    if !sets.iter().any(|set| set.moved) {
        return Ok(false);
    }
    let follow = ",
moved AS MATERIALIZED (
  SELECT k.schema_name, k.table_name, n.nspname, c.relname, c.oid
  FROM known k JOIN pg_class c ON c.oid = k.found JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (k.schema_name, k.table_name, k.parent, k.home) IS DISTINCT FROM (n.nspname, c.relname, c.oid, $1)
), free AS MATERIALIZED (
  SELECT s.schema_name, s.table_name FROM dbguard.partition_set s
  WHERE (s.schema_name, s.table_name) IN (SELECT schema_name, table_name FROM moved)
  FOR UPDATE SKIP LOCKED
)
UPDATE dbguard.partition_set s
SET schema_name = m.nspname, table_name = m.relname, parent = m.oid, home = $1
FROM moved m JOIN free f USING (schema_name, table_name)
WHERE s.schema_name = m.schema_name AND s.table_name = m.table_name";
    write(&format!("{}{follow}", set::KNOWN), &set::every(&crate::pg::identity::database()))?;
    Ok(true)
}

/// Rows of runs long past go; so does what waited in the database that this one is a copy of.
pub fn purge() -> Result<()> {
    write("DELETE FROM dbguard.partition_run WHERE at < now() - '30 days'::interval", &[])?;
    let home = crate::pg::identity::database();
    write("DELETE FROM dbguard.partition_retired WHERE home <> $1", &[home.into()])?;
    Ok(())
}

/// A number for a new run.
pub fn begin_run() -> Result<i64> {
    let owner = crate::catalog::extension_owner()?;
    let number = as_role(owner, Fence::Local, || {
        Spi::connect_mut(|client| {
            client
                .update("SELECT nextval('dbguard.partition_run_number'::regclass)", None, &[])?
                .first()
                .get_one::<i64>()
        })
    })?;
    number.ok_or_else(|| Error::internal("no number for the run"))
}

/// One thing a run did, or failed to do.
#[derive(Default)]
pub struct Entry<'a> {
    pub schema: Option<&'a str>,
    pub table: Option<&'a str>,
    pub partition: Option<&'a str>,
    pub lower: Option<&'a str>,
    pub upper: Option<&'a str>,
    pub error: Option<&'a Error>,
    pub note: Option<String>,
    /// How often locks were tried for, and who was in the way.
    pub waited: Option<&'a Waited>,
}

pub fn log(run: i64, action: &str, state: &str, entry: Entry) -> Result<()> {
    if PARTITION_NOTIFY.get() {
        announce(action, state, &entry);
    }
    let message = entry.error.map(|e| e.message().to_owned()).or(entry.note);
    write(
        "INSERT INTO dbguard.partition_run
           (run, action, state, schema_name, table_name, partition_name, lower, upper, sqlstate, message, hint,
            tries, blockers)
         VALUES ($1, $2, $3, $4::name, $5::name, $6::name, $7, $8, $9, $10, $11, $12, $13)",
        &[
            run.into(),
            action.into(),
            state.into(),
            entry.schema.into(),
            entry.table.into(),
            entry.partition.into(),
            entry.lower.into(),
            entry.upper.into(),
            entry.error.map(Error::sqlstate).into(),
            message.into(),
            entry.error.and_then(Error::hint_text).into(),
            entry.waited.map(|waited| waited.tries).into(),
            entry.waited.and_then(|waited| waited.blockers.as_deref()).into(),
        ],
    )?;
    Ok(())
}

/// Tells whoever listens, when this transaction commits, what became of a partition. That there was
/// nothing to do is no news.
fn announce(action: &str, state: &str, entry: &Entry) {
    if action == "run" || state == "skipped" || (entry.partition.is_none() && state != "failed") {
        return;
    }
    let payload = serde_json::json!({
        "schema": entry.schema, "table": entry.table, "partition": entry.partition, "action": action, "state": state,
    });
    // three names of 63 bytes, whatever has to be escaped, are far below the 8000 bytes there are
    if let Ok(payload) = CString::new(payload.to_string()) {
        notify::notify(c"dbguard_partition", &payload);
    }
}
