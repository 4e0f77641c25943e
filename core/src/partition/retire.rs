//! Which partitions of a set are to go.

use super::zone::Zone;
use super::{civil, Error, Micros, Range, Result};
use jiff::Span;

/// How long partitions are kept. What is not said does not make any go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// A partition goes when its upper bound is not after this, on the key's clock: bounds are exclusive, so
    /// every row in it is older.
    pub cutoff: Option<Micros>,
    /// The oldest go until all together are not larger, in bytes.
    pub most_bytes: Option<i64>,
    /// So many of those that are over stay in any case, the youngest.
    pub at_least: usize,
}

/// A partition as retention sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub range: Range,
    pub bytes: i64,
}

/// The moment an interval before `now` (both in UTC), by the calendar of `zone`: a month before the 31st is
/// the last day of a shorter month, a day before is the same time by the clock on the wall.
pub fn before(zone: &Zone, now: Micros, months: i32, days: i32, micros: i64) -> Result<Micros> {
    let read = civil::datetime(zone.read(now)?)?;
    let span =
        Span::new().try_months(months).and_then(|s| s.try_days(days)).map_err(|_| Error::OutOfRange)?;
    let then = read.checked_sub(span).map_err(|_| Error::OutOfRange)?;
    let at = if then == read { now } else { zone.first(civil::from_datetime(then)?)? };
    at.checked_sub(micros).ok_or(Error::OutOfRange)
}

/// The pieces to go, as positions, oldest first. Never one that holds `now` (on the key's clock) or what is
/// to come, and no fence: where one has no upper bound, the one that has no lower bound is its counterpart, and
/// stays however old it is.
pub fn ripe(pieces: &[Piece], now: Micros, policy: &Policy) -> Vec<usize> {
    let fenced = pieces.iter().any(|piece| piece.range.to == Micros::MAX);
    let is_fence = |piece: &Piece| fenced && piece.range.from == Micros::MIN;
    let is_over = |piece: &Piece| piece.range.to <= now && !is_fence(piece);
    let mut over: Vec<usize> = (0..pieces.len()).filter(|i| is_over(&pieces[*i])).collect();
    over.sort_by_key(|i| pieces[*i].range);
    over.truncate(over.len().saturating_sub(policy.at_least));
    let mut bytes: i64 = pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.bytes));
    over.retain(|i| {
        let old = policy.cutoff.is_some_and(|cutoff| pieces[*i].range.to <= cutoff);
        let large = policy.most_bytes.is_some_and(|most| bytes > most);
        if old || large {
            bytes -= pieces[*i].bytes;
        }
        old || large
    });
    over
}

#[cfg(test)]
#[path = "tests/retire.rs"]
mod tests;
