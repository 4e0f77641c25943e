//! Sequences and the columns they feed.

use crate::error::Result;
use crate::lint::read::rows;
use dbguard_core::lint::catalog::Sequence;
use std::collections::{HashMap, HashSet};

pub fn sequences() -> Result<Vec<Sequence>> {
    let mut feeds: HashMap<u32, Vec<(u32, i16)>> = HashMap::new();
    let mut owned: HashSet<u32> = HashSet::new();
    let all = rows(include_str!("sql/sequence_feeds.sql"), |r| {
        Ok((r.oid(1)?, (r.oid(2)?, r.get::<i16>(3)?), r.get::<bool>(4)?))
    })?;
    for (sequence, column, owns) in all {
        let columns = feeds.entry(sequence).or_default();
        if !columns.contains(&column) {
            columns.push(column);
        }
        if owns {
            owned.insert(sequence);
        }
    }
    rows(include_str!("sql/sequences.sql"), |r| {
        let oid = r.oid(1)?;
        Ok(Sequence {
            oid,
            schema: r.get(2)?,
            name: r.get(3)?,
            maximum: r.get(4)?,
            increment: r.get(5)?,
            cycle: r.get(6)?,
            unreadable: r.maybe(7)?,
            unlogged: r.get(8)?,
            owned: owned.contains(&oid),
            last_value: None,
            feeds: feeds.remove(&oid).unwrap_or_default(),
            linted: false,
        })
    })
}
