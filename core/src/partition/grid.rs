//! The grid: where partitions begin and end. A pure function of key type, width and zone; never of
//! the session, of the data or of partitions that exist.

use super::width::Width;
use super::zone::Zone;
use super::{Key, Micros, Range, Result};

#[derive(Debug, Clone)]
pub struct Grid {
    pub key: Key,
    pub width: Width,
    pub zone: Zone,
}

impl Grid {
    /// The cell that holds `at` on the key's clock.
    pub fn cell(&self, at: Micros) -> Result<Range> {
        match (self.key, self.width) {
            (Key::Timestamptz, width) if width.is_whole_days() => self.days_cell(at),
            (Key::Timestamptz, Width::Micros(width)) => {
                Ok(Range { from: self.last_edge(at, width)?, to: self.next_edge(at, width)? })
            }
            _ => {
                let index = self.width.index(at)?;
                Ok(Range { from: self.width.edge(index)?, to: self.width.edge(index + 1)? })
            }
        }
    }

    /// What the key's clock shows at a moment given in UTC.
    pub fn clock(&self, utc: Micros) -> Result<Micros> {
        match self.key {
            Key::Timestamptz => Ok(utc),
            Key::Date | Key::Timestamp => self.zone.read(utc),
        }
    }

    /// What partition names show of a bound: the wall clock where a day has one midnight, and UTC
    /// below a day, where an hour of the wall clock can come twice.
    pub fn shown(&self, at: Micros) -> Result<Micros> {
        if self.key == Key::Timestamptz && self.width.is_whole_days() {
            self.zone.read(at)
        } else {
            Ok(at)
        }
    }

    /// Days and longer: an edge is when its midnight first came, or the moment it was jumped over.
    fn days_cell(&self, at: Micros) -> Result<Range> {
        let mut index = self.width.index(self.zone.read(at)?)?;
        // A clock set back over midnight reads yesterday again though today has begun; a day that
        // was jumped over whole has the same edges as the next.
        loop {
            let to = self.zone.first(self.width.edge(index + 1)?)?;
            if to > at {
                return Ok(Range { from: self.zone.first(self.width.edge(index)?)?, to });
            }
            index += 1;
        }
    }

    /// Below a day: an edge is each moment the clock comes to a multiple of the width, once more
    /// when it is set back to it, and the moment of the jump when it jumps over one.
    fn last_edge(&self, at: Micros, width: Micros) -> Result<Micros> {
        let mut at = at;
        loop {
            let edge = at - self.zone.read(at)?.rem_euclid(width);
            match self.zone.change_before(at)? {
                Some(change) if change.at > edge => {
                    let multiple = change.new - change.new.rem_euclid(width);
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
            let edge = at - self.zone.read(at)?.rem_euclid(width) + width;
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
