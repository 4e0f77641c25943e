//! What a new default partition holds nothing of: the ranges of all others. With a check that says so ATTACH need not
//! scan it.

use super::source::Source;
use super::stage::Piece;
use crate::ddl::moving::{self as ddl, Bounds};
use crate::error::Result;
use crate::partition::set::Set;
use pgrx::prelude::*;
use std::collections::{HashMap, HashSet};

/// A scan of so few rows is shorter than the proof.
const FEW_LEFT: i64 = 1000;

/// The statement that adds the check to the table of the rest, if it is worth while and the bounds are known.
pub fn check(set: &Set, source: &Source, pieces: &[Piece]) -> Result<Option<String>> {
    let Some(rest) = pieces.iter().find(|piece| piece.is_default && piece.rows > FEW_LEFT) else {
        return Ok(None);
    };
    let Some(mut ranges) = others(set)? else { return Ok(None) };
    let made = pieces.iter().filter(|piece| !piece.is_default);
    ranges.extend(made.map(|piece| (piece.lower.clone(), piece.upper.clone())));
    Ok(Some(ddl::add_outside((&set.schema, &rest.name), &source.key(), &merged(ranges))))
}

/// The bounds of the partitions there are, in the server's words; none if one of them is written otherwise.
fn others(set: &Set) -> Result<Option<Vec<Bounds>>> {
    const OTHERS: &str = "
        SELECT m IS NULL, m[1], m[2]
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid),
          '^FOR VALUES FROM [(](?:''([^'']*)''|MINVALUE)[)] TO [(](?:''([^'']*)''|MAXVALUE)[)]$') m
        WHERE i.inhparent = $1 AND c.oid <> (SELECT partdefid FROM pg_partitioned_table WHERE partrelid = $1)";
    Spi::connect(|client| {
        let mut others = vec![];
        for row in client.select(OTHERS, None, &[set.parent.into()])? {
            if row.get::<bool>(1)? != Some(false) {
                return Ok(None);
            }
            others.push((row.get(2)?, row.get(3)?));
        }
        Ok(Some(others))
    })
}

/// Where one ends and the next begins is no bound.
fn merged(ranges: Vec<Bounds>) -> Vec<Bounds> {
    let ends: HashSet<String> = ranges.iter().filter_map(|(_, upper)| upper.clone()).collect();
    let (begin, follow): (Vec<Bounds>, Vec<Bounds>) =
        ranges.into_iter().partition(|(lower, _)| lower.as_ref().is_none_or(|lower| !ends.contains(lower)));
    let next: HashMap<String, Option<String>> =
        follow.into_iter().filter_map(|(lower, upper)| Some((lower?, upper))).collect();
    let to_the_end = |(lower, mut upper): Bounds| {
        while let Some(further) = upper.as_ref().and_then(|at| next.get(at)) {
            upper.clone_from(&further.clone());
        }
        (lower, upper)
    };
    begin.into_iter().map(to_the_end).collect()
}
