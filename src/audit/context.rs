//! Who is acting, and why: written once a transaction, and again when it changes within one.

use crate::error::{Error, Result};
use crate::pg::plan::{Arg, KeptPlan};
use crate::pg::relation::of_ours;
use crate::pg::user::{self, as_role, Fence};
use crate::pg::{guc, xact};
use crate::settings;
use pgrx::pg_sys::{self, Oid};
use std::cell::RefCell;

/// Longer claims are cut: a setting must never break the user's write.
const MAX_CLAIM: usize = 1000;
const MAX_CONTEXT: usize = 100_000;

#[derive(PartialEq)]
struct Claims {
    actor: Option<Vec<u8>>,
    tenant: Option<Vec<u8>>,
    context: Option<Vec<u8>>,
    user: Oid,
}

struct Written {
    claims: Claims,
    id: i64,
    /// audit_transaction, where it stands.
    table: Option<Oid>,
    top: u64,
    by: pg_sys::TransactionId,
}

thread_local! {
    static WRITTEN: RefCell<Option<Written>> = const { RefCell::new(None) };
    static NEW_TRANSACTION: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_transaction
            (at, xact, actor, tenant, session_user_name, current_user_name, application_name, client_addr, context)
          VALUES ($1, $2, $3, $4, SESSION_USER, $5,
                  pg_catalog.current_setting('application_name'), pg_catalog.inet_client_addr(), $6::pg_catalog.jsonb)
          RETURNING id",
        &[pg_sys::TIMESTAMPTZOID, pg_sys::XID8OID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID]) };
}

/// Called when a relation changed: a log that was made anew knows nothing of the row.
pub fn forget(relid: Option<Oid>) {
    WRITTEN.with(|written| {
        if let Ok(mut written) = written.try_borrow_mut() {
            if relid.is_none() || written.as_ref().is_some_and(|w| w.table == relid) {
                *written = None;
            }
        }
    });
}

/// The id of the audit_transaction row that says who is acting now.
pub fn transaction(log_owner: Oid) -> Result<i64> {
    let top = xact::top_id();
    let claims = Claims {
        actor: actor(),
        tenant: claim(guc::string(&settings::TENANT), MAX_CLAIM),
        context: claim(guc::string(&settings::CONTEXT), MAX_CONTEXT),
        user: user::current(),
    };
    let known = WRITTEN.with_borrow(|written| match written {
        // a rolled back subtransaction takes its row along
        Some(w) if w.top == top && w.claims == claims && xact::stands(w.by) => Some(w.id),
        _ => None,
    });
    if let Some(id) = known {
        return Ok(id);
    }
    let context = claims.context.as_deref().map(as_json);
    let args = [
        Arg::Timestamptz(xact::start_timestamp()),
        Arg::Xid8(top),
        claims.actor.as_deref().map_or(Arg::Null, Arg::Text),
        claims.tenant.as_deref().map_or(Arg::Null, Arg::Text),
        Arg::Name(claims.user),
        context.as_deref().map_or(Arg::Null, Arg::Text),
    ];
    let id = as_role(log_owner, Fence::Local, || NEW_TRANSACTION.with(|plan| plan.run(&args)))?
        .ok_or_else(|| Error::internal("audit_transaction gave no id"))?;
    let table = of_ours(c"audit_transaction");
    WRITTEN.set(Some(Written { claims, id, table, top, by: xact::current_id() }));
    Ok(id)
}

/// dbguard.actor, or else the setting the application already uses.
fn actor() -> Option<Vec<u8>> {
    claim(guc::string(&settings::ACTOR), MAX_CLAIM).or_else(|| {
        let name = settings::ACTOR_SETTING.get()?;
        claim(guc::value(&name), MAX_CLAIM)
    })
}

/// A claim as it may be kept: nothing for an empty one (what a pooled SET LOCAL leaves behind), and
/// not longer than `max` bytes, cut between characters.
fn claim(value: Option<Vec<u8>>, max: usize) -> Option<Vec<u8>> {
    let mut value = value.filter(|v| !v.is_empty())?;
    if value.len() > max {
        let cut = (0..=max).rev().find(|i| value[*i] & 0xC0 != 0x80).unwrap_or(0);
        value.truncate(cut);
    }
    Some(value)
}

/// The context as JSON text that jsonb surely takes: what is not such JSON is kept as a string.
fn as_json(context: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(context);
    let value = serde_json::from_str::<serde_json::Value>(&text).ok();
    // jsonb has no NUL character
    let value = value.filter(|v| !v.to_string().contains("\\u0000"));
    value.unwrap_or_else(|| serde_json::Value::String(text.into_owned())).to_string().into_bytes()
}
