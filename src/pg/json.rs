//! jsonb handed in by a user.

use crate::error::{Error, Result};
use pgrx::{direct_function_call, pg_sys, AnyElement};
use serde_json::Value;
use std::ffi::CStr;

/// The argument `name`, of type jsonb. The server takes what serde does not: numbers beyond those of double
/// precision, and more than 127 levels. pgrx's own type would panic then.
pub fn argument(name: &str, value: AnyElement) -> Result<Value> {
    // SAFETY: a jsonb, as the function is declared; the text is used before anything can free it.
    let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(value.datum())]) };
    let parsed = text.map(|t| serde_json::from_slice(t.to_bytes()));
    match parsed {
        Some(Ok(value)) => Ok(value),
        Some(Err(why)) => Err(Error::invalid_parameter(format!("cannot read argument \"{name}\": {why}"))
            .hint("Numbers must fit into double precision, and values may be nested 127 deep.")),
        None => Err(Error::null_argument(name)),
    }
}
