//! Relation locks.

use pgrx::pg_sys;

/// What ATTACH PARTITION takes on the parent, if it is to be had at once: readers and writers do not
/// notice, and nobody without rights on the table can hold it.
pub fn try_share_update_exclusive(relid: pg_sys::Oid) -> bool {
    // SAFETY: as below.
    unsafe { pg_sys::ConditionalLockRelationOid(relid, pg_sys::ShareUpdateExclusiveLock as pg_sys::LOCKMODE) }
}

/// What CREATE TRIGGER takes: held to the end of the transaction, so that two sessions that set up
/// the same table come one after the other. The caller must have checked that the table is the user's.
pub fn share_row_exclusive(relid: pg_sys::Oid) {
    // SAFETY: an OID that is gone by then leaves a harmless lock on nothing.
    unsafe { pg_sys::LockRelationOid(relid, pg_sys::ShareRowExclusiveLock as pg_sys::LOCKMODE) }
}

/// What ATTACH PARTITION takes on the parent, waited for as long as lock_timeout lets us.
pub fn share_update_exclusive(relid: pg_sys::Oid) {
    // SAFETY: as above.
    unsafe { pg_sys::LockRelationOid(relid, pg_sys::ShareUpdateExclusiveLock as pg_sys::LOCKMODE) }
}

/// What ATTACH PARTITION takes on the default partition.
pub fn access_exclusive(relid: pg_sys::Oid) {
    // SAFETY: as above.
    unsafe { pg_sys::LockRelationOid(relid, pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE) }
}

/// What a query takes.
pub fn access_share(relid: pg_sys::Oid) {
    // SAFETY: as above.
    unsafe { pg_sys::LockRelationOid(relid, pg_sys::AccessShareLock as pg_sys::LOCKMODE) }
}

/// Keeps a relation from being dropped or altered over the ends of transactions. It is in the way of no reader or
/// writer. An error that ends a transaction lets go of it, else `release` must. The caller holds this very lock in
/// his transaction, so that nothing is waited for.
pub struct Kept(pg_sys::LockRelId);

const KEPT: pg_sys::LOCKMODE = pg_sys::ShareUpdateExclusiveLock as pg_sys::LOCKMODE;

impl Kept {
    pub fn new(relid: pg_sys::Oid) -> Kept {
        // SAFETY: reads a variable of the backend; a lock by OIDs.
        unsafe {
            let mut lock = pg_sys::LockRelId { relId: relid, dbId: pg_sys::MyDatabaseId };
            pg_sys::LockRelationIdForSession(&mut lock, KEPT);
            Kept(lock)
        }
    }

    pub fn release(mut self) {
        // SAFETY: taken by `new`.
        unsafe { pg_sys::UnlockRelationIdForSession(&mut self.0, KEPT) }
    }
}
