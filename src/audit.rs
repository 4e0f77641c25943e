//! Audit: who changed what, when, from what. `trigger` is the hot path; `target` knows an audited
//! relation, `image` shows its rows as jsonb, `buffer` keeps changes until their statement ends (`moved`
//! joins the halves of a move), `log` writes them (`packing` packs), `context` says who, `record` notes
//! what is no change of a row;
//! `options` is what was asked for (`choice` its words, `wanted` a caller's arguments), `audited` what a
//! table's triggers say; `enable` sets up (`all` many tables, `auto` new ones), `follow` keeps up with new
//! names, `leaves` with partitions, `pause` rests; `status` and `history` read, `problems` knows what is
//! wrong; `make` makes the log, `log_option` and `maintain` look after it. Evidence: `guard` keeps the log
//! from being changed, `seal` hashes it into a chain (`chain`, of `members`), `verify` looks whether it
//! still is what was sealed (`sealed`) but for `differences`, `redact` erases what must not be kept
//! (`life` finds it) and `redactions` remembers that.

mod all;
mod audited;
mod auto;
mod buffer;
mod chain;
mod choice;
mod context;
mod differences;
mod enable;
mod follow;
mod guard;
mod history;
mod image;
mod leaves;
mod life;
mod lineage;
mod log;
mod log_option;
mod maintain;
mod make;
mod members;
mod moved;
mod options;
mod pack;
mod packing;
mod partitions;
mod pause;
mod paused;
mod pledge;
mod problems;
mod record;
mod redact;
mod redactions;
mod seal;
mod sealed;
mod status;
mod target;
mod trigger;
mod truncated;
mod verify;
mod wanted;

/// Called when the library is loaded.
pub fn install() {
    crate::pg::statement::install(crate::pg::statement::Ends {
        pending: buffer::pending,
        flush: buffer::flush,
        subtransaction_aborted: buffer::subtransaction_aborted,
        before_commit: pledge::before_commit,
        transaction_over: |committed| {
            buffer::transaction_over();
            pledge::transaction_over(committed);
        },
    });
}
