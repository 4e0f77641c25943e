//! Audit: who changed what, when, from what. `choose` is which tables and how, `write` the way of a change into
//! the log, `store` the log itself, `read` and `revert` what people do with it, `evidence` that it is true,
//! `command` DDL in it, `ship` the way out of it, `import` the way of another tool's log into it.

pub(crate) mod choose;
mod command;
mod evidence;
mod import;
mod read;
mod revert;
mod ship;
mod store;
mod write;

pub use command::log_erasure;
pub use evidence::tenant::{last_change, of_tenant, Erasure};
use write::{buffer, pledge, tally};

/// Called when the library is loaded.
pub fn install() {
    crate::pg::statement::install(crate::pg::statement::Ends {
        pending: buffer::pending,
        flush: buffer::flush,
        flush_all: buffer::flush_all,
        subtransaction_aborted: buffer::subtransaction_aborted,
        before_commit: || {
            pledge::before_commit();
            tally::announce();
        },
        before_prepare: pledge::before_commit,
        transaction_over: |committed| {
            buffer::transaction_over();
            tally::transaction_over();
            pledge::transaction_over(committed);
        },
    });
}
