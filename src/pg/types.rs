//! What kind of type a type is.

use pgrx::pg_sys::{self, Oid};

/// How a key column's value is shown in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As its type prints it, and surely short.
    Plain,
    /// As its type prints it.
    Text,
    /// As its type prints it, without trailing zeros.
    Numeric,
    /// As to_jsonb makes a string of it.
    JsonText,
    /// As an object or array of JSON.
    Container,
    /// As jsonb prints it.
    Jsonb,
}

/// How a value of this type is shown as a key.
pub fn shown(type_oid: Oid) -> Shown {
    // SAFETY: syscache look-ups.
    let (base, container) = unsafe {
        let base = pg_sys::getBaseType(type_oid);
        (base, pg_sys::get_base_element_type(base) != pg_sys::InvalidOid || pg_sys::type_is_rowtype(base))
    };
    match base {
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID | pg_sys::BOOLOID | pg_sys::UUIDOID => {
            Shown::Plain
        }
        pg_sys::TEXTOID | pg_sys::VARCHAROID => Shown::Text,
        pg_sys::NUMERICOID => Shown::Numeric,
        pg_sys::JSONBOID => Shown::Jsonb,
        _ if container => Shown::Container,
        _ => Shown::JsonText,
    }
}

/// Whether the type is a composite one, or a domain over one.
pub fn is_composite(type_oid: Oid) -> bool {
    // SAFETY: syscache look-ups.
    unsafe { pg_sys::type_is_rowtype(pg_sys::getBaseType(type_oid)) }
}

/// Whether values of the type compare by operators that are the server's own.
pub fn compares_built_in(type_oid: Oid) -> bool {
    // SAFETY: syscache look-ups.
    unsafe {
        let base = pg_sys::getBaseType(type_oid);
        base.to_u32() < pg_sys::FirstNormalObjectId || pg_sys::type_is_enum(base)
    }
}
