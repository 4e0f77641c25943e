//! Many partitions are not attached at once, for the table would be locked for long: some are made wider than the grid
//! first, and each of these is divided in a move of its own.

use super::source::Source;
use super::survey::Part;
use crate::partition::set::Set;
use dbguard_core::partition::{rounds, Range};

/// A rest of so many rows in the default partition is scanned with each partition that is attached beside it, but for a
/// check that lasts one move.
const SMALL_REST: i64 = 1000;

/// The parts of the next move: some of them may be of several ranges.
pub fn next(set: &Set, parts: Vec<Part>) -> Vec<Part> {
    if !is_divided(&parts) {
        return parts;
    }
    let (cells, rest): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(Part::is_cell);
    let merged = |range: Range| {
        let holds = |cell: Range| range.from <= cell.from && cell.to <= range.to;
        let within = || cells.iter().filter(|cell| cell.range.is_some_and(holds));
        Part { range: Some(range), rows: within().map(|cell| cell.rows).sum(), is_wide: within().count() > 1 }
    };
    let ranges = rounds::next(&ranges(&cells), rest.len(), set.partitions.len());
    ranges.into_iter().map(merged).chain(rest).collect()
}

fn is_divided(parts: &[Part]) -> bool {
    !parts.iter().any(|part| part.range.is_none() && part.rows > SMALL_REST)
}

fn ranges(parts: &[Part]) -> Vec<Range> {
    parts.iter().filter(|part| part.is_cell()).filter_map(|part| part.range).collect()
}

/// What is to be told before rows are moved by copying, if the table would be, or will be, locked for long.
pub fn note(set: &Set, source: &Source, parts: &[Part]) -> Option<String> {
    let others = set.partitions.len();
    let (count, at_once) = (parts.len(), rounds::estimate(parts.len(), others));
    if at_once <= rounds::LOCKED {
        return None;
    }
    if is_divided(parts) {
        let cells = ranges(parts);
        let cost = rounds::cost(&cells, count - cells.len(), others);
        if cost.interim > 0 {
            return Some(format!(
                "{count} partitions attached at once would lock the table for about {at_once} ms. They are made in {} moves of \
                 at most about {} ms; each but the first copies the rows of a wider partition again.",
                cost.moves, cost.longest
            ));
        }
    }
    let instead = match source.range {
        None => "Give a smaller most, and call it again with more each time: what is left stays in the default partition.",
        Some(_) => "Choose an hour when nobody minds.",
    };
    Some(format!(
        "The table will be locked for about {at_once} ms, for {count} partitions are attached at once. {instead}"
    ))
}
