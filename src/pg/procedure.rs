//! Procedures that commit as they go.

use crate::error::{Error, Result};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// Given to the body of a procedure: it may end a transaction and begin the next.
pub struct Transactions(());

impl Transactions {
    /// Commits. Nothing of the transaction before may be held across: no SPI connection but the
    /// procedure's own, no other user, no changed setting.
    pub fn commit(&self) {
        // SAFETY: the innermost SPI connection is the non-atomic one of `run`, so committing is
        // allowed; the next statements need a snapshot as the first ones had.
        unsafe {
            pg_sys::SPI_commit();
            pg_sys::EnsurePortalSnapshotExists();
        }
    }
}

/// Runs the body of procedure `name`, called as `fcinfo` says, outside a transaction block only.
pub fn run(
    fcinfo: pg_sys::FunctionCallInfo,
    name: &str,
    body: impl FnOnce(&Transactions) -> Result<()>,
) -> Result<()> {
    if is_atomic(fcinfo) {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            format!("{name} cannot run inside a transaction block"),
        )
        .detail("It commits after each step.")
        .hint(format!(
            "Call it as a statement of its own, outside BEGIN and functions: CALL dbguard.{name}()"
        )));
    }
    // SAFETY: a connection of our own, finished below; after an error the server closes it.
    unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) };
    let result = body(&Transactions(()));
    // SAFETY: pairs with the connect above.
    unsafe { pg_sys::SPI_finish() };
    result
}

/// Whether the caller would be left with half a transaction if we committed.
fn is_atomic(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: the server passes a valid fcinfo; its context, if any, is a node that says what it is.
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || !pgrx::is_a(context, pg_sys::NodeTag::T_CallContext) {
            return true;
        }
        (*context.cast::<pg_sys::CallContext>()).atomic
    }
}

/// Whether this session cannot write: a standby, or a transaction that is read only.
pub fn is_read_only() -> bool {
    // SAFETY: reads state of the backend.
    unsafe { pg_sys::RecoveryInProgress() || pg_sys::XactReadOnly }
}
