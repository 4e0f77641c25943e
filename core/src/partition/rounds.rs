//! Many partitions take the place of one in several moves, none of which locks the table for long: first wider ones
//! beside as many of the grid as fit, then each of the wider ones is divided again.

use super::Range;

/// For how many milliseconds a table may be locked: somewhat shorter than others may have to wait for a lock.
pub const LOCKED: usize = 150;

/// For how long it is about, as measured on PostgreSQL 15: for each partition that leaves its place or comes to it the
/// server reads anew the bounds of all that are there.
pub fn estimate(pieces: usize, others: usize) -> usize {
    pieces * 2 + pieces * (pieces + others) * 3 / 100
}

/// How many fit into one move beside others; where not even two do, they are moved two at a time all the same.
fn fit(others: usize) -> usize {
    (2..).take_while(|pieces| estimate(*pieces, others) <= LOCKED).last().unwrap_or(2)
}

/// The ranges of the next move, each of one or several of `cells`, which are ascending; with them come `rest` partitions
/// that hold none. Those of the grid are the last ones, if not all of them are.
pub fn next(cells: &[Range], rest: usize, others: usize) -> Vec<Range> {
    if estimate(cells.len() + rest, others) <= LOCKED {
        return cells.to_vec();
    }
    let most = fit(others).saturating_sub(rest).max(2);
    // a wider one that its own move can divide, and never all of them in one
    let width = fit(others + most).max(cells.len().div_ceil(most)).min(cells.len().saturating_sub(1)).max(1);
    let mut excess = cells.len().saturating_sub(most);
    let mut ranges: Vec<Range> = Vec::with_capacity(most);
    let mut taken = 0;
    for cell in cells {
        match ranges.last_mut().filter(|last| excess > 0 && taken < width && last.to == cell.from) {
            Some(last) => {
                last.to = cell.to;
                excess -= 1;
                taken += 1;
            }
            None => {
                ranges.push(*cell);
                taken = 1;
            }
        }
    }
    ranges
}

/// What all moves together come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub moves: usize,
    /// How many partitions are made only to be divided.
    pub interim: usize,
    /// The longest lock, in milliseconds.
    pub longest: usize,
}

/// What it comes to from `next` to the end.
pub fn cost(cells: &[Range], rest: usize, others: usize) -> Cost {
    let ranges = next(cells, rest, others);
    let mut all = Cost { moves: 1, interim: 0, longest: estimate(ranges.len() + rest, others) };
    let mut others = others + ranges.len() + rest;
    for range in &ranges {
        let within: Vec<Range> =
            cells.iter().copied().filter(|cell| range.from <= cell.from && cell.to <= range.to).collect();
        if within.len() > 1 {
            let inner = cost(&within, 0, others);
            all.moves += inner.moves;
            all.interim += inner.interim + 1;
            all.longest = all.longest.max(inner.longest);
            others += within.len();
        }
    }
    all
}

#[cfg(test)]
#[path = "tests/rounds.rs"]
mod tests;
