//! Catalog queries, read-only: they take no transaction id, so a standby and a READ ONLY
//! transaction will do.

use crate::error::{Error, Result};
use pgrx::pg_sys::Oid;
use pgrx::spi::SpiHeapTupleData;
use pgrx::{FromDatum, IntoDatum, Spi};

/// A row of a catalog query. Columns are counted from 1.
pub struct Row<'r>(SpiHeapTupleData<'r>);

impl Row<'_> {
    pub fn maybe<T: FromDatum + IntoDatum>(&self, n: usize) -> Result<Option<T>> {
        Ok(self.0.get::<T>(n)?)
    }

    pub fn get<T: FromDatum + IntoDatum>(&self, n: usize) -> Result<T> {
        self.maybe(n)?.ok_or_else(|| Error::internal(format!("column {n} of a catalog query is null")))
    }

    pub fn oid(&self, n: usize) -> Result<u32> {
        Ok(self.get::<Oid>(n)?.to_u32())
    }

    /// A "char" or one-letter text.
    pub fn letter(&self, n: usize) -> Result<Option<char>> {
        Ok(self.maybe::<String>(n)?.and_then(|s| s.chars().next()))
    }

    /// An array; NULL is empty.
    pub fn list<T>(&self, n: usize) -> Result<Vec<T>>
    where
        Vec<T>: FromDatum + IntoDatum,
    {
        Ok(self.maybe::<Vec<T>>(n)?.unwrap_or_default())
    }

    pub fn oids(&self, n: usize) -> Result<Vec<u32>> {
        Ok(self.list::<Oid>(n)?.into_iter().map(|o| o.to_u32()).collect())
    }
}

/// One value a row.
pub fn rows<T>(sql: &str, mut each: impl FnMut(Row) -> Result<T>) -> Result<Vec<T>> {
    Spi::connect(|client| {
        let table = client.select(sql, None, &[])?;
        let mut out = Vec::with_capacity(table.len());
        for row in table {
            out.push(each(Row(row))?);
        }
        Ok(out)
    })
}
