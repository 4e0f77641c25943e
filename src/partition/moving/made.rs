//! The tables that were made for a move, by what was noted of them. The owner of the schema may drop them, and make
//! others of the same names with code that would run as the owner of the set: each transaction looks before it
//! names one.

use super::still::text;
use crate::catalog::{hold, is_still};
use crate::error::{Error, Result};
use crate::partition::set::Set;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// The roles of what is made for rows.
pub const PIECES: [&str; 2] = ["piece", "work"];
pub const KEYS: [&str; 1] = ["keys"];

/// One of them.
pub struct Made {
    pub oid: Oid,
    schema: String,
    name: String,
}

pub fn all(set: &Set) -> Result<Vec<Made>> {
    const MADE: &str = "
        SELECT relation, schema_name::text, table_name::text FROM dbguard.partition_move
        WHERE parent = $1 AND role NOT IN ('source', 'wide') ORDER BY 1";
    Spi::connect_mut(|client| {
        let mut made = vec![];
        for row in client.update(MADE, None, &[set.parent.into()])? {
            let (Some(oid), Some(schema), Some(name)) = (row.get(1)?, row.get(2)?, row.get(3)?) else {
                continue;
            };
            made.push(Made { oid, schema, name });
        }
        Ok(made)
    })
}

impl Made {
    /// To be asked when it is locked.
    pub fn is_still(&self, set: &Set) -> Result<()> {
        is_still(self.oid, (&self.schema, &self.name), set.owner).map_err(again)
    }

    fn hold(&self, set: &Set) -> Result<()> {
        hold(self.oid, (&self.schema, &self.name), set.owner).map_err(again)
    }
}

fn again(e: Error) -> Error {
    e.hint("Call the procedure again.")
}

/// They stay what they are until the transaction ends.
pub fn hold_all(set: &Set) -> Result<()> {
    all(set)?.iter().try_for_each(|made| made.hold(set))
}

/// Those of some roles as one text: any ALTER, GRANT or TRUNCATE makes another version of their rows in the catalog.
pub fn version(set: &Set, roles: &[&str]) -> Result<String> {
    const VERSION: &str = "
        SELECT string_agg(row(m.relation, c.xmin)::text, ',' ORDER BY m.relation)
        FROM dbguard.partition_move m LEFT JOIN pg_class c ON c.oid = m.relation
        WHERE m.parent = $1 AND m.role = ANY ($2)";
    let roles: Vec<&str> = roles.to_vec();
    Ok(text(VERSION, &[set.parent.into(), roles.into()])?.unwrap_or_default())
}
