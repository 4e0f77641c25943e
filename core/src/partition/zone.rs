//! A time zone, from a tz database that is compiled in: the same on every server, whatever tzdata
//! the server has. Should the two differ for a zone, bounds are still right in UTC.

use super::{civil, Error, Micros, Result, SECOND};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

/// A moment at which the clocks of a zone were changed.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub at: Micros,
    /// What the clock would have read without the change, and what it read.
    pub old: Micros,
    pub new: Micros,
}

impl Zone {
    /// A zone by its name in the tz database (case does not matter).
    pub fn named(name: &str) -> Result<Zone> {
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| Error::UnknownZone)?;
        if zone.is_unknown() {
            return Err(Error::UnknownZone);
        }
        Ok(Zone(zone))
    }

    /// What the clock reads at `at`.
    pub fn read(&self, at: Micros) -> Result<Micros> {
        let offset = self.0.to_offset(civil::timestamp(at)?);
        at.checked_add(i64::from(offset.seconds()) * SECOND).ok_or(Error::OutOfRange)
    }

    /// When the clock first read `read`, or jumped over it.
    pub fn first(&self, read: Micros) -> Result<Micros> {
        let ambiguous = self.0.to_ambiguous_timestamp(civil::datetime(read)?);
        let offset = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Fold { before, .. } => before,
            AmbiguousOffset::Gap { before, .. } => {
                let late = read - i64::from(before.seconds()) * SECOND;
                return Ok(self.change_before(late)?.map_or(late, |change| change.at));
            }
        };
        Ok(read - i64::from(offset.seconds()) * SECOND)
    }

    /// The last change at or before `at`.
    pub fn change_before(&self, at: Micros) -> Result<Option<Change>> {
        let after = civil::timestamp(at.checked_add(1).ok_or(Error::OutOfRange)?)?;
        let change = self.0.preceding(after).next().map(|change| civil::micros(change.timestamp()));
        change.map(|at| self.change(at)).transpose()
    }

    /// The first change after `at`.
    pub fn change_after(&self, at: Micros) -> Result<Option<Change>> {
        let change = self.0.following(civil::timestamp(at)?).next();
        change.map(|change| self.change(civil::micros(change.timestamp()))).transpose()
    }

    fn change(&self, at: Micros) -> Result<Change> {
        Ok(Change { at, old: self.read(at - 1)? + 1, new: self.read(at)? })
    }
}
