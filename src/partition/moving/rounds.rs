//! Many partitions are not attached at once, for the table would be locked for long: some are made wider than the grid
//! first, and each of these is divided in a move of its own.

use super::source::Source;
use super::survey::Part;
use crate::error::Result;
use crate::partition::set::Set;
use dbguard_core::partition::rounds::{self, Each};
use dbguard_core::partition::Range;

/// The parts of the next move: some of them may be of several ranges.
pub fn next(set: &Set, source: &Source, parts: Vec<Part>) -> Result<Vec<Part>> {
    let each = each(set, source, &parts)?;
    let (cells, rest): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(Part::is_cell);
    let ranges: Vec<Range> = cells.iter().filter_map(|cell| cell.range).collect();
    let mut cells = cells.into_iter();
    let mut next = vec![];
    for slice in rounds::next(&ranges, rest.len(), set.partitions.len(), each) {
        let rows = cells.by_ref().take(slice.len()).map(|cell| cell.rows).sum();
        let range =
            slice.first().zip(slice.last()).map(|(first, last)| Range { from: first.from, to: last.to });
        next.push(Part { range, rows, is_wide: slice.len() > 1 });
    }
    next.extend(rest);
    Ok(next)
}

/// What is to be told before rows are moved by copying, if the table would be, or will be, locked for long.
pub fn note(set: &Set, source: &Source, parts: &[Part]) -> Result<Option<String>> {
    let (each, others, count) = (each(set, source, parts)?, set.partitions.len(), parts.len());
    let at_once = rounds::estimate(count, others, each.first);
    if at_once <= rounds::LOCKED {
        return Ok(None);
    }
    let ranges: Vec<Range> =
        parts.iter().filter(|part| part.is_cell()).filter_map(|part| part.range).collect();
    let cost = rounds::cost(&ranges, count - ranges.len(), others, each);
    let mut note = match cost.moves {
        1 => format!("The table will be locked for about {at_once} ms, for {count} partitions are attached at once."),
        moves => format!(
            "{count} partitions attached at once would lock the table for about {at_once} ms. They are made in {moves} moves of \
             at most about {} ms; each but the first copies the rows of a wider partition again.",
            cost.longest
        ),
    };
    if cost.longest > 2 * rounds::LOCKED {
        note += match source.range {
            None => " Give a smaller most, and call it again with more each time: what is left stays in the default partition.",
            Some(_) if each.first > PLAIN && set.has_default => {
                " The default partition is scanned with each of them: drain it first."
            }
            Some(_) => " Choose an hour when nobody minds.",
        };
    }
    Ok(Some(note))
}

/// Microseconds that a partition of a table with one index takes.
const PLAIN: usize = 2000;

/// What is more than plain, and the DEFAULT partition, which the server scans with each partition that is attached
/// beside it. The new one of a drain has a check that spares the scan as long as the move lasts in which it is made.
fn each(set: &Set, source: &Source, parts: &[Part]) -> Result<Each> {
    const MORE: &str = "
        SELECT (SELECT count(*) FROM pg_index WHERE indrelid = $1),
               (SELECT count(*) FROM pg_constraint WHERE conrelid = $1 AND contype = 'f'),
               (SELECT count(*) FROM pg_partition_tree($2) WHERE isleaf),
               (SELECT coalesce(sum(pg_relation_size(d.relid)), 0)::int8
                FROM pg_partitioned_table p CROSS JOIN pg_partition_tree(nullif(p.partdefid, 0)) d
                WHERE p.partrelid = $1 AND d.isleaf)";
    let args = [set.parent.into(), source.oid.into()];
    let counts = super::source::rows(MORE, &args, |row| {
        let count =
            |n| Ok::<_, crate::error::Error>(usize::try_from(row.get::<i64>(n)?.unwrap_or(0)).unwrap_or(0));
        Ok([count(1)?, count(2)?, count(3)?, count(4)?])
    })?;
    let [indexes, keys, leaves, bytes] = counts.into_iter().next().unwrap_or_default();
    let own = PLAIN + 400 * indexes.saturating_sub(1) + 1000 * keys + 300 * leaves.saturating_sub(1);
    // a megabyte in a millisecond
    let scan = bytes / 1024;
    Ok(match source.range {
        None => Each { first: own, later: own + (scan as f64 * left(parts)) as usize },
        Some(_) => Each { first: own + scan, later: own + scan },
    })
}

/// Which share of the rows stays in the default partition.
fn left(parts: &[Part]) -> f64 {
    let rows = |parts: &mut dyn Iterator<Item = &Part>| parts.map(|part| part.rows).sum::<i64>() as f64;
    let all = rows(&mut parts.iter());
    if all > 0.0 {
        rows(&mut parts.iter().filter(|part| part.range.is_none())) / all
    } else {
        0.0
    }
}
