//! Audit: what is logged, for whom, and that it is right.

mod as_of;
mod as_of_columns;
mod as_of_rights;
mod capture;
mod context;
mod enable;
mod history;
mod image;
mod partitioned;
mod reading;
mod reading_plans;
mod rights;
mod schema_changes;
mod survival;
mod transactions;
