//! Many partitions take the place of one in several moves, none of which locks the table for long: first wider ones
//! beside as many of the grid as fit, then each of the wider ones is divided again.

use super::Range;

/// For how many milliseconds a table may be locked: somewhat shorter than others may have to wait for a lock.
pub const LOCKED: usize = 150;

/// What each partition that is attached costs by itself, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Each {
    /// In the first move, and in those that divide.
    pub first: usize,
    pub later: usize,
}

/// How long the table is locked, in milliseconds, about, as measured on PostgreSQL 15: for each partition that leaves its
/// place or comes to it the server reads anew the bounds of all that are there.
pub fn estimate(pieces: usize, others: usize, each: usize) -> usize {
    pieces.saturating_mul(each.saturating_add((pieces + others) * 30)) / 1000
}

/// How many fit into one move beside others; where not even two do, they are moved two at a time all the same.
fn fit(others: usize, each: usize) -> usize {
    (2..).take_while(|pieces| estimate(*pieces, others, each) <= LOCKED).last().unwrap_or(2)
}

/// The next move: each slice of `cells`, which are ascending, is to be a partition; with them come `rest` partitions
/// that hold none. Those of the grid are the last ones, if not all of them are.
pub fn next(cells: &[Range], rest: usize, others: usize, each: Each) -> Vec<&[Range]> {
    plan(cells, rest, others, each).0
}

/// What it comes to from there to the end.
pub fn cost(cells: &[Range], rest: usize, others: usize, each: Each) -> Cost {
    plan(cells, rest, others, each).1
}

/// What all moves together come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub moves: usize,
    /// The longest lock, in milliseconds.
    pub longest: usize,
}

fn plan(cells: &[Range], rest: usize, others: usize, each: Each) -> (Vec<&[Range]>, Cost) {
    let at_once = estimate(cells.len() + rest, others, each.first);
    if at_once > LOCKED {
        let divided = divide(cells, rest, others, each);
        let cost = cost_of(&divided, rest, others, each);
        // what has gaps cannot be put together: copying twice must be worth it
        if cost.longest <= LOCKED.max(at_once * 3 / 4) {
            return (divided, cost);
        }
    }
    (cells.chunks(1).collect(), Cost { moves: 1, longest: at_once })
}

fn divide(cells: &[Range], rest: usize, others: usize, each: Each) -> Vec<&[Range]> {
    let most = fit(others, each.first).saturating_sub(rest).max(2);
    // a wider one that its own move can divide, and never all of them in one
    let width = fit(others + most, each.later).max(cells.len().div_ceil(most));
    let width = width.min(cells.len().saturating_sub(1)).max(1);
    let mut excess = cells.len().saturating_sub(most);
    let mut slices = Vec::with_capacity(most);
    let mut left = cells;
    while !left.is_empty() {
        let adjacent = left.windows(2).take(excess.min(width - 1));
        let count = 1 + adjacent.take_while(|pair| matches!(pair, [a, b] if a.to == b.from)).count();
        let (slice, others) = left.split_at(count);
        excess -= count - 1;
        slices.push(slice);
        left = others;
    }
    slices
}

fn cost_of(slices: &[&[Range]], rest: usize, others: usize, each: Each) -> Cost {
    let mut all = Cost { moves: 1, longest: estimate(slices.len() + rest, others, each.first) };
    // what is replaced is there no more
    let mut others = (others + slices.len() + rest).saturating_sub(1);
    for slice in slices.iter().filter(|slice| slice.len() > 1) {
        let (_, inner) = plan(slice, 0, others, Each { first: each.later, later: each.later });
        all.moves += inner.moves;
        all.longest = all.longest.max(inner.longest);
        others += slice.len() - 1;
    }
    all
}

#[cfg(test)]
#[path = "tests/rounds.rs"]
mod tests;
