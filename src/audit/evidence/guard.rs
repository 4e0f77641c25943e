//! The guard of the log: nobody changes what is written, not its owner and not a superuser by
//! mistake. Only our own functions are let through, by a flag that no setting reaches. As with any
//! trigger, a superuser who means it sets session_replication_role, or disables it.

use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::trigger::{Event, TriggerCall};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::Cell;

/// The tables of the log. Partitions made later take over their parent's guard.
const TABLES: [&str; 8] = [
    "audit_relation",
    "audit_context",
    "audit_change",
    "audit_pack",
    "audit_seal",
    "audit_seal_record",
    "audit_redaction",
    "audit_command",
];
/// Made with the log; the guard of rows comes from their parents.
const PARTITIONS: [&str; 4] =
    ["audit_context_default", "audit_change_default", "audit_pack_default", "audit_command_default"];

thread_local! {
    static ALLOWED: Cell<bool> = const { Cell::new(false) };
}

/// Guards a log just made, as its owner.
pub fn put() -> Result<()> {
    for table in TABLES {
        ddl::run(&ddl::audit::guard("dbguard", table))?;
    }
    for table in TABLES.iter().chain(&PARTITIONS) {
        ddl::run(&ddl::audit::guard_truncate("dbguard", table))?;
    }
    Ok(())
}

/// Runs `f`, one statement of ours, with updates let through. However it ends, the guard is up again.
pub fn allow_update<T>(f: impl FnOnce() -> T) -> T {
    struct Raise;
    impl Drop for Raise {
        fn drop(&mut self) {
            ALLOWED.set(false);
        }
    }
    ALLOWED.set(true);
    let _raise = Raise;
    f()
}

/// The tables of the log that are not guarded, by name.
pub fn missing() -> Result<Vec<String>> {
    const MISSING: &str = "
        SELECT c.relname::text
        FROM unnest($1) AS root(name)
        CROSS JOIN LATERAL (SELECT to_regclass('dbguard.' || root.name)::oid AS oid) r
        CROSS JOIN LATERAL (
          SELECT r.oid UNION ALL SELECT p.relid FROM pg_partition_tree(r.oid) p WHERE p.relid <> r.oid) member(oid)
        JOIN pg_class c ON c.oid = member.oid
        WHERE (SELECT count(*) FROM pg_trigger t
               WHERE t.tgrelid = c.oid AND t.tgfoid = 'dbguard._audit_guard()'::regprocedure
                 -- fires in ordinary sessions; on rows for UPDATE and DELETE, or for TRUNCATE
                 AND t.tgenabled IN ('O', 'A') AND t.tgtype & 56 IN (24, 32)) < 2
        ORDER BY 1";
    let roots: Vec<String> = TABLES.iter().map(|t| (*t).to_owned()).collect();
    let names = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client.select(MISSING, None, &[roots.into()])?.map(|row| row.get::<String>(1)).collect()
    })?;
    Ok(names.into_iter().flatten().collect())
}

#[pg_extern(sql = false)]
fn audit_guard(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    match guard(fcinfo) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

fn guard(fcinfo: pg_sys::FunctionCallInfo) -> Result<pg_sys::Datum> {
    let call = TriggerCall::new(fcinfo, "_audit_guard")?;
    if ALLOWED.get() && call.event() == Event::Update && call.for_each_row() && call.before() {
        return Ok(call.keep_new());
    }
    let refused = match call.event() {
        Event::Update => "update",
        Event::Delete => "delete from",
        Event::Truncate => "truncate",
        Event::Insert => "insert into",
    };
    Err(Error::not_in_state(format!("cannot {refused} table \"{}\"", call.relation_name()))
        .detail("It is part of the audit log, which only grows.")
        .hint("To erase values use dbguard.audit_redact; to shorten the log, drop or detach its oldest partitions."))
}
