//! Every difference between server versions.

#![allow(non_snake_case, reason = "the server's names")]

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

/// The i-th attribute of a tuple descriptor, counted from 0. Mirrors the macro TupleDescAttr: 18
/// keeps the full attributes behind the compact ones.
///
/// # Safety
/// `desc` must be valid and `i` within its natts.
pub unsafe fn tuple_desc_attr(desc: pg_sys::TupleDesc, i: i32) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: as promised by the caller.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
        return (*desc).attrs.as_ptr().add(i as usize);
        #[cfg(feature = "pg18")]
        return (*desc)
            .compact_attrs
            .as_ptr()
            .add((*desc).natts as usize)
            .cast::<pg_sys::FormData_pg_attribute>()
            .add(i as usize);
    }
}

/// Whether constraint `k` of pg_constraint is enforced, in SQL: 18 has constraints that are not.
#[cfg(not(feature = "pg18"))]
pub const CONENFORCED: &str = "true";
#[cfg(feature = "pg18")]
pub const CONENFORCED: &str = "k.conenforced";

/// When relation `c` was last scanned, in SQL: from 16 on the server knows.
#[cfg(feature = "pg15")]
pub const LAST_SCAN: &str = "NULL::timestamptz";
#[cfg(not(feature = "pg15"))]
pub const LAST_SCAN: &str = "pg_catalog.pg_stat_get_lastscan(c.oid)";

/// Lets an index let go of what it kept over several insertions: from 17 on.
///
/// # Safety
/// Inside a guarded frame, after the last insertion with `info`.
pub unsafe fn index_insert_cleanup(index: pg_sys::Relation, info: &mut pg_sys::IndexInfo) {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let _ = (index, info);
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    // SAFETY: as promised by the caller.
    unsafe {
        pg_sys::index_insert_cleanup(index, info)
    }
}

// replication/message.h, which pgrx does not bind. From 17 on it is said whether to flush at once.
#[cfg(any(feature = "pg15", feature = "pg16"))]
#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    fn LogLogicalMessage(
        prefix: *const std::ffi::c_char,
        message: *const std::ffi::c_char,
        size: usize,
        transactional: bool,
    ) -> pg_sys::XLogRecPtr;
}
#[cfg(any(feature = "pg17", feature = "pg18"))]
#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    fn LogLogicalMessage(
        prefix: *const std::ffi::c_char,
        message: *const std::ffi::c_char,
        size: usize,
        transactional: bool,
        flush: bool,
    ) -> pg_sys::XLogRecPtr;
}

/// Writes a message for logical decoding as a part of this transaction. It is flushed with the commit.
pub fn log_logical_message(prefix: &std::ffi::CStr, message: &[u8]) {
    let (prefix, start, size) = (prefix.as_ptr(), message.as_ptr().cast(), message.len());
    // SAFETY: the server copies the C string and the bytes into the WAL record.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        LogLogicalMessage(prefix, start, size, true);
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        LogLogicalMessage(prefix, start, size, true, false);
    }
}

/// The privilege on a role that lets one act as it, for pg_has_role: from 16 on a member need not be able to.
#[cfg(feature = "pg15")]
pub const CAN_ACT_AS: &str = "MEMBER";
#[cfg(not(feature = "pg15"))]
pub const CAN_ACT_AS: &str = "SET";

/// Makes the relation the one that a statement changes, with the columns that it changes (offset by
/// FirstLowInvalidHeapAttributeNumber): from 16 on they stand beside the privileges.
///
/// # Safety
/// `executor` is a new executor state, `relation` is open and locked.
pub unsafe fn init_range_table(
    executor: *mut pg_sys::EState,
    relation: pg_sys::Relation,
    columns: *mut pg_sys::Bitmapset,
) {
    // SAFETY: as promised; nodes and lists live in the current memory context.
    unsafe {
        let mut entry = pgrx::PgBox::<pg_sys::RangeTblEntry>::alloc_node(pg_sys::NodeTag::T_RangeTblEntry);
        entry.rtekind = pg_sys::RTEKind::RTE_RELATION;
        entry.relid = (*relation).rd_id;
        entry.relkind = (*(*relation).rd_rel).relkind;
        entry.rellockmode = pg_sys::RowExclusiveLock as i32;
        let entry = entry.into_pg();
        let list = pg_sys::lappend(std::ptr::null_mut(), entry.cast());
        #[cfg(feature = "pg15")]
        {
            (*entry).updatedCols = columns;
            pg_sys::ExecInitRangeTable(executor, list);
        }
        #[cfg(not(feature = "pg15"))]
        {
            let mut permissions = std::ptr::null_mut();
            (*pg_sys::addRTEPermissionInfo(&mut permissions, entry)).updatedCols = columns;
            #[cfg(any(feature = "pg16", feature = "pg17"))]
            pg_sys::ExecInitRangeTable(executor, list, permissions);
            #[cfg(feature = "pg18")]
            pg_sys::ExecInitRangeTable(executor, list, permissions, pg_sys::bms_make_singleton(1));
        }
    }
}

/// What the executor needs to look again at a row that changed meanwhile: from 16 on with one argument more.
///
/// # Safety
/// `executor` is a whole executor state that outlives `recheck`.
pub unsafe fn init_recheck(recheck: &mut pg_sys::EPQState, executor: *mut pg_sys::EState) {
    let none = std::ptr::null_mut();
    // SAFETY: as promised.
    unsafe {
        #[cfg(feature = "pg15")]
        pg_sys::EvalPlanQualInit(recheck, executor, std::ptr::null_mut(), none, -1);
        #[cfg(not(feature = "pg15"))]
        pg_sys::EvalPlanQualInit(recheck, executor, std::ptr::null_mut(), none, -1, none);
    }
}
