//! Audit: who changed what, when, from what. `trigger` is the hot path; `target` knows an audited
//! relation, `image` shows its rows as jsonb, `buffer` keeps changes until their statement ends (`moved`
//! joins the halves of a move), `log` writes them (`packing` packs), `context` says who;
//! `options` is what was asked for, `audited` what a table's triggers say; `enable` sets up,
//! `follow` keeps up with renamed and dropped columns, `status` shows. `read` reads the log for `history`
//! and for `as_of` (`version` knows the table's columns over time, `rewind` the rows).

mod as_of;
mod audited;
mod buffer;
mod context;
mod enable;
mod follow;
mod history;
mod image;
mod lineage;
mod log;
mod moved;
mod options;
mod pack;
mod packing;
mod read;
mod rewind;
mod status;
mod target;
mod trigger;
mod version;

/// Called when the library is loaded.
pub fn install() {
    crate::pg::statement::install(crate::pg::statement::Ends {
        pending: buffer::pending,
        flush: buffer::flush,
        subtransaction_aborted: buffer::subtransaction_aborted,
        transaction_over: buffer::transaction_over,
    });
}
