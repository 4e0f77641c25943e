//! What happens when an audited table is written. `trigger` is the hot path (`truncated` what is special to
//! TRUNCATE); `target` knows an audited relation, `image` shows its rows as jsonb, `buffer` keeps changes until
//! their statement ends (`moved` joins the halves of a move), `log` writes them (`packing` decides which are
//! packed), `context` says who, `record` notes what is no change of a row. `pledge` knows which rows of the log
//! memory relies on, `tally` counts for NOTIFY.

pub(super) mod buffer;
pub(super) mod context;
pub(super) mod image;
pub(super) mod log;
pub(super) mod moved;
pub(super) mod packing;
pub(super) mod pledge;
pub(super) mod record;
pub(super) mod tally;
pub(super) mod target;
pub(super) mod trigger;
pub(super) mod truncated;
