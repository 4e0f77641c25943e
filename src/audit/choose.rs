//! Which tables are audited, and how. `options` is what was asked for (`choice` its words, `wanted` a caller's
//! arguments), `audited` what a table's triggers say; `enable` sets up (`all` many tables, `auto` new ones),
//! `follow` keeps up with new names and columns, `leaves` with partitions (`partitions` is told of them), `pause`
//! rests (`paused` is how that is kept); `status` shows, `problems` knows what is wrong.

pub(super) mod all;
pub(super) mod audited;
pub(super) mod auto;
pub(crate) mod carry;
pub(super) mod choice;
pub(super) mod enable;
pub(super) mod follow;
pub(super) mod leaves;
pub(super) mod options;
pub(super) mod partitions;
pub(super) mod pause;
pub(super) mod paused;
pub(super) mod problems;
pub(super) mod status;
pub(super) mod wanted;
