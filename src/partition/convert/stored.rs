//! dbguard.partition_conversion: what was converted, for the way back, and what of it is still to be done.

use crate::error::Result;
use crate::partition::config::write;
use crate::pg::identity;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

pub struct Conversion {
    /// The table that has the name.
    pub relation: Oid,
    /// The one that has the rows.
    pub original: Oid,
    pub bound: String,
    /// Indexes of the partitioned table.
    pub extended: Vec<Oid>,
    pub made_not_null: bool,
    pub to_validate: Vec<Oid>,
    pub finished: bool,
}

/// Those of tables that are gone are forgotten.
pub fn add(conversion: &Conversion) -> Result<()> {
    const GONE: &str = "DELETE FROM dbguard.partition_conversion v
                        WHERE home = $1 AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v.relation)";
    write(GONE, &[identity::database().into()])?;
    write(
        "INSERT INTO dbguard.partition_conversion
           (relation, home, original, bound, extended, made_not_null, to_validate)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (relation, home) DO UPDATE
         SET original = excluded.original, bound = excluded.bound, extended = excluded.extended,
             made_not_null = excluded.made_not_null, to_validate = excluded.to_validate, finished = false, at = excluded.at",
        &[
            conversion.relation.into(),
            identity::database().into(),
            conversion.original.into(),
            conversion.bound.as_str().into(),
            conversion.extended.clone().into(),
            conversion.made_not_null.into(),
            conversion.to_validate.clone().into(),
        ],
    )?;
    Ok(())
}

pub fn of(relation: Oid) -> Result<Option<Conversion>> {
    const ROW: &str = "
        SELECT original, bound, extended, made_not_null, to_validate, finished
        FROM dbguard.partition_conversion WHERE relation = $1 AND home = $2";
    Spi::connect(|client| {
        let args = [relation.into(), identity::database().into()];
        let Some(row) = client.select(ROW, Some(1), &args)?.next() else { return Ok(None) };
        Ok(Some(Conversion {
            relation,
            original: row.get(1)?.unwrap_or(Oid::INVALID),
            bound: row.get(2)?.unwrap_or_default(),
            extended: row.get(3)?.unwrap_or_default(),
            made_not_null: row.get(4)?.unwrap_or(false),
            to_validate: row.get(5)?.unwrap_or_default(),
            finished: row.get(6)?.unwrap_or(false),
        }))
    })
}

pub fn validated(relation: Oid, constraint: Oid) -> Result<()> {
    const VALIDATED: &str =
        "UPDATE dbguard.partition_conversion SET to_validate = array_remove(to_validate, $3)
                             WHERE relation = $1 AND home = $2";
    write(VALIDATED, &[relation.into(), identity::database().into(), constraint.into()]).map(drop)
}

pub fn finished(relation: Oid) -> Result<()> {
    const FINISHED: &str =
        "UPDATE dbguard.partition_conversion SET finished = true WHERE relation = $1 AND home = $2";
    write(FINISHED, &[relation.into(), identity::database().into()]).map(drop)
}

pub fn forget(relation: Oid) -> Result<()> {
    const FORGET: &str = "DELETE FROM dbguard.partition_conversion WHERE relation = $1 AND home = $2";
    write(FORGET, &[relation.into(), identity::database().into()]).map(drop)
}
