//! Audit: what is logged, for whom, and that it is right.

mod all;
mod auto;
mod capture;
mod context;
mod enable;
mod history;
mod image;
mod leaves;
mod lineage;
mod log_option;
mod options;
mod partitioned;
mod pause;
mod replay;
mod rights;
mod schema_changes;
mod survival;
mod transactions;
mod write_path;
