//! Procedures that commit as they go.

use super::names::listening;
use crate::error::{Error, Result};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;

/// Given to the body of a procedure: it may end a transaction and begin the next.
pub struct Transactions {
    /// Whether the procedure was called by the client, and not by another procedure or a DO block.
    by_client: bool,
    /// Where the caller's memory is: it outlives transactions.
    outside: pg_sys::MemoryContext,
    /// What is allocated between two commits: it would else be kept until the procedure ends.
    memory: pg_sys::MemoryContext,
    commits: Cell<u32>,
}

/// After how many transactions the server's caches are emptied.
const CACHES_LAST: u32 = 100;

impl Transactions {
    /// Commits. Nothing of the transaction before may be held across: no SPI connection but the
    /// procedure's own, no other user, no changed setting, no value of the server's.
    pub fn commit(&self) {
        let commits = self.commits.get() + 1;
        self.commits.set(commits % CACHES_LAST);
        // SAFETY: the innermost SPI connection is the non-atomic one of `run`, so committing is
        // allowed; the next statements need a snapshot as the first ones had. Between the two nothing is
        // held that is in a cache; the server may empty them at any lock it takes.
        unsafe {
            pg_sys::SPI_commit();
            pg_sys::MemoryContextReset(self.memory);
            // what was read of a relation, some 10 kB, would else be kept until the backend ends
            if commits == CACHES_LAST {
                pg_sys::InvalidateSystemCaches();
            }
            pg_sys::EnsurePortalSnapshotExists();
        }
    }

    /// Whether `interruptible` can be used.
    pub fn is_top_level(&self) -> bool {
        self.by_client
    }

    /// Runs a statement that PostgreSQL refuses in a transaction block, as role `role`, as if the client
    /// had sent it. To be called right after `commit`; what it did is committed. After an error nothing
    /// of its last transaction is, and the next one has begun.
    ///
    /// The role is one the caller may act for. It is fenced in as by `Fence::Restricted`, but what code of it
    /// sets of the session stays, for settings are kept at the end of each transaction: so there should be no
    /// such code. `lock_timeout`: how long it may wait for one lock; "0" as long as it must.
    ///
    /// A cancelled statement, too, comes back as a value, for work that leaves something to be taken back. The
    /// caller must raise it when that is done.
    pub fn interruptible(&self, sql: &str, role: pg_sys::Oid, lock_timeout: &CStr) -> Result<()> {
        let sql = CString::new(sql).map_err(|_| Error::internal("a statement with a NUL character"))?;
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        let before =
            super::guc::value(c"lock_timeout").filter(|t| t != lock_timeout.to_bytes()).map(CString::new);
        let fence = if can_be_fenced() {
            pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION
        } else {
            0
        };
        // SAFETY: SPI has no place for a statement that ends transactions, so its connection is closed
        // before and opened anew after. The parse tree lives where no transaction ends it. The portal's
        // snapshot is given up before and had again after, as COMMIT in a procedure does; so is the
        // whole transaction after an error. The user is put back by us: what an aborted transaction puts
        // back is what was when it began, which is after we switched.
        unsafe {
            pg_sys::SPI_finish();
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            let memory = pg_sys::AllocSetContextCreateInternal(
                pg_sys::TopMemoryContext,
                c"dbguard statement".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
            );
            let attempt = PgTryBuilder::new(AssertUnwindSafe(|| {
                pg_sys::MemoryContextSwitchTo(memory);
                let parsed = pg_sys::pg_parse_query(sql.as_ptr());
                let raw = (*(*parsed).elements).ptr_value.cast::<pg_sys::RawStmt>();
                let mut statement =
                    pgrx::PgBox::<pg_sys::PlannedStmt>::alloc_node(pg_sys::NodeTag::T_PlannedStmt);
                statement.commandType = pg_sys::CmdType::CMD_UTILITY;
                statement.canSetTag = false;
                statement.utilityStmt = (*raw).stmt;
                statement.stmt_location = (*raw).stmt_location;
                statement.stmt_len = (*raw).stmt_len;
                if before.is_some() {
                    super::guc::set(c"lock_timeout", lock_timeout);
                }
                pg_sys::SetUserIdAndSecContext(role, context | fence as i32);
                pg_sys::ForgetPortalSnapshots();
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
                pg_sys::ProcessUtility(
                    statement.into_pg(),
                    sql.as_ptr(),
                    false,
                    pg_sys::ProcessUtilityContext::PROCESS_UTILITY_TOPLEVEL,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                    pg_sys::None_Receiver,
                    std::ptr::null_mut(),
                );
                if pg_sys::ActiveSnapshotSet() {
                    pg_sys::PopActiveSnapshot();
                }
                pg_sys::CommitTransactionCommand();
                Ok(())
            }))
            .catch_others(|e| Err(Error::from(e)));
            let done = listening(|| attempt.execute());
            if done.is_err() {
                pg_sys::AbortCurrentTransaction();
            }
            pg_sys::SetUserIdAndSecContext(user, context);
            pg_sys::StartTransactionCommand();
            if let Some(Ok(before)) = &before {
                // in a transaction of its own, that what comes next cannot undo it
                super::guc::set(c"lock_timeout", before);
                pg_sys::CommitTransactionCommand();
                pg_sys::StartTransactionCommand();
            }
            pg_sys::MemoryContextSwitchTo(self.outside);
            pg_sys::MemoryContextDelete(memory);
            pg_sys::EnsurePortalSnapshotExists();
            pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32);
            pg_sys::MemoryContextSwitchTo(self.memory);
            done
        }
    }
}

/// Whether a fence may be kept up over the end of a transaction. The server means it to be down where the next
/// one begins; one that was built to check such things stops there.
pub fn can_be_fenced() -> bool {
    super::guc::value(c"debug_assertions").is_none_or(|on| on != b"on")
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
    // SAFETY: reads variables of the backend; a connection of our own, finished below; after an error the
    // server closes it.
    let transactions = unsafe {
        let by_client = !pg_sys::SPI_inside_nonatomic_context();
        let outside = pg_sys::CurrentMemoryContext;
        let memory = pg_sys::AllocSetContextCreateInternal(
            outside,
            c"dbguard procedure".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32);
        pg_sys::MemoryContextSwitchTo(memory);
        Transactions { by_client, outside, memory, commits: Cell::new(0) }
    };
    let result = body(&transactions);
    // SAFETY: pairs with the connect above, which puts back the caller's memory.
    unsafe {
        pg_sys::SPI_finish();
        pg_sys::MemoryContextDelete(transactions.memory);
    }
    result
}

/// Argument number `n` of a procedure, of the type SQL declares it with.
pub fn argument<T: pgrx::FromDatum>(fcinfo: pg_sys::FunctionCallInfo, n: usize) -> Option<T> {
    // SAFETY: the server passes a valid fcinfo with as many arguments as SQL declares; a number beyond them
    // would be refused by the bounds check inside.
    unsafe { pgrx::fcinfo::pg_getarg(fcinfo, n) }
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
