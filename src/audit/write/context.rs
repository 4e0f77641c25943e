//! Who is acting, and why: written when a session first changes something audited, and again when
//! any of it changes.

use super::pledge::Pledge;
use crate::actor::{claim, with_actor, MAX_CLAIM};
use crate::audit::ship::notify;
use crate::error::{Error, Result};
use crate::pg::plan::{Arg, KeptPlan};
use crate::pg::relation::of_ours;
use crate::pg::user::{self, as_role, Fence};
use crate::pg::{guc, xact};
use crate::settings::{self, Query};
use pgrx::pg_sys::{self, Oid};
use std::cell::RefCell;
use std::rc::Rc;

/// Longer claims are cut: a setting must never break the user's write.
const MAX_CONTEXT: usize = 100_000;

/// Changes refer to a row that is at most this old, so that whoever reads them together knows which
/// partitions to look into. The view audit_log says the same.
const MAX_AGE: i64 = 3_600_000_000;

#[derive(PartialEq)]
struct Claims {
    actor: Option<Vec<u8>>,
    context: Option<Vec<u8>>,
    application: Vec<u8>,
    query: Option<Vec<u8>>,
    user: Oid,
    session_user: Oid,
    log_owner: Oid,
}

struct Written {
    claims: Claims,
    id: i64,
    at: i64,
    /// audit_context, where it stands.
    table: Option<Oid>,
    pledge: Rc<Pledge>,
}

thread_local! {
    static WRITTEN: RefCell<Option<Written>> = const { RefCell::new(None) };
    static NEW_CONTEXT: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_context
            (at, actor, session_user_name, current_user_name, application_name, client_addr, context, query)
          VALUES ($1, $2, $3, $4, $5, pg_catalog.inet_client_addr(), $6::pg_catalog.jsonb, $7)
          RETURNING id",
        &[pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID,
          pg_sys::TEXTOID]) };
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

impl Claims {
    fn now(log_owner: Oid) -> Claims {
        Claims {
            actor: with_actor(|actor| actor.map(<[u8]>::to_vec)),
            context: guc::peek(&settings::CONTEXT, |c| claim(c, MAX_CONTEXT).map(<[u8]>::to_vec)),
            application: guc::application_name(<[u8]>::to_vec),
            query: query(),
            user: user::current(),
            session_user: user::session(),
            log_owner,
        }
    }

    /// Whether `now` would give the same: asked for each statement, so without a copy.
    fn are_still(&self, log_owner: Oid) -> bool {
        self.user == user::current()
            && self.session_user == user::session()
            && self.log_owner == log_owner
            && with_actor(|actor| actor == self.actor.as_deref())
            && guc::peek(&settings::CONTEXT, |c| claim(c, MAX_CONTEXT) == self.context.as_deref())
            && guc::application_name(|name| name == self.application)
            && (settings::AUDIT_QUERY.get() == Query::Off && self.query.is_none() || query() == self.query)
    }
}

/// The id of the audit_context row that says who is acting now, for a change made at `at`.
pub fn of(log_owner: Oid, at: i64) -> Result<i64> {
    let known = WRITTEN.with_borrow(|written| {
        let fits = |w: &&Written| {
            (w.at..w.at + MAX_AGE).contains(&at) && w.pledge.holds() && w.claims.are_still(log_owner)
        };
        written.as_ref().filter(fits).map(|w| w.id)
    });
    if let Some(id) = known {
        return Ok(id);
    }
    let claims = Claims::now(log_owner);
    let context = claims.context.as_deref().map(as_json);
    let args = [
        Arg::Timestamptz(at),
        claims.actor.as_deref().map_or(Arg::Null, Arg::Text),
        Arg::Name(claims.session_user),
        Arg::Name(claims.user),
        Arg::Text(&claims.application),
        context.as_deref().map_or(Arg::Null, Arg::Text),
        claims.query.as_deref().map_or(Arg::Null, Arg::Text),
    ];
    let id = as_role(log_owner, Fence::Qualified, || NEW_CONTEXT.with(|plan| plan.run(&args)))?
        .ok_or_else(|| Error::internal("audit_context gave no id"))?;
    let table = of_ours(c"audit_context");
    let pledge = Pledge::new(Some(xact::current_id()));
    WRITTEN.set(Some(Written { claims, id, at, table, pledge }));
    Ok(id)
}

/// The tenant the application claims to act for.
pub fn with_tenant<T>(f: impl FnOnce(Option<&[u8]>) -> T) -> T {
    guc::peek(&settings::TENANT, |tenant| f(claim(tenant, MAX_CLAIM)))
}

/// The same as a copy.
pub fn tenant() -> Option<Vec<u8>> {
    with_tenant(|tenant| tenant.map(<[u8]>::to_vec))
}

/// Tells who decodes the WAL who is acting, if dbguard.audit_message asks for it.
pub fn announce(xact: u64) {
    if !settings::AUDIT_MESSAGE.get() {
        return;
    }
    let (actor, tenant) = (with_actor(|actor| actor.map(<[u8]>::to_vec)), tenant());
    let context = guc::string(&settings::CONTEXT);
    let context = claim(context.as_deref(), MAX_CONTEXT).map(as_json);
    let user = user::name(user::current());
    let application = guc::application_name(<[u8]>::to_vec);
    notify::announce_context(
        xact,
        &notify::Who {
            actor: actor.as_deref(),
            tenant: tenant.as_deref(),
            user: &user,
            application: Some(&application),
            context: context.as_deref(),
        },
    );
}

/// The statement the client sent, as far as dbguard.audit_query asks for it.
fn query() -> Option<Vec<u8>> {
    let text = |cut| guc::client_text(|text| claim(text, cut).map(<[u8]>::to_vec));
    match settings::AUDIT_QUERY.get() {
        Query::Off => None,
        Query::Hash => text(usize::MAX).map(|text| dbguard_core::hash::hex(&text).into_bytes()),
        // what is no text in the database's encoding could not be stored
        Query::Text => text(MAX_CONTEXT).map(|text| String::from_utf8_lossy(&text).into_owned().into_bytes()),
    }
}

/// The context as JSON text that jsonb surely takes: what is not such JSON is kept as a string.
fn as_json(context: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(context);
    let value = serde_json::from_str::<serde_json::Value>(&text).ok();
    // jsonb has no NUL character
    let value = value.filter(|v| !v.to_string().contains("\\u0000"));
    value.unwrap_or_else(|| serde_json::Value::String(text.into_owned())).to_string().into_bytes()
}
