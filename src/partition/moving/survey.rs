//! Which ranges the rows of a partition go to, and how many go where.

use super::source::Source;
use crate::catalog::hold;
use crate::ddl::moving as ddl;
use crate::error::{Error, Result};
use crate::partition::set::Set;
use crate::pg::user::{as_role, Fence};
use dbguard_core::partition::{civil, plan, Micros, Range};
use pgrx::prelude::*;
use std::collections::HashMap;

/// Where rows go.
pub struct Part {
    /// None: what is left, in a new default partition.
    pub range: Option<Range>,
    pub rows: i64,
    /// To be divided afterwards.
    pub is_wide: bool,
}

impl Part {
    /// Whether it is of the grid, and not what is left below or above it.
    pub fn is_cell(&self) -> bool {
        self.range.is_some_and(|range| range.from != Micros::MIN && range.to != Micros::MAX)
    }
}

/// The parts, ascending, the rest last. `most` is how many partitions may be made.
pub fn parts(set: &Set, source: &Source, most: u32) -> Result<Vec<Part>> {
    match source.range {
        None => of_default(set, source, most),
        Some(range) => of_range(set, source, range, most),
    }
}

/// Whether every row is where it belongs.
pub fn is_done(source: &Source, parts: &[Part]) -> bool {
    parts.is_empty() || source.range.is_some() && parts.len() < 2
}

/// The ranges that have rows, as far as maintenance would make them: a row of the far future makes no
/// partition, one of the far past not more than there may be, and nothing is made only to be retired.
fn of_default(set: &Set, source: &Source, most: u32) -> Result<Vec<Part>> {
    let mut missing = set.missing_since(most)?;
    missing.retain(|range| can_be_written(set, *range));
    let (rows, all) = count(set, source, &missing)?;
    let mut parts: Vec<Part> = missing
        .into_iter()
        .filter_map(|range| {
            rows.get(&range.from).map(|rows| Part { range: Some(range), rows: *rows, is_wide: false })
        })
        .collect();
    if parts.len() > most as usize {
        return Err(too_many(source, parts.len(), most));
    }
    let rest = all - parts.iter().map(|part| part.rows).sum::<i64>();
    if !parts.is_empty() {
        parts.push(Part { range: None, rows: rest, is_wide: false });
    }
    Ok(parts)
}

/// All ranges of the grid within its bounds. Where it has no bound: from the first row on, or to the last one,
/// within so many, and what is left in a partition that has none either.
fn of_range(set: &Set, source: &Source, range: Range, most: u32) -> Result<Vec<Part>> {
    let (grid, open) = (&set.grid, (range.from == Micros::MIN, range.to == Micros::MAX));
    let within = match open {
        (false, false) => range,
        (true, false) => Range { from: plan::back(grid, range.to, most)?, to: range.to },
        (false, true) => Range { from: range.from, to: plan::forth(grid, range.from, most)? },
        (true, true) => {
            let now = grid.cell(grid.clock(set.now)?)?.to;
            let ahead = set.ahead.min(most);
            Range { from: plan::back(grid, now, most - ahead)?, to: plan::forth(grid, now, ahead)? }
        }
    };
    let mut cells = plan::pieces(grid, within)?;
    if open != (false, false) {
        cells.retain(|cell| can_be_written(set, *cell));
    }
    if cells.len() > most as usize {
        return Err(too_many(source, cells.len(), most));
    }
    let (rows, all) = count(set, source, &cells)?;
    let holds = |cell: &Range| rows.contains_key(&cell.from);
    if open.0 {
        let first = cells.iter().position(holds).unwrap_or(cells.len());
        cells.drain(..first);
    }
    if open.1 {
        let end = cells.iter().rposition(holds).map_or(0, |last| last + 1);
        cells.truncate(end);
    }
    let (Some(first), Some(last)) = (cells.first().copied(), cells.last().copied()) else {
        return Ok(vec![]);
    };
    let part = |range: Range, rows: i64| Part { range: Some(range), rows, is_wide: false };
    let of_cell = |range: Range| part(range, *rows.get(&range.from).unwrap_or(&0));
    let mut parts: Vec<Part> = cells.into_iter().map(of_cell).collect();
    let left = all - parts.iter().map(|part| part.rows).sum::<i64>();
    // beyond both ends at once nobody counts which rows lie where
    if open.1 {
        parts.push(part(Range { from: last.to, to: Micros::MAX }, left));
    }
    if open.0 {
        let rows = if open.1 { 0 } else { left };
        parts.push(part(Range { from: Micros::MIN, to: first.from }, rows));
    }
    Ok(parts)
}

/// A key may have no value for what lies far back: a UUID none before 1970.
fn can_be_written(set: &Set, range: Range) -> bool {
    civil::literals(set.grid.key, range).is_ok()
}

fn too_many(source: &Source, are: usize, most: u32) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        format!("the rows of \"{}\" belong to {are} partitions, more than {most}", source.name),
    )
    .hint(format!("Allow them with most => {are}, or choose a wider interval."))
}

/// The rows in each range, by its lower bound, of those that have any; and how many rows there are at all.
fn count(set: &Set, source: &Source, ranges: &[Range]) -> Result<(HashMap<Micros, i64>, i64)> {
    let mut edges: Vec<Micros> = ranges.iter().flat_map(|range| [range.from, range.to]).collect();
    edges.sort_unstable();
    edges.dedup();
    if edges.is_empty() {
        return Ok((HashMap::new(), 0));
    }
    let key = set.grid.key;
    let bounds = edges.iter().map(|at| Ok(civil::literal(key, *at)?)).collect::<Result<Vec<String>>>()?;
    let query = ddl::count(source.table(), &source.key());
    hold(source.oid, source.table(), set.owner)?;
    let counted = as_role(set.owner, Fence::RestrictedAllRows, || {
        Spi::connect(|client| {
            let mut counted: Vec<(Option<i32>, i64)> = vec![];
            for row in client.select(&query, None, &[bounds.into()])? {
                counted.push((row.get(1)?, row.get(2)?.unwrap_or(0)));
            }
            Ok::<_, Error>(counted)
        })
    })?;
    let all = counted.iter().map(|(_, rows)| rows).sum();
    let at = |bucket: i32| usize::try_from(bucket - 1).ok().and_then(|i| edges.get(i));
    let rows = counted.iter().filter_map(|(bucket, rows)| Some((*at((*bucket)?)?, *rows))).collect();
    Ok((rows, all))
}
