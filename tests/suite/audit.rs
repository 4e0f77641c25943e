//! Audit: what is logged, for whom, and that it is right.

mod capture;
mod context;
mod ddl;
mod enable;
mod history;
mod image;
mod import;
mod partitioned;
mod replay;
mod rights;
mod schema_changes;
mod ship;
mod survival;
mod transactions;
mod write_path;
