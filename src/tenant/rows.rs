//! Reading and deleting a tenant's rows, with the rights of each table's owner: whatever the table's own code is, it runs
//! as whoever owns it, and no policy hides a row.

use super::owned::Table;
use crate::catalog::hold;
use crate::error::{Error, Result};
use crate::pg::user::{as_role, Fence};
use pgrx::prelude::*;

impl Table {
    pub fn fenced<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        hold(self.oid, self.id(), self.owner)?;
        as_role(self.owner, Fence::RestrictedAllRows, f)
    }

    /// A count, as the caller's statement sees it.
    pub fn count(&self, query: &str) -> Result<i64> {
        self.fenced(|| {
            let rows = Spi::connect(|client| client.select(query, Some(1), &[])?.first().get_one::<i64>())?;
            rows.ok_or_else(|| Error::internal("a count is NULL"))
        })
    }

    /// The same, of what there is by now.
    pub fn count_now(&self, query: &str) -> Result<i64> {
        self.fenced(|| {
            let rows =
                Spi::connect_mut(|client| client.update(query, Some(1), &[])?.first().get_one::<i64>())?;
            rows.ok_or_else(|| Error::internal("a count is NULL"))
        })
    }

    /// How many rows the statement worked on.
    pub fn write(&self, statement: &str) -> Result<i64> {
        self.fenced(|| {
            Ok(Spi::connect_mut(|client| {
                Ok::<_, pgrx::spi::Error>(client.update(statement, None, &[])?.len() as i64)
            })?)
        })
    }
}
