//! Audit: who changed what, when, from what. `trigger` is the hot path; `target` knows an audited
//! relation, `image` shows its rows as jsonb, `buffer` keeps changes until their statement ends (`moved`
//! joins the halves of a move), `log` writes them (`packing` packs), `context` says who, `record` notes
//! what is no change of a row;
//! `options` is what was asked for (`choice` its words, `wanted` a caller's arguments), `audited` what a
//! table's triggers say; `enable` sets up (`all` many tables, `auto` new ones), `follow` keeps up with new
//! names, `leaves` with partitions, `pause` rests; `status` shows, `problems` knows what is wrong;
//! `read` reads the log for `history` and `as_of` (`version` knows a table's columns over time, `rewind` its
//! rows); `make` makes the log, `log_option` and `maintain` look after it;
//! `command` logs DDL, `command_enable` switches that on; `export`, `publication` and `ship` take the log
//! elsewhere, `import` takes another tool's log in. Evidence: `guard` keeps the log from being changed,
//! `seal` hashes it into a chain (`chain`, of `members`), `verify` looks whether it still is what was sealed
//! (`sealed`) but for `differences`, `redact` erases what must not be kept (`life` finds it) and
//! `redactions` remembers that.
//! `revert` undoes changes.

mod all;
mod as_of;
mod audited;
mod auto;
mod bounds;
mod buffer;
mod chain;
mod choice;
mod command;
mod command_enable;
mod context;
mod differences;
mod enable;
mod export;
mod follow;
mod guard;
mod history;
mod image;
mod import;
mod import_source;
mod import_table;
mod leaves;
mod life;
mod lineage;
mod log;
mod log_option;
mod maintain;
mod make;
mod members;
mod misplaced;
mod moved;
mod oldest;
mod options;
mod pack;
mod packing;
mod partitions;
mod pause;
mod paused;
mod pledge;
mod problems;
mod publication;
mod read;
mod record;
mod redact;
mod redactions;
mod revert;
mod rewind;
mod seal;
mod sealed;
mod ship;
mod status;
mod tally;
mod target;
mod trigger;
mod truncated;
mod verify;
mod version;
mod wanted;

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
