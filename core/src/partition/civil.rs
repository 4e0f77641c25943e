//! Between microseconds and what a calendar and a wall clock show.

use super::{bound, Error, Key, Micros, Range, Result, DAY};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};

/// Microseconds from 1970-01-01 to 2000-01-01.
pub const EPOCH: i64 = 946_684_800_000_000;

pub fn timestamp(at: Micros) -> Result<Timestamp> {
    let unix = at.checked_add(EPOCH).ok_or(Error::OutOfRange)?;
    Timestamp::from_microsecond(unix).map_err(|_| Error::OutOfRange)
}

pub fn micros(at: Timestamp) -> Micros {
    at.as_microsecond() - EPOCH
}

/// What a clock that shows `at` without any zone reads.
pub fn datetime(at: Micros) -> Result<DateTime> {
    Ok(Offset::UTC.to_datetime(timestamp(at)?))
}

pub fn from_datetime(at: DateTime) -> Result<Micros> {
    Offset::UTC.to_timestamp(at).map(micros).map_err(|_| Error::OutOfRange)
}

/// What people write: `2026-01-31`, `2026-01-31 06:00`, or either with an offset from UTC.
pub enum Written {
    /// A moment, in UTC.
    Moment(Micros),
    /// What some clock reads.
    Reading(Micros),
}

/// Reads ISO 8601 only: nothing that a session's settings could give another meaning.
pub fn parse(text: &str) -> Option<Written> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(Written::Moment(micros(moment)));
    }
    let (_, time) = text.split_at_checked(10)?;
    if time.bytes().any(|c| !matches!(c, b'0'..=b'9' | b':' | b'.' | b' ' | b'T')) {
        return None;
    }
    Some(Written::Reading(from_datetime(text.parse().ok()?).ok()?))
}

/// A moment as people write it, in UTC unless they give an offset.
pub fn moment(text: &str) -> Option<Micros> {
    match parse(text)? {
        Written::Moment(at) | Written::Reading(at) => Some(at),
    }
}

/// The same day of the month and time of the day some months later; the month's last day where it
/// has no such day.
pub fn months_later(at: Micros, months: i64) -> Result<Micros> {
    let span = Span::new().try_months(months).map_err(|_| Error::OutOfRange)?;
    from_datetime(datetime(at)?.checked_add(span).map_err(|_| Error::OutOfRange)?)
}

/// The month `at` lies in, counted from January 2000.
pub fn month_of(at: Micros) -> Result<i64> {
    let read = datetime(at)?;
    Ok((i64::from(read.year()) - 2000) * 12 + i64::from(read.month()) - 1)
}

/// `at` as a constant of the key's type that means the same in every session.
pub fn literal(key: Key, at: Micros) -> Result<String> {
    match key {
        Key::Date | Key::Timestamp | Key::Timestamptz => {}
        Key::Epoch(unit) => return bound::number(at, unit),
        Key::Uuid => return bound::uuid(at),
        Key::Ulid => return bound::ulid(at),
    }
    let read = datetime(at)?;
    let (year, era) = match i32::from(read.year()) {
        year if year > 0 => (year, ""),
        year => (1 - year, " BC"),
    };
    let mut text = format!("{year:04}-{:02}-{:02}", read.month(), read.day());
    if key != Key::Date {
        text += &format!(" {:02}:{:02}:{:02}", read.hour(), read.minute(), read.second());
        let fraction = read.subsec_nanosecond() / 1000;
        if fraction != 0 {
            text += &format!(".{fraction:06}");
        }
    }
    if key == Key::Timestamptz {
        text += "+00";
    }
    Ok(text + era)
}

/// Both ends of a range as constants, lower first.
pub fn literals(key: Key, range: Range) -> Result<(String, String)> {
    Ok((literal(key, range.from)?, literal(key, range.to)?))
}

/// Whether `at` is midnight on its clock.
pub fn is_midnight(at: Micros) -> bool {
    at.rem_euclid(DAY) == 0
}

#[cfg(test)]
#[path = "tests/civil.rs"]
mod tests;
