//! Reading the log: `history` of a key, `as_of` a moment. `key` knows keys as users write
//! them, `access` says who may and reads changes, `pack` opens
//! packs, `version` knows a table's columns over time, `rewind` its rows.

pub(super) mod access;
pub(super) mod as_of;
pub(super) mod history;
pub(super) mod key;
pub(super) mod pack;
pub(super) mod rewind;
pub(super) mod version;
