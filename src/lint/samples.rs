//! What ANALYZE found in the columns that rules ask about, as far as the caller may see it.

use crate::error::Result;
use crate::lint::read::{rows, Row};
use crate::lint::statistics::AS_WRITTEN;
use crate::pg::guc;
use dbguard_core::lint::catalog::{Facts, Sample};
use std::collections::HashMap;

pub fn read(facts: &mut Facts) -> Result<()> {
    let mut samples: HashMap<(u32, i16), std::result::Result<Sample, String>> = HashMap::new();
    let found = guc::with(AS_WRITTEN, || rows(include_str!("sql/samples.sql"), sample))?;
    for (column, _, sample) in found {
        // with its heirs or partitions before alone
        samples.entry(column).or_insert(sample);
    }
    for r in &mut facts.relations {
        for a in &mut r.attributes {
            a.sample = samples.remove(&(r.oid, a.num));
        }
    }
    Ok(())
}

type Found = ((u32, i16), bool, std::result::Result<Sample, String>);

fn sample(r: Row) -> Result<Found> {
    let column = (r.oid(1)?, r.get(2)?);
    if let Some(reason) = r.maybe::<String>(3)? {
        return Ok((column, false, Err(reason)));
    }
    let sample = Sample {
        nulls: r.get(5)?,
        width: r.get(6)?,
        distinct: r.get(7)?,
        common: r.list(8)?,
        bounds: r.list(9)?,
        has_others: r.get(10)?,
    };
    Ok((column, r.get(4)?, Ok(sample)))
}
