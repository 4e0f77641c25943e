//! Bounds of the keys that hold a time without being one: numbers, UUIDv7 and ULID.

use super::civil::EPOCH;
use super::{Error, Key, Micros, Range, Result, DAY};

/// What one count of a number key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    /// As users write it.
    pub fn named(name: &str) -> Option<Unit> {
        match name {
            "s" => Some(Unit::Seconds),
            "ms" => Some(Unit::Milliseconds),
            "us" => Some(Unit::Microseconds),
            "ns" => Some(Unit::Nanoseconds),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::Milliseconds => "ms",
            Unit::Microseconds => "us",
            Unit::Nanoseconds => "ns",
        }
    }

    fn nanoseconds(self) -> i128 {
        match self {
            Unit::Seconds => 1_000_000_000,
            Unit::Milliseconds => 1_000_000,
            Unit::Microseconds => 1_000,
            Unit::Nanoseconds => 1,
        }
    }
}

/// A bound as the catalog stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// MINVALUE and MAXVALUE
    Lowest,
    Highest,
    /// What date, timestamp, timestamptz and bigint are inside.
    Number(i64),
    Uuid(u128),
    Text(String),
}

impl Key {
    /// The range two bounds make, lower first; `None` when one of them is no time.
    pub fn range(self, (lower, upper): &(Value, Value)) -> Option<Range> {
        Some(Range { from: self.point(lower)?, to: self.point(upper)? })
    }

    /// The time a bound stands for; `None` when it is none, or finer than a microsecond. What lies
    /// beyond all our times becomes the lowest or the highest of them, as do a type's own extremes.
    pub fn point(self, value: &Value) -> Option<Micros> {
        match (self, value) {
            (_, Value::Lowest | Value::Number(i64::MIN)) => Some(Micros::MIN),
            (_, Value::Highest | Value::Number(i64::MAX)) => Some(Micros::MAX),
            (Key::Date, Value::Number(days)) => Some(days.saturating_mul(DAY)),
            (Key::Timestamp | Key::Timestamptz, Value::Number(at)) => Some(*at),
            (Key::Epoch(unit), Value::Number(count)) => since_1970(*count, unit),
            (Key::Uuid, Value::Uuid(u128::MAX)) => Some(Micros::MAX),
            (Key::Uuid, Value::Uuid(uuid)) if uuid << 48 == 0 => from_millis((uuid >> 80) as u64),
            (Key::Ulid, Value::Text(text)) => from_ulid(text),
            _ => None,
        }
    }
}

fn since_1970(count: i64, unit: Unit) -> Option<Micros> {
    let nanos = i128::from(count) * unit.nanoseconds();
    let micros = nanos.div_euclid(1000) - i128::from(EPOCH);
    let clamped = micros.clamp(i128::from(Micros::MIN), i128::from(Micros::MAX));
    (nanos.rem_euclid(1000) == 0).then_some(clamped as Micros)
}

fn from_millis(millis: u64) -> Option<Micros> {
    i64::try_from(millis).ok()?.checked_mul(1000)?.checked_sub(EPOCH)
}

/// `at` as a number; its text.
pub fn number(at: Micros, unit: Unit) -> Result<String> {
    let nanos = (i128::from(at) + i128::from(EPOCH)) * 1000;
    if nanos % unit.nanoseconds() != 0 {
        return Err(Error::Unit);
    }
    let count = i64::try_from(nanos / unit.nanoseconds()).map_err(|_| Error::OutOfRange)?;
    Ok(count.to_string())
}

/// The least UUIDv7 of a millisecond and all below it: its 48 bits of time, then zeros, without
/// version and variant, so that every value of that time lies at or above it.
pub fn uuid(at: Micros) -> Result<String> {
    let millis = millis(at)?;
    Ok(format!("{:08x}-{:04x}-0000-0000-000000000000", millis >> 16, millis & 0xffff))
}

/// The same of a ULID.
pub fn ulid(at: Micros) -> Result<String> {
    let millis = millis(at)?;
    let digit = |n: u32| char::from(CROCKFORD[(millis >> (5 * n) & 31) as usize]);
    Ok((0..10).rev().map(digit).chain("0".repeat(16).chars()).collect())
}

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Only what `ulid` writes: a shorter or lower-case text sorts elsewhere than the time it seems to be.
fn from_ulid(text: &str) -> Option<Micros> {
    if text == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ" {
        return Some(Micros::MAX);
    }
    let (time, rest) = text.split_at_checked(10)?;
    if rest.len() != 16 || rest.bytes().any(|c| c != b'0') {
        return None;
    }
    let millis = time.bytes().try_fold(0_u64, |sum, c| {
        let digit = CROCKFORD.iter().position(|known| *known == c)?;
        Some(sum << 5 | digit as u64)
    })?;
    (millis < 1 << 48).then(|| from_millis(millis))?
}

/// Milliseconds since 1970, as both kinds of id count them.
fn millis(at: Micros) -> Result<u64> {
    let since = at.checked_add(EPOCH).ok_or(Error::OutOfRange)?;
    if since % 1000 != 0 {
        return Err(Error::Unit);
    }
    let millis = u64::try_from(since / 1000).map_err(|_| Error::OutOfRange)?;
    if millis < 1 << 48 {
        Ok(millis)
    } else {
        Err(Error::OutOfRange)
    }
}

#[cfg(test)]
#[path = "tests/bound.rs"]
mod tests;
