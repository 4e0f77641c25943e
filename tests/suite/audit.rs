//! Audit: what is logged, for whom, and that it is right.

mod all;
mod as_of;
mod as_of_columns;
mod as_of_rights;
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
mod reading;
mod reading_plans;
mod replay;
mod rights;
mod schema_changes;
mod survival;
mod transactions;
mod write_path;
