//! audit_redact: erases values from the history of one row, and leaves a record of it.

use super::chain;
use super::guard;
use super::life::{self, Change};
use super::seal;
use crate::audit::choose::audited;
use crate::audit::read::key;
use crate::audit::store::lineage;
use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::identity;
use crate::pg::jsonb::Jsonb;
use crate::pg::relation::Relation;
use dbguard_core::pack;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_redact(
    relation: Option<Oid>,
    key: Option<&str>,
    columns: Option<Vec<Option<String>>>,
    reason: Option<&str>,
    dry_run: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(id, i64),
            name!(at, TimestampWithTimeZone),
            name!(op, &'static str),
            name!(table, String),
            name!(row_key, Option<String>),
            name!(redacted, Vec<String>),
        ),
    >,
    ErrorReport,
> {
    let changes = redact(relation, key, columns, reason, dry_run)?;
    let row = |c: Change| (c.id, c.at, c.op_word(), c.table.clone(), c.key(), c.columns);
    Ok(TableIterator::new(changes.into_iter().map(row)))
}

/// What is to be erased from the history of a table, and why; `key` says of which row, or what else it was.
pub struct Order<'a> {
    pub schema: &'a str,
    pub name: &'a str,
    pub lineage: i32,
    pub key: &'a str,
    pub columns: &'a [String],
    pub reason: &'a str,
}

fn redact(
    relation: Option<Oid>,
    key: Option<&str>,
    columns: Option<Vec<Option<String>>>,
    reason: Option<&str>,
    dry_run: Option<bool>,
) -> Result<Vec<Change>> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let key = key.ok_or_else(|| Error::null_argument("key"))?;
    let columns: Option<Vec<String>> =
        columns.ok_or_else(|| Error::null_argument("columns"))?.into_iter().collect();
    let columns = columns
        .ok_or_else(|| Error::null_argument("columns").detail("The array has an element that is null."))?;
    let reason = reason.ok_or_else(|| Error::null_argument("reason"))?;
    let dry_run = dry_run.ok_or_else(|| Error::null_argument("dry_run"))?;
    if columns.is_empty() {
        return Err(
            Error::invalid_parameter("no columns to redact").hint("Name the columns whose values are to go.")
        );
    }
    if reason.trim().is_empty() {
        return Err(Error::invalid_parameter("no reason to redact")
            .hint("Say why: it is kept in dbguard.audit_redaction."));
    }
    chain::need_log()?;
    let table = catalog::relation(relation)?;
    let lineage = lineage::of(&table, &audited::home(&table))?.ok_or_else(|| {
        Error::not_in_state(format!("the audit log knows nothing of table \"{}\"", table.name))
    })?;
    check_columns(&table, lineage, &columns)?;
    let wanted = key::find(relation, key)?;
    if !dry_run {
        seal::lock_chain()?;
    }
    let mut changes = match &wanted {
        Some(wanted) => life::of_key(lineage, wanted, &columns)?,
        None => life::of_values(lineage, key, &columns)?,
    };
    changes.retain(|change| !change.columns.is_empty());
    if !dry_run && !changes.is_empty() {
        let key = wanted.as_deref().unwrap_or(key);
        let (schema, name) = (&*table.schema, &*table.name);
        erase(&Order { schema, name, lineage, key, columns: &columns, reason }, &changes)?;
    }
    Ok(changes)
}

/// Columns the table has or had; none that names a row.
fn check_columns(table: &Relation, lineage: i32, columns: &[String]) -> Result<()> {
    const KNOWN: &str = "
        SELECT coalesce(bool_or(columns ? $2), false), coalesce(bool_or($2::name = ANY (key_columns)), false)
        FROM dbguard.audit_relation WHERE lineage = $1";
    for column in columns {
        let (known, in_key) = Spi::connect(|client| {
            let args = [lineage.into(), column.as_str().into()];
            client.select(KNOWN, Some(1), &args)?.first().get_two::<bool, bool>()
        })?;
        if in_key == Some(true) || table.key().contains(column) {
            return Err(Error::invalid_parameter(format!("column \"{column}\" is part of the primary key"))
                .detail("The log names a row by its key.")
                .hint("Redact other columns."));
        }
        if known != Some(true) && !table.columns.iter().any(|c| c.name == *column) {
            return Err(Error::undefined_column(column, &table.name));
        }
    }
    Ok(())
}

pub fn erase(order: &Order, changes: &[Change]) -> Result<()> {
    let ids: Vec<i64> = changes.iter().filter(|c| c.pack.is_none()).map(|c| c.id).collect();
    let mut packs: Vec<i64> = changes.iter().filter_map(|c| c.pack).collect();
    packs.dedup();
    erase_single(order, &ids)?;
    for pack in &packs {
        let of_pack = changes.iter().filter(|c| c.pack == Some(*pack));
        erase_packed(order, *pack, of_pack.map(|c| (c.id - pack) as i32).collect())?;
    }
    note(order, changes, packs)
}

fn erase_single(order: &Order, ids: &[i64]) -> Result<()> {
    const ERASE: &str = "
        UPDATE dbguard.audit_change
        SET old = dbguard._audit_redacted(old, $3), new = dbguard._audit_redacted(new, $3)
        WHERE id = ANY ($2) AND relation = ANY (SELECT id FROM dbguard.audit_relation WHERE lineage = $1)";
    if ids.is_empty() {
        return Ok(());
    }
    let args = [order.lineage.into(), ids.to_vec().into(), order.columns.to_vec().into()];
    guard::allow_update(|| Spi::connect_mut(|client| client.update(ERASE, None, &args).map(|_| ())))?;
    Ok(())
}

/// `numbers`: which of the pack's changes.
fn erase_packed(order: &Order, id: i64, numbers: Vec<i32>) -> Result<()> {
    const READ: &str = "
        SELECT u.op::text, u.key, u.old_key,
               CASE WHEN u.number = ANY ($2) THEN dbguard._audit_redacted(u.old, $3) ELSE u.old END,
               CASE WHEN u.number = ANY ($2) THEN dbguard._audit_redacted(u.new, $3) ELSE u.new END
        FROM dbguard.audit_pack p
        CROSS JOIN LATERAL dbguard._audit_unpack(p.data, p.changes, p.lowest_key, p.highest_key) u
        WHERE p.id = $1
        ORDER BY u.number";
    const ERASE: &str = "UPDATE dbguard.audit_pack SET data = $2 WHERE id = $1";
    let mut raw = vec![];
    Spi::connect_mut(|client| -> std::result::Result<(), pgrx::spi::Error> {
        let args = [id.into(), numbers.into(), order.columns.to_vec().into()];
        for row in client.update(READ, None, &args)? {
            let (key, old_key) = (row.get::<String>(2)?, row.get::<String>(3)?);
            let (old, new) = (row.get::<Jsonb>(4)?, row.get::<Jsonb>(5)?);
            pack::push(
                &mut raw,
                &pack::Record {
                    op: row.get::<String>(1)?.and_then(|op| op.bytes().next()).unwrap_or_default(),
                    key: key.as_deref().map(str::as_bytes),
                    old_key: old_key.as_deref().map(str::as_bytes),
                    old: old.as_ref().map(|j| j.0.as_slice()),
                    new: new.as_ref().map(|j| j.0.as_slice()),
                },
            );
        }
        Ok(())
    })?;
    let args = [id.into(), pack::seal(&raw).into()];
    guard::allow_update(|| Spi::connect_mut(|client| client.update(ERASE, None, &args).map(|_| ())))?;
    Ok(())
}

/// Leaves the record, with what the changes were and what they are now.
fn note(order: &Order, changes: &[Change], packs: Vec<i64>) -> Result<()> {
    const AFTER: &str = "
        SELECT c.id, c.digest FROM dbguard.audit_record c
        WHERE c.id = ANY ($2) AND (c.pack IS NULL OR c.pack = ANY ($3))
          AND c.relation = ANY (SELECT id FROM dbguard.audit_relation WHERE lineage = $1)
        ORDER BY c.id";
    const NOTE: &str = "
        INSERT INTO dbguard.audit_redaction (at, xact, home, session_user_name, current_user_name, lineage, schema_name,
                                             table_name, key, columns, reason, ids, digests_before, digests_after)
        VALUES (clock_timestamp(), pg_current_xact_id(), $1, session_user, current_user, $2, $3::name, $4::name, $5, $6, $7,
                $8, $9, $10)";
    let ids: Vec<i64> = changes.iter().map(|c| c.id).collect();
    let before: Vec<u8> = changes.iter().flat_map(|c| c.digest.iter().copied()).collect();
    Ok(Spi::connect_mut(|client| -> std::result::Result<(), pgrx::spi::Error> {
        let args = [order.lineage.into(), ids.clone().into(), packs.into()];
        let mut after = vec![];
        for row in client.update(AFTER, None, &args)? {
            after.extend(row.get::<Vec<u8>>(2)?.unwrap_or_default());
        }
        let args = [
            identity::database().into(),
            order.lineage.into(),
            order.schema.into(),
            order.name.into(),
            order.key.into(),
            order.columns.to_vec().into(),
            order.reason.into(),
            ids.into(),
            before.into(),
            after.into(),
        ];
        client.update(NOTE, None, &args).map(|_| ())
    })?)
}
