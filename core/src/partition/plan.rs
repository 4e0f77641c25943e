//! What a set is short of.

use super::grid::Grid;
use super::{Error, Micros, Range, Result};

/// No set needs more at once; one that seems to was given a wrong width or has a stray partition.
pub const MOST: usize = 10_000;

/// The ranges to make, ascending: everything between the first partition there is (or the cell
/// holding `now`, given in UTC) and the end of the `ahead`-th cell after that one, less what
/// exists. Cut at the grid; where a neighbour lies off it, a short piece bridges the gap.
/// The data never matters: a row dated in the far future moves no horizon.
pub fn missing(grid: &Grid, now: Micros, ahead: u32, existing: &[Range]) -> Result<Vec<Range>> {
    missing_since(grid, now, 0, ahead, existing)
}

/// The same from the `behind`-th cell before the one holding `now`, at the latest.
pub fn missing_since(
    grid: &Grid,
    now: Micros,
    behind: u32,
    ahead: u32,
    existing: &[Range],
) -> Result<Vec<Range>> {
    let current = grid.cell(grid.clock(now)?)?;
    let mut earliest = current.from;
    for _ in 0..behind {
        earliest = grid.cell(earliest - 1)?.from;
    }
    let mut horizon = current.to;
    for _ in 0..ahead {
        horizon = grid.cell(horizon)?.to;
    }
    let mut existing = existing.to_vec();
    // what holds an infinity alone lies beyond all times
    existing.retain(|have| have.from < have.to);
    existing.sort_unstable();
    let first = existing.iter().map(|have| if have.from == Micros::MIN { have.to } else { have.from });
    let mut at = first.min().map_or(earliest, |first| first.min(earliest));

    let mut missing = Vec::new();
    for have in existing {
        cut(grid, Range { from: at, to: have.from.min(horizon) }, &mut missing)?;
        at = at.max(have.to);
    }
    cut(grid, Range { from: at, to: horizon }, &mut missing)?;
    Ok(missing)
}

/// How far the set reaches without a hole from the cell that holds `now`; `None` when that is missing.
pub fn covered_until(grid: &Grid, now: Micros, existing: &[Range]) -> Result<Option<Micros>> {
    let now = grid.clock(now)?;
    let mut existing = existing.to_vec();
    existing.sort_unstable();
    let mut at = now;
    for have in existing {
        if have.from <= at && have.to > at {
            at = have.to;
        }
    }
    Ok((at > now).then_some(at))
}

/// A range cut at the grid, ascending; bounded on both sides.
pub fn pieces(grid: &Grid, range: Range) -> Result<Vec<Range>> {
    let mut pieces = Vec::new();
    cut(grid, range, &mut pieces)?;
    Ok(pieces)
}

/// Where the `count`-th cell before the bound `at` begins.
pub fn back(grid: &Grid, at: Micros, count: u32) -> Result<Micros> {
    (0..count).try_fold(at, |at, _| Ok(grid.cell(at - 1)?.from))
}

/// Where the `count`-th cell from the bound `at` on ends.
pub fn forth(grid: &Grid, at: Micros, count: u32) -> Result<Micros> {
    (0..count).try_fold(at, |at, _| Ok(grid.cell(at)?.to))
}

/// Cuts a gap at the grid.
fn cut(grid: &Grid, gap: Range, pieces: &mut Vec<Range>) -> Result<()> {
    let mut from = gap.from;
    while from < gap.to {
        if pieces.len() == MOST {
            return Err(Error::TooMany(MOST));
        }
        let to = grid.cell(from)?.to.min(gap.to);
        pieces.push(Range { from, to });
        from = to;
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests/plan.rs"]
mod tests;
