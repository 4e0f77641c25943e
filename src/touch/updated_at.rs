//! set_updated_at: a BEFORE UPDATE trigger that keeps a column right. `now()` when another column
//! really changed; nothing when none did, so that a write without effect stays without effect.

use crate::cache::TriggerCache;
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_call, Attribute};
use crate::pg::datetime::now_as;
use crate::pg::trigger::{Event, TriggerCall};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

pub const DEFAULT_COLUMN: &str = "updated_at";

struct Touched {
    column: i16,
    type_oid: Oid,
    /// What else a row has. Generated columns follow the others, and before the write they are not
    /// computed yet.
    others: Vec<Attribute>,
}

thread_local! {
    static TOUCHED: TriggerCache<Touched> = TriggerCache::new();
}

fn forget(relid: Option<Oid>) {
    TOUCHED.with(|cache| cache.forget(relid));
}

#[pg_extern(sql = false)]
fn set_updated_at(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    match touch(fcinfo) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

fn touch(fcinfo: pg_sys::FunctionCallInfo) -> Result<pg_sys::Datum> {
    let call = TriggerCall::new(fcinfo, "set_updated_at")?;
    if !call.before() || !call.for_each_row() || call.event() != Event::Update {
        return Err(Error::trigger_protocol(
            "function \"set_updated_at\" must be fired BEFORE UPDATE FOR EACH ROW",
        )
        .hint(
            "CREATE TRIGGER ... BEFORE UPDATE ON ... FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at().",
        ));
    }
    let key = (call.relation_oid(), call.trigger_oid());
    let touched = TOUCHED.with(|cache| cache.get(key, forget, |_| true, || Ok((resolve(&call)?, vec![]))))?;
    let (old, new) = (call.first(), call.second());
    if touched.others.iter().all(|a| a.same(&old, &new)) {
        return Ok(call.keep_new());
    }
    match now_as(touched.type_oid) {
        Some(now) => Ok(call.replace_in_new(touched.column, now)),
        None => Ok(call.keep_new()),
    }
}

fn resolve(call: &TriggerCall) -> Result<Touched> {
    let args = call.args();
    let name = match args.as_slice() {
        [] => DEFAULT_COLUMN,
        [column] => column.as_str(),
        _ => {
            return Err(Error::invalid_parameter(
                "too many arguments for trigger function \"set_updated_at\"",
            )
            .detail(format!("Expected at most 1 argument but got {}.", args.len()))
            .hint("Name the column, or nothing for updated_at."))
        }
    };
    let mut attributes = attributes_of_call(call);
    let Some(at) = attributes.iter().position(|a| a.name == name) else {
        return Err(Error::undefined_column(name, &call.relation_name())
            .hint("Add the column, or drop the trigger that calls dbguard.set_updated_at."));
    };
    let column = attributes.swap_remove(at);
    if now_as(column.type_oid).is_none() {
        return Err(super::enable::wrong_type(name));
    }
    attributes.retain(|a| !a.generated);
    Ok(Touched { column: column.number, type_oid: column.type_oid, others: attributes })
}
