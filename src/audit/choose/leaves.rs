//! The partitions of an audited table. Row triggers are cloned to them by the server; a trigger of
//! TRUNCATE is not, so that each partition that holds rows gets one of its own.

use super::audited::{self, is_partitions_trigger, is_row_trigger, Audited};
use super::enable::moved;
use super::options::{Options, PARTITION};
use crate::catalog::{self, extension_owner};
use crate::ddl;
use crate::ddl::audit::TRUNCATE_TRIGGER;
use crate::error::{Error, Result};
use crate::pg::compat::owns_relation;
use crate::pg::lock;
use crate::pg::relation::{describe, with_inheritors, Relation};
use crate::pg::user::{self, as_role, Fence};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// The partitions of `table`, at any depth.
fn partitions(table: &Relation) -> impl Iterator<Item = Relation> {
    let below = if table.kind == 'p' { with_inheritors(table.oid) } else { vec![] };
    let root = table.oid;
    below.into_iter().filter(move |oid| *oid != root).filter_map(|oid| {
        pgrx::check_for_interrupts!();
        describe(oid)
    })
}

/// TRUNCATE triggers on foreign tables exist only since version 16, and partitioned tables hold no rows.
fn may_have_trigger(partition: &Relation) -> bool {
    partition.kind == 'r'
}

/// # Errors
/// 55000 if a partition has audit triggers of its own: its changes would be logged twice, or with
/// other options than the partitioned table's.
pub fn none_of_its_own(table: &Relation) -> Result<()> {
    for partition in partitions(table) {
        if audited::of(&partition)?.is_some() {
            return Err(audited_itself(&partition));
        }
    }
    Ok(())
}

fn audited_itself(partition: &Relation) -> Error {
    Error::not_in_state(format!("partition \"{}\" is audited on its own", partition.name))
        .detail("Its changes would be logged twice: for itself, and for the table it is a partition of.")
        .hint("Take it out first: SELECT dbguard.audit_disable(...). What is logged of it stays.")
}

/// The owner of an audited partitioned table, if he cannot make partitions of it: the server asks whoever
/// does for the right to execute the function of each trigger a partition gets.
pub fn hindered_owner(table: &Relation) -> Result<Option<String>> {
    const LACKS: &str = "
        SELECT r.rolname::text FROM pg_roles r
        WHERE r.oid = $1 AND NOT has_function_privilege(r.oid, 'dbguard.audit_row()', 'EXECUTE')";
    if table.kind != 'p' {
        return Ok(None);
    }
    // whoever alters a table may have no business in our schema
    as_role(extension_owner()?, Fence::Local, || {
        Ok(Spi::connect(|client| {
            let mut found = client.select(LACKS, Some(1), &[table.owner.into()])?;
            found.next().map_or(Ok(None), |row| row.get::<String>(1))
        })?)
    })
}

/// Gives him, and nobody else, that right.
pub fn let_owner_make_them(table: &Relation) -> Result<()> {
    match hindered_owner(table)? {
        Some(role) => {
            as_role(extension_owner()?, Fence::Local, || ddl::run(&ddl::audit::grant_row_function(&role)))
        }
        None => Ok(()),
    }
}

/// Whether every partition has the TRUNCATE trigger that `options` want it to have.
pub fn covered(table: &Relation, options: &Options) -> Result<bool> {
    let wanted = options.operations.truncate;
    Ok(partitions(table)
        .filter(may_have_trigger)
        .all(|p| p.triggers.iter().any(|t| is_partitions_trigger(t) && t.enabled != 'D') == wanted))
}

/// Makes the partitions' TRUNCATE triggers, or drops them if `options` want none. To be called as the
/// extension's owner.
pub fn place(table: &Relation, options: &Options, state: &str) -> Result<()> {
    if !options.operations.truncate {
        return clear(table);
    }
    for partition in partitions(table).filter(may_have_trigger) {
        place_on(partition.oid, state)?;
    }
    Ok(())
}

fn place_on(partition: Oid, state: &str) -> Result<()> {
    lock::share_row_exclusive(partition);
    let Some(found) = describe(partition) else { return Ok(()) };
    let (schema, name) = (&found.schema, &found.name);
    // one that somebody gave another name would make a second record
    for other in found.triggers.iter().filter(|t| is_partitions_trigger(t) && t.name != TRUNCATE_TRIGGER) {
        ddl::run(&ddl::audit::drop_trigger(&other.name, schema, name))?;
    }
    ddl::run(&ddl::audit::create_truncate_trigger(schema, name, &[PARTITION.to_owned()]))?;
    if state != "enabled" {
        ddl::run(&ddl::audit::set_trigger_state(TRUNCATE_TRIGGER, schema, name, state))?;
    }
    // as for the table itself: the name may mean another table by now
    match describe(partition) {
        Some(now) if now.triggers.iter().any(is_partitions_trigger) => Ok(()),
        _ => Err(moved(name)),
    }
}

/// Drops them, with the caller's rights.
pub fn clear(table: &Relation) -> Result<()> {
    for partition in partitions(table) {
        drop_from(&partition)?;
    }
    Ok(())
}

fn drop_from(partition: &Relation) -> Result<()> {
    for trigger in partition.triggers.iter().filter(|t| is_partitions_trigger(t)) {
        ddl::run(&ddl::audit::drop_trigger(&trigger.name, &partition.schema, &partition.name))?;
    }
    Ok(())
}

/// Puts right what a command has done to the partitions of the table that `touched` belongs to: new
/// ones get their TRUNCATE trigger.
///
/// # Errors
/// 55000 if one has audit triggers of its own.
pub fn keep_up(touched: Oid) -> Result<()> {
    const ROOT: &str = "SELECT pg_partition_root($1)::oid";
    // the catalog, not a look at each partition: there may be thousands, and somebody may have locked one
    const STRAY: &str = "
        SELECT p.relid, t.own
        FROM unnest($1) p (relid)
        JOIN pg_class c ON c.oid = p.relid
        CROSS JOIN LATERAL (
          SELECT coalesce(bool_or(f.proname = 'audit_row' OR t.tgargs <> $2), false) AS own,
                 coalesce(bool_or(f.proname = 'audit_truncate'), false) AS truncate
          FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
          WHERE t.tgrelid = p.relid AND t.tgparentid = 0 AND f.proname IN ('audit_row', 'audit_truncate')
            AND f.pronamespace = 'dbguard'::regnamespace) t
        WHERE t.own OR (c.relkind = 'r' AND NOT t.truncate)";
    let root =
        Spi::connect(|client| client.select(ROOT, Some(1), &[touched.into()])?.first().get_one::<Oid>())?;
    let Some(table) = root.and_then(describe) else { return Ok(()) };
    let Some(audited) = audited::of(&table)? else { return Ok(()) };
    let partitions: Vec<Oid> =
        with_inheritors(table.oid).into_iter().filter(|oid| *oid != table.oid).collect();
    // tgargs ends each argument with a zero byte
    let mark = [PARTITION.as_bytes(), b"\0"].concat();
    let stray = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(STRAY, None, &[partitions.into(), mark.into()])? {
            list.push((row.get::<Oid>(1)?, row.get::<bool>(2)?));
        }
        Ok(list)
    })?;
    for (partition, own) in stray {
        let Some(partition) = partition else { continue };
        if own == Some(true) {
            return Err(audited_itself(&catalog::relation(partition)?));
        }
        if audited.options.operations.truncate {
            as_role(extension_owner()?, Fence::Local, || place_on(partition, audited.state))?;
        }
    }
    Ok(())
}

/// Drops the triggers of what is no partition any more.
pub fn let_go() -> Result<()> {
    const ORPHANS: &str = "
        SELECT c.oid
        FROM pg_trigger t
        JOIN pg_proc f ON f.oid = t.tgfoid AND f.proname = 'audit_truncate' AND f.pronamespace = 'dbguard'::regnamespace
        JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT c.relispartition AND t.tgargs = $1";
    let mark = [PARTITION.as_bytes(), b"\0"].concat();
    let orphans = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client.select(ORPHANS, None, &[mark.into()])?.map(|row| row.get::<Oid>(1)).collect()
    })?;
    for table in orphans.into_iter().flatten().filter_map(describe) {
        // of another's, left over: not for us to touch
        if owns_relation(table.oid, user::current()) {
            drop_from(&table)?;
        }
    }
    Ok(())
}

/// What of the partitions is not audited as the table is: for audit_status.
pub fn uncovered(table: &Relation, audited: &Audited) -> Vec<String> {
    let (rows, truncate) = (audited.has_row, audited.options.operations.truncate);
    let mut told = vec![];
    for partition in partitions(table).filter(|p| p.kind != 'p') {
        let clone = partition.triggers.iter().find(|t| t.is_clone && is_row_trigger(t));
        let own = partition.triggers.iter().find(|t| is_partitions_trigger(t));
        let named = format!("partition \"{}.{}\"", partition.schema, partition.name);
        match clone.map(|t| audited::state(t.enabled)) {
            None if rows => told.push(format!("{named} is not audited: its trigger is missing")),
            Some(state) if rows && state != audited.state => {
                told.push(format!("{named} is not audited as its table is: its trigger is {state}"))
            }
            _ if truncate && may_have_trigger(&partition) && own.is_none_or(|t| t.enabled == 'D') => {
                told.push(format!("TRUNCATE of {named} is not audited: its trigger is missing or disabled"))
            }
            _ => {}
        }
    }
    told
}

/// Partitions that are kept elsewhere.
pub fn foreign(table: &Relation) -> Vec<String> {
    partitions(table)
        .filter(|p| p.kind == 'f')
        .map(|p| {
            format!(
                "partition \"{}.{}\" is a foreign table: what is written to it on its own server is not seen",
                p.schema, p.name
            )
        })
        .collect()
}
