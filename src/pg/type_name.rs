//! A type as a statement must name it, whatever the search_path.

use pgrx::pg_sys::{self, Oid};
use std::ffi::CStr;

pub struct TypeName {
    /// With its schema and its modifier: `pg_catalog.text`, `numeric(10,2)`.
    pub qualified: String,
    /// What a domain is over; else the type itself.
    pub base: Oid,
    /// An array or a composite type.
    pub nested: bool,
}

pub fn type_name(type_oid: Oid, modifier: i32) -> TypeName {
    let flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN | pg_sys::FORMAT_TYPE_FORCE_QUALIFY;
    // SAFETY: syscache look-ups; the name is a C string in the current memory context.
    unsafe {
        let name = pg_sys::format_type_extended(type_oid, modifier, flags as pg_sys::bits16);
        let base = pg_sys::getBaseType(type_oid);
        TypeName {
            qualified: CStr::from_ptr(name).to_string_lossy().into_owned(),
            base,
            nested: pg_sys::get_element_type(base) != pg_sys::InvalidOid || pg_sys::type_is_rowtype(base),
        }
    }
}
