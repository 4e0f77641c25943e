//! The log itself: `make` makes it, `log_option` and `maintain` look after it, `oldest` knows where it begins,
//! `lineage` which of its tables a table is.

pub(super) mod lineage;
pub(super) mod log_option;
pub(super) mod maintain;
pub(super) mod make;
pub(super) mod oldest;
