//! DDL as events of the log: event triggers that write what a command did, with the log owner's
//! rights, whoever ran it.

mod enable;

use crate::audit::write::buffer;
use crate::audit::write::context;
use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::event;
use crate::pg::inval;
use crate::pg::moment;
use crate::pg::plan::{Arg, KeptPlan};
use crate::pg::relation::of_ours;
use crate::pg::subxact::subtransaction;
use crate::pg::user::{as_role, Fence};
use dbguard_core::secret;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use std::cell::RefCell;
use std::thread::LocalKey;

/// Longer texts are cut.
const MAX_TEXT: usize = 10_000;

/// At, context, tag, tenant, text, and what the statement needs besides.
const TYPES: &[Oid] = &[
    pg_sys::TIMESTAMPTZOID,
    pg_sys::INT8OID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
];

thread_local! {
    /// Objects that lie in a temporary schema are nobody's business, nor what an extension's script does.
    static LOG_COMMANDS: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_command (id, at, xact, context, op, tag, object_type, schema_name, object, tenant, command)
          SELECT nextval('dbguard.audit_change_id_seq'), $1, pg_current_xact_id(), $2, 'C', c.command_tag, lower(c.object_type),
                 coalesce(c.schema_name::name, n.nspname), c.object_identity, $4,
                 CASE WHEN o.command_text THEN $5 END
          FROM pg_event_trigger_ddl_commands() WITH ORDINALITY AS
               c(classid, objid, objsubid, command_tag, object_type, schema_name, object_identity, in_extension, command, place)
          LEFT JOIN dbguard.audit_ddl_option o ON true
          LEFT JOIN LATERAL (
            SELECT tgrelid AS oid FROM pg_trigger t WHERE c.classid = 'pg_trigger'::regclass AND t.oid = c.objid
            UNION ALL SELECT polrelid FROM pg_policy p WHERE c.classid = 'pg_policy'::regclass AND p.oid = c.objid
            UNION ALL SELECT ev_class FROM pg_rewrite r WHERE c.classid = 'pg_rewrite'::regclass AND r.oid = c.objid
          ) of ON true
          LEFT JOIN pg_class k ON k.oid = of.oid
          LEFT JOIN pg_namespace n ON n.oid = k.relnamespace
          WHERE NOT c.in_extension AND c.schema_name IS DISTINCT FROM 'pg_temp' AND k.relpersistence IS DISTINCT FROM 't'
            AND (o.schemas IS NULL OR coalesce(c.schema_name::name, n.nspname) IS NULL
                 OR coalesce(c.schema_name::name, n.nspname)::text = ANY (o.schemas))
          ORDER BY c.place",
        TYPES) };

    /// Dropped objects that stand for themselves: named by the command, or dropped with what they
    /// depended on. What is a part of one (its indexes, defaults, row type; an extension's members)
    /// goes unsaid.
    static LOG_DROPS: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_command (id, at, xact, context, op, tag, object_type, schema_name, object, tenant, command)
          SELECT nextval('dbguard.audit_change_id_seq'), $1, pg_current_xact_id(), $2, 'X', $3, d.object_type,
                 d.lies_in::name, d.object_identity, $4, CASE WHEN o.command_text THEN $5 END
          FROM (
            SELECT d.*, row_number() OVER () AS place,
                   coalesce(d.schema_name, CASE WHEN d.object_type IN ('trigger', 'policy', 'rule') THEN d.address_names[1] END) AS lies_in
            FROM pg_event_trigger_dropped_objects() d
          ) d
          LEFT JOIN dbguard.audit_ddl_option o ON true
          WHERE (d.original OR d.normal) AND NOT d.is_temporary AND d.lies_in IS DISTINCT FROM 'pg_temp'
            AND (d.original OR d.object_type NOT LIKE '% of access method')
            AND (d.original OR d.object_type NOT IN ('default value', 'table constraint', 'trigger', 'rule', 'policy')
                 OR d.address_names[1:2] NOT IN (SELECT ARRAY[r.schema_name, r.object_name]
                                                 FROM pg_event_trigger_dropped_objects() r
                                                 WHERE r.classid = 'pg_class'::regclass AND r.objsubid = 0))
            AND (d.original OR d.classid || '/' || d.objid NOT IN (SELECT unnest($6::text[])))
            AND (o.schemas IS NULL OR d.lies_in IS NULL OR d.lies_in = ANY (o.schemas))
          ORDER BY d.place",
        TYPES) };

    /// A command of which nothing but the tag can be told.
    static LOG_TAG: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_command (id, at, xact, context, op, tag, tenant, command)
          SELECT nextval('dbguard.audit_change_id_seq'), $1, pg_current_xact_id(), $2, 'C', $3, $4,
                 CASE WHEN o.command_text THEN $5 END
          FROM (SELECT) one LEFT JOIN dbguard.audit_ddl_option o ON true",
        TYPES) };

    /// Of commands on event triggers the server tells no event trigger.
    static LOG_SWITCH: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_command (id, at, xact, context, op, tag, object_type, object, tenant, command)
          SELECT nextval('dbguard.audit_change_id_seq'), $1, pg_current_xact_id(), $2, 'C', $3, 'event trigger', $6, $4,
                 CASE WHEN o.command_text THEN $5 END
          FROM (SELECT) one LEFT JOIN dbguard.audit_ddl_option o ON true",
        TYPES) };

    /// An erasure is told in full, whatever else is not.
    static LOG_ERASURE: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_command (id, at, xact, context, op, tag, object_type, object, tenant, command)
          SELECT nextval('dbguard.audit_change_id_seq'), $1, pg_current_xact_id(), $2, 'C', $3, 'tenant', $6, coalesce($6, $4), $5",
        TYPES) };

    /// Members of extensions when a command that may drop one began, as an array of class/object.
    static MEMBERS: RefCell<String> = const { RefCell::new(String::new()) };
}

#[pg_extern(sql = false)]
fn audit_ddl_start(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = event::tag(fcinfo).and_then(|_| remember_members()) {
        e.raise();
    }
}

#[pg_extern(sql = false)]
fn audit_ddl_drop(fcinfo: pg_sys::FunctionCallInfo) {
    let members = MEMBERS.take();
    // what an extension's script drops is the extension's affair, as what it creates is
    if event::in_extension_script() {
        return;
    }
    let members = if members.is_empty() { "{}" } else { &members };
    if let Err(e) = event::tag(fcinfo).and_then(|tag| log(&LOG_DROPS, &tag, members)) {
        e.raise();
    }
}

#[pg_extern(sql = false)]
fn audit_ddl_end(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = event::tag(fcinfo).and_then(|tag| log(&LOG_COMMANDS, &tag, "")) {
        e.raise();
    }
}

/// Notes that logging of commands was switched on or off, by a command with this tag.
pub fn log_switch(tag: &str, trigger: &str) -> Result<()> {
    write(&LOG_SWITCH, tag.as_bytes(), trigger)
}

/// A tenant was erased: `told` is how many rows of which tables. False if there is no log.
pub fn log_erasure(tenant: &str, told: &str) -> Result<bool> {
    if of_ours(c"audit_command").is_none() {
        return Ok(false);
    }
    buffer::flush()?;
    write_text(&LOG_ERASURE, b"ERASE TENANT", tenant, told.as_bytes())?;
    Ok(true)
}

/// Once an extension is dropped nothing tells any more what its members were.
fn remember_members() -> Result<()> {
    const MEMBERS_NOW: &str =
        "SELECT array_agg(classid || '/' || objid)::text FROM pg_depend WHERE deptype = 'e'";
    let members =
        Spi::connect(|client| client.select(MEMBERS_NOW, Some(1), &[])?.first().get_one::<String>())?;
    MEMBERS.set(members.unwrap_or_default());
    Ok(())
}

/// Writes with `plan`; if that cannot tell what the command did, that there was one. A log that
/// cannot be written at all fails the command, as it fails the change of a row.
fn log(plan: &'static LocalKey<KeptPlan>, tag: &[u8], extra: &str) -> Result<()> {
    // after what was changed before it
    buffer::flush()?;
    match subtransaction(|| write(plan, tag, extra)) {
        Ok(()) => Ok(()),
        Err(_) => write(&LOG_TAG, tag, extra),
    }
}

fn write(plan: &'static LocalKey<KeptPlan>, tag: &[u8], extra: &str) -> Result<()> {
    write_text(plan, tag, extra, &shortened(secret::hide(&event::client_text())))
}

fn write_text(plan: &'static LocalKey<KeptPlan>, tag: &[u8], extra: &str, text: &[u8]) -> Result<()> {
    let table = of_ours(c"audit_command").ok_or_else(|| {
        Error::not_in_state("the audit log is gone: table \"dbguard.audit_command\" does not exist")
            .hint("Stop logging commands: SELECT dbguard.audit_ddl_disable().")
    })?;
    let owner = catalog::relation(table)?.owner;
    inval::on_change(context::forget);
    let at = moment::time_of_this();
    let context = context::of(owner, at)?;
    let tenant = context::with_tenant(|tenant| tenant.map(<[u8]>::to_vec));
    let args = [
        Arg::Timestamptz(at),
        Arg::Int8(context),
        Arg::Text(tag),
        tenant.as_deref().map_or(Arg::Null, Arg::Text),
        Arg::Text(text),
        Arg::Text(extra.as_bytes()),
    ];
    as_role(owner, Fence::Qualified, || plan.with(|plan| plan.run(&args)))?;
    Ok(())
}

/// Cut between characters.
fn shortened(mut text: Vec<u8>) -> Vec<u8> {
    if text.len() > MAX_TEXT {
        let cut = (0..=MAX_TEXT).rev().find(|i| text[*i] & 0xC0 != 0x80).unwrap_or(0);
        text.truncate(cut);
        text.extend_from_slice(b" ...");
    }
    text
}
