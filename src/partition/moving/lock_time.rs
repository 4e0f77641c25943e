//! How long the table is locked where many partitions are attached at once.

use super::source::Source;
use super::survey::Part;
use crate::partition::set::Set;

/// The longest that nobody need be told of: as long as others may have to wait for a lock.
const BUDGET: usize = 200;

/// In milliseconds, about, as measured on PostgreSQL 15: for each partition that leaves its place or comes to it the
/// server reads anew the bounds of all that are there.
fn estimate(pieces: usize, others: usize) -> usize {
    pieces * 2 + pieces * (pieces + others) * 3 / 100
}

/// What is to be told before rows are moved by copying, if it will be long.
pub fn warning(set: &Set, source: &Source, parts: &[Part]) -> Option<String> {
    let others = set.partitions.len();
    let time = estimate(parts.len(), others);
    if time <= BUDGET {
        return None;
    }
    let fit = (1..parts.len()).rev().find(|pieces| estimate(*pieces, others) <= BUDGET).unwrap_or(1);
    let instead = match source.range {
        None => format!(
            "Give a smaller most, such as {fit}, and call it again with more each time: what is left stays in the default partition."
        ),
        Some(_) => "Choose an hour when nobody minds.".to_owned(),
    };
    let count = parts.len();
    Some(format!(
        "The table will be locked for about {time} ms, for {count} partitions are attached at once. {instead}"
    ))
}
