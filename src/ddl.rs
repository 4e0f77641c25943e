//! The only place that builds SQL text. Names are quoted by `dbguard_core::quote`; one function
//! a statement kind, a file a part; nothing else in the project glues a name or a value into a
//! statement.

pub mod as_of;
pub mod audit;
pub mod audit_log;
pub mod auto;
pub mod command;
pub mod convert;
pub mod health;
pub mod import;
pub mod lint;
pub mod moving;
pub mod partition;
pub mod partman;
pub mod publication;
pub mod referrers;
pub mod retire;
pub mod revert;
pub mod soft_delete;
pub mod standard;
pub mod tenant;
pub mod tenant_data;
pub mod touch;

use crate::pg::user::{as_role, Fence};
use pgrx::prelude::*;

/// Runs one statement. Its errors are PostgreSQL's own and go straight to the client.
pub fn run(statement: &str) -> crate::error::Result<()> {
    Ok(Spi::run(statement)?)
}

/// The same with the rights of the owner of what it changes.
pub fn as_owner(owner: pgrx::pg_sys::Oid, statement: &str) -> crate::error::Result<()> {
    as_role(owner, Fence::Restricted, || run(statement))
}
