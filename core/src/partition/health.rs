//! What is wrong with the ranges of a set.

use super::grid::Grid;
use super::{plan, Micros, Range, Result};

/// In how many cells after the one that holds `now` (given in UTC) every row finds a partition, counted up
/// to `most`; `None` when rows of now find none.
pub fn ahead(grid: &Grid, now: Micros, most: u32, existing: &[Range]) -> Result<Option<u32>> {
    let Some(until) = plan::covered_until(grid, now, existing)? else { return Ok(None) };
    let mut to = grid.cell(grid.clock(now)?)?.to;
    let mut count = 0;
    while count < most {
        to = grid.cell(to)?.to;
        if to > until {
            break;
        }
        count += 1;
    }
    Ok(Some(count))
}

/// Those of the missing ranges that have partitions on both sides.
pub fn holes(missing: &[Range], existing: &[Range]) -> Vec<Range> {
    // what holds an infinity alone lies beyond all times
    let times = || existing.iter().filter(|have| have.from < have.to);
    let (Some(first), Some(last)) = (times().map(|have| have.to).min(), times().map(|have| have.from).max())
    else {
        return Vec::new();
    };
    missing.iter().copied().filter(|gap| gap.from >= first && gap.to <= last).collect()
}

#[cfg(test)]
#[path = "tests/health.rs"]
mod tests;
