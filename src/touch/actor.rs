//! Who is acting, as a value of a column.

use super::arguments::{INVALID, MISSING};
use super::kept::Kept;
use crate::actor::with_actor;
use crate::error::{Error, Result};
use crate::pg::attribute::Attribute;
use crate::pg::subxact::{subtransaction, told};
use crate::pg::user;
use pgrx::pg_sys::Datum;
use pgrx::PgSqlErrorCode;
use std::ffi::CString;

pub const TYPES: &str = "text, uuid, an integer type or another that has a value for each actor";

/// Whatever a text can be read as.
pub fn fits(_: &Attribute) -> bool {
    true
}

/// What is to be written: a value, or NULL. None: nobody said who is acting, and that is no error.
///
/// # Errors
/// 22004 if nobody said it, with `missing=error`; the type's own code if that is no value of the
/// column, unless `invalid=null`.
pub fn of(kept: &Kept) -> Result<Option<Option<Datum>>> {
    let column = &kept.column;
    let mut actor = with_actor(|actor| actor.map(<[u8]>::to_vec));
    if actor.is_none() && kept.arguments.is(&MISSING, "user") {
        actor = Some(user::name(user::session()));
    }
    let Some(actor) = actor else {
        return match kept.arguments.is(&MISSING, "error") {
            true => Err(nobody(column)),
            false => Ok(None),
        };
    };
    // no NUL can be in a setting
    let text = CString::new(actor).unwrap_or_default();
    let read = || Ok(column.parse(&text));
    let value = match kept.arguments.is(&INVALID, "null") {
        // what it did, an error has to take back
        true => match subtransaction(read) {
            Err(e) if is_about_the_value(&e) => {
                column.check_domain(None);
                None
            }
            read => Some(read?),
        },
        false => Some(told(read).map_err(|e| no_value(&text, column, e))?),
    };
    Ok(Some(value))
}

fn nobody(column: &Attribute) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        format!("column \"{}\" says who is acting, and nobody is named", column.name),
    )
    .hint("SET LOCAL dbguard.actor = '...'; in the transaction.")
}

/// Data exceptions, and constraints of domains.
fn is_about_the_value(e: &Error) -> bool {
    e.sqlstate().starts_with("22") || e.sqlstate().starts_with("23")
}

fn no_value(text: &CString, column: &Attribute, e: Error) -> Error {
    if !is_about_the_value(&e) {
        return e;
    }
    let text = text.to_string_lossy();
    Error::new(e.code(), format!("actor \"{text}\" is no value for column \"{}\"", column.name))
        .detail(format!("{}.", e.message()))
        .hint("SET LOCAL dbguard.actor to one that is, or make the trigger with 'invalid=null'.")
}
