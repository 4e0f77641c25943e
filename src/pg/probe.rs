//! Looking at something that may refuse, without harm to the transaction that asks.

use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use pgrx::{pg_sys, PgTryBuilder};

/// Runs `look` in a subtransaction that is rolled back whatever comes of it: its locks are let go
/// and its settings forgotten. An error comes back as its message; being cancelled is no answer
/// but the end of the statement.
pub fn look<T>(look: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, String> {
    // SAFETY: as PL/pgSQL does it for a block with EXCEPTION: context and owner are put back.
    let (context, owner) = unsafe {
        let saved = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(saved.0);
        saved
    };
    let outcome = PgTryBuilder::new(|| Ok(look()))
        .catch_others(|error| match &error {
            CaughtError::PostgresError(e) | CaughtError::ErrorReport(e)
                if e.sql_error_code() != PgSqlErrorCode::ERRCODE_QUERY_CANCELED =>
            {
                Err(e.message().to_owned())
            }
            _ => error.rethrow(),
        })
        .execute();
    // SAFETY: the subtransaction begun above is the current one again.
    unsafe {
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::RollbackAndReleaseCurrentSubTransaction();
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    outcome
}
