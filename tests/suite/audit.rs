//! Audit: what is logged, for whom, and that it is right.

mod capture;
mod context;
mod enable;
mod history;
mod image;
mod partitioned;
mod replay;
mod rights;
mod schema_changes;
mod survival;
mod transactions;
mod write_path;
