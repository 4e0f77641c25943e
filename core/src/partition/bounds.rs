//! Partition bounds as `pg_get_expr(relpartbound)` writes them under DateStyle ISO and TimeZone UTC.

use super::{civil, Error, Micros, Range, Result};
use jiff::civil::{Date, Time};

/// The bounds of one partition; `None` for the DEFAULT partition.
pub fn parse(text: &str) -> Result<Option<Range>> {
    if text == "DEFAULT" {
        return Ok(None);
    }
    let bad = || Error::BadBound(text.to_owned());
    let inner = text.strip_prefix("FOR VALUES FROM (").and_then(|rest| rest.strip_suffix(")"));
    let (from, to) = inner.and_then(|inner| inner.split_once(") TO (")).ok_or_else(bad)?;
    Ok(Some(Range { from: point(from).ok_or_else(bad)?, to: point(to).ok_or_else(bad)? }))
}

fn point(text: &str) -> Option<Micros> {
    match text {
        "MINVALUE" => return Some(Micros::MIN),
        "MAXVALUE" => return Some(Micros::MAX),
        _ => {}
    }
    let value = text.strip_prefix('\'')?.strip_suffix('\'')?;
    match value {
        "-infinity" => Some(Micros::MIN),
        "infinity" => Some(Micros::MAX),
        _ => moment(value),
    }
}

/// `2026-11-01`, `2026-11-01 00:00:00`, `2026-11-01 00:00:00.5+00`, each perhaps followed by ` BC`.
fn moment(value: &str) -> Option<Micros> {
    let (value, bc) = match value.strip_suffix(" BC") {
        Some(value) => (value, true),
        None => (value, false),
    };
    let value = value.strip_suffix("+00").unwrap_or(value);
    let (date, time) = value.split_once(' ').unwrap_or((value, "00:00:00"));
    let mut fields = date.split('-');
    let year: i32 = fields.next()?.parse().ok()?;
    let month: i8 = fields.next()?.parse().ok()?;
    let day: i8 = fields.next()?.parse().ok()?;
    if fields.next().is_some() {
        return None;
    }
    let time: Time = time.parse().ok()?;
    let year = if bc { 1 - year } else { year };
    // PostgreSQL's calendar is longer than ours. What lies beyond can only be compared with, and
    // compares as the end of time does.
    match i16::try_from(year).ok().and_then(|year| Date::new(year, month, day).ok()) {
        Some(date) => civil::from_datetime(date.to_datetime(time)).ok(),
        None if year > 9998 => Some(Micros::MAX),
        None => None,
    }
}

#[cfg(test)]
#[path = "tests/bounds.rs"]
mod tests;
