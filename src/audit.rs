//! Audit: who changed what, when, from what. `trigger` is the hot path; `target` knows an audited
//! relation, `image` shows its rows as jsonb, `log` writes, `context` says who;
//! `options` is what was asked for, `audited` what a table's triggers say; `enable` sets up,
//! `follow` keeps up with renamed and dropped columns, `status` and `history` read.

mod audited;
mod context;
mod enable;
mod follow;
mod history;
mod image;
mod lineage;
mod log;
mod options;
mod pack;
mod status;
mod target;
mod trigger;
