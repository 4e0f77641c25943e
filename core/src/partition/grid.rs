//! The grid: where partitions begin and end. A pure function of key type, width, zone and anchor;
//! never of the session, of the data or of partitions that exist.

use super::width::Width;
use super::zone::Zone;
use super::{civil, Error, Key, Micros, Range, Result, MINUTE};

#[derive(Debug, Clone)]
pub struct Grid {
    pub key: Key,
    pub width: Width,
    pub zone: Zone,
    /// What the clock reads at one of the edges, from which the others are counted.
    anchor: Micros,
}

impl Grid {
    /// The calendar's grid, or the one that has an edge where the clock reads `anchor`.
    pub fn new(key: Key, width: Width, zone: Zone, anchor: Option<Micros>) -> Result<Grid> {
        let anchor = anchor.unwrap_or(width.calendar());
        civil::datetime(anchor)?;
        if anchor % MINUTE != 0 {
            return Err(Error::AnchorNotWholeMinutes);
        }
        if key == Key::Date && !civil::is_midnight(anchor) {
            return Err(Error::AnchorNotMidnight);
        }
        Ok(Grid { key, width, zone, anchor })
    }

    /// The cell that holds `at` on the key's clock.
    pub fn cell(&self, at: Micros) -> Result<Range> {
        match (self.key, self.width) {
            (key, width) if key.is_moment() && width.is_whole_days() => self.days_cell(at),
            (key, Width::Micros(width)) if key.is_moment() => {
                Ok(Range { from: self.last_edge(at, width)?, to: self.next_edge(at, width)? })
            }
            _ => {
                let index = self.width.index(at, self.anchor)?;
                Ok(Range { from: self.edge(index)?, to: self.edge(index + 1)? })
            }
        }
    }

    /// What the key's clock shows at a moment given in UTC.
    pub fn clock(&self, utc: Micros) -> Result<Micros> {
        if self.key.is_moment() {
            Ok(utc)
        } else {
            self.zone.read(utc)
        }
    }

    /// What partition names show of a bound: the wall clock where a day has one midnight, and UTC
    /// below a day, where an hour of the wall clock can come twice.
    pub fn shown(&self, at: Micros) -> Result<Micros> {
        if self.key.is_moment() && self.width.is_whole_days() {
            self.zone.read(at)
        } else {
            Ok(at)
        }
    }

    /// What the clock reads at edge number `index`.
    fn edge(&self, index: i64) -> Result<Micros> {
        self.width.edge(index, self.anchor)
    }

    /// How far past the last multiple of the width, counted from the anchor, a reading is.
    fn past(&self, read: Micros, width: Micros) -> Micros {
        (read - self.anchor).rem_euclid(width)
    }

    /// Days and longer: an edge is when its hour (midnight, mostly) first came, or the moment it was jumped over.
    fn days_cell(&self, at: Micros) -> Result<Range> {
        let mut index = self.width.index(self.zone.read(at)?, self.anchor)?;
        // A clock set back over midnight reads yesterday again though today has begun; a day that
        // was jumped over whole has the same edges as the next.
        loop {
            let to = self.zone.first(self.edge(index + 1)?)?;
            if to > at {
                return Ok(Range { from: self.zone.first(self.edge(index)?)?, to });
            }
            index += 1;
        }
    }

    /// Below a day: an edge is each moment the clock comes to a multiple of the width, once more
    /// when it is set back to it, and the moment of the jump when it jumps over one.
    fn last_edge(&self, at: Micros, width: Micros) -> Result<Micros> {
        let mut at = at;
        loop {
            let edge = at - self.past(self.zone.read(at)?, width);
            match self.zone.change_before(at)? {
                Some(change) if change.at > edge => {
                    let multiple = change.new - self.past(change.new, width);
                    if multiple >= change.old {
                        return Ok(change.at);
                    }
                    at = change.at - 1;
                }
                _ => return Ok(edge),
            }
        }
    }

    fn next_edge(&self, at: Micros, width: Micros) -> Result<Micros> {
        let mut at = at;
        loop {
            let edge = at - self.past(self.zone.read(at)?, width) + width;
            match self.zone.change_after(at)? {
                Some(change) if change.at <= edge => {
                    if self.last_edge(change.at, width)? == change.at {
                        return Ok(change.at);
                    }
                    at = change.at;
                }
                _ => return Ok(edge),
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/grid.rs"]
mod tests;
