//! The grid on which partitions of somebody else's making lie.

use super::grid::Grid;
use super::width::Width;
use super::zone::Zone;
use super::{civil, Key, Micros, Range, DAY};

/// A zone and an anchor with which partitions lie on a grid.
#[derive(Debug, PartialEq, Eq)]
pub struct Fit {
    /// Position of the zone among those tried.
    pub zone: usize,
    /// What the zone's clock reads at a point of the grid, where it is not the calendar's.
    pub anchor: Option<Micros>,
    /// How many partitions have a bound that is off it.
    pub off: usize,
}

/// The grid on which most of the newest partitions lie: the calendar's before one from where the newest begins,
/// an earlier zone before a later one. `any_hour`: also days that begin at another hour than midnight, by
/// which a zone that was not tried would look like one that was. `None` when the newest lies on none.
pub fn fit(key: Key, width: Width, zones: &[Zone], existing: &[Range], any_hour: bool) -> Option<Fit> {
    let mut newest: Vec<Range> = existing.to_vec();
    newest.retain(|range| range.from != Micros::MIN && range.to != Micros::MAX);
    newest.sort_unstable_by(|a, b| b.cmp(a));
    let mut best: Option<(usize, Fit)> = None;
    for anchored in [false, true] {
        for (position, zone) in zones.iter().enumerate() {
            let anchor = if anchored { begins(key, width, zone, &newest, any_hour) } else { None };
            if anchored && anchor.is_none() {
                continue;
            }
            let Ok(grid) = Grid::new(key, width, zone.clone(), anchor) else { continue };
            let on: Vec<bool> = newest.iter().map(|range| lies_on(&grid, *range)).collect();
            let score = on.iter().take_while(|on| **on).count();
            let off = on.iter().filter(|on| !**on).count();
            if best.as_ref().is_none_or(|(least, _)| score > *least) {
                best = Some((score, Fit { zone: position, anchor, off }));
            }
        }
    }
    best.filter(|(score, _)| *score > 0 || newest.is_empty()).map(|(_, fit)| fit)
}

/// What the clock reads where the newest partition begins, if a grid may be counted from there.
fn begins(key: Key, width: Width, zone: &Zone, newest: &[Range], any_hour: bool) -> Option<Micros> {
    let from = newest.first()?.from;
    let read = if key.is_moment() { zone.read(from).ok()? } else { from };
    let days = key.is_moment() && width.is_whole_days();
    (any_hour || !days || civil::is_midnight(read)).then_some(read)
}

fn lies_on(grid: &Grid, range: Range) -> bool {
    let edge = |at| grid.cell(at).is_ok_and(|cell| cell.from == at);
    edge(range.from) && edge(range.to)
}

/// An anchor as people write it: the date alone where it is a midnight.
pub fn written(anchor: Micros) -> super::Result<String> {
    let key = if anchor.rem_euclid(DAY) == 0 { Key::Date } else { Key::Timestamp };
    civil::literal(key, anchor)
}

#[cfg(test)]
#[path = "tests/fit.rs"]
mod tests;
