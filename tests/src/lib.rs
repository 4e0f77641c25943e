//! One throwaway cluster a run, one database a test.
//!
//! `Cluster::shared()` is the cluster of this run; `Db::new()` makes a database in it with the
//! extension installed and drops it at the end. A test that stops, kills or configures its server
//! starts its own with `Cluster::start`. The server runs as an unprivileged user even under root.

mod cluster;
mod db;

pub use cluster::Cluster;
pub use db::{Db, Heard, SqlError};
