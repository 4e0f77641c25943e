//! Between microseconds and what a calendar and a wall clock show.

use super::{Error, Key, Micros, Range, Result, DAY};
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::Timestamp;

/// Microseconds from 1970-01-01 to 2000-01-01.
const EPOCH: i64 = 946_684_800_000_000;

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

/// Midnight on the first of a month, counted from January 2000.
pub fn month_start(months: i64) -> Result<Micros> {
    let year = i16::try_from(2000 + months.div_euclid(12)).map_err(|_| Error::OutOfRange)?;
    let month = i8::try_from(months.rem_euclid(12) + 1).map_err(|_| Error::OutOfRange)?;
    let date = Date::new(year, month, 1).map_err(|_| Error::OutOfRange)?;
    from_datetime(date.at(0, 0, 0, 0))
}

/// The month `at` lies in, counted from January 2000.
pub fn month_of(at: Micros) -> Result<i64> {
    let read = datetime(at)?;
    Ok((i64::from(read.year()) - 2000) * 12 + i64::from(read.month()) - 1)
}

/// `at` as a constant of the key's type that means the same in every session.
pub fn literal(key: Key, at: Micros) -> Result<String> {
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
