//! Audit: who changed what, when, from what. `trigger` is the hot path; `target` knows an audited
//! relation, `image` shows its rows as jsonb, `log` writes, `context` says who; `enable` sets up,
//! `follow` keeps up with renamed and dropped columns, `status` and `history` read.

mod context;
mod enable;
mod follow;
mod history;
mod image;
mod log;
mod options;
mod status;
mod target;
mod trigger;
