//! Every difference between server versions.

use pgrx::pg_sys;

/// Whether `role` owns relation `relid` (or is a member of the owner, or a superuser).
/// Mirrors `pg_class_ownercheck` of 15, `object_ownercheck` of 16 and later.
pub fn owns_relation(relid: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: catalog lookups by OID; an unknown OID raises an ordinary error.
    unsafe {
        #[cfg(feature = "pg15")]
        return pg_sys::pg_class_ownercheck(relid, role);
        #[cfg(not(feature = "pg15"))]
        return pg_sys::object_ownercheck(pg_sys::RelationRelationId, relid, role);
    }
}
