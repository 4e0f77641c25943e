//! Soft delete: a DELETE sets a column instead.

mod audited;
mod children;
mod delete;
mod enable;
mod live;
mod meanwhile;
mod partitions;
mod plan;
mod purge;
mod restore;
mod rights;
