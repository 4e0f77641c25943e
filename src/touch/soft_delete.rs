//! Soft delete: a DELETE sets a column instead.

mod children;
mod enable;
mod keys;
mod live;
mod plan;
mod purge;
mod restore;
mod status;
mod trigger;
