//! Undoing audited changes: what is left of a row's changes (`fold`), what stands in the way
//! (`conflict`), and what goes first (`order`).

pub mod conflict;
pub mod fold;
pub mod image;
pub mod order;
