//! How wide a partition is, and where on a wall clock its edges lie.

use super::{civil, Error, Key, Micros, Result, DAY, MINUTE, WEEK};

/// Months have no fixed length and days do: a width is of one kind, never of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    Months(i64),
    Micros(Micros),
}

impl Width {
    /// From the three fields of an interval.
    pub fn new(key: Key, months: i32, days: i32, micros: i64) -> Result<Width> {
        if months != 0 && (days != 0 || micros != 0) {
            return Err(Error::WidthMixed);
        }
        if months < 0 || days < 0 || micros < 0 || (months == 0 && days == 0 && micros == 0) {
            return Err(Error::WidthNotPositive);
        }
        if months > 0 {
            return Ok(Width::Months(i64::from(months)));
        }
        let whole = i64::from(days).checked_mul(DAY).and_then(|whole| whole.checked_add(micros));
        let width = whole.ok_or(Error::WidthTooLarge)?;
        if width % MINUTE != 0 {
            return Err(Error::WidthNotWholeMinutes);
        }
        if key == Key::Date && width % DAY != 0 {
            return Err(Error::WidthNotWholeDays);
        }
        Ok(Width::Micros(width))
    }

    /// Whether edges lie whole days apart.
    pub fn is_whole_days(self) -> bool {
        match self {
            Width::Months(_) => true,
            Width::Micros(width) => width % DAY == 0,
        }
    }

    /// Where edges are counted from unless somebody chooses: 2000-01-01, a Saturday; weeks from the
    /// first Monday of that year.
    pub fn calendar(self) -> Micros {
        match self {
            Width::Micros(width) if width % WEEK == 0 => 2 * DAY,
            _ => 0,
        }
    }

    /// The number of the last edge at or before what the clock reads.
    pub fn index(self, read: Micros, anchor: Micros) -> Result<i64> {
        match self {
            Width::Months(width) => {
                let months = civil::month_of(read)? - civil::month_of(anchor)?;
                let index = months.div_euclid(width);
                // the edge may come later in the month
                Ok(if self.edge(index, anchor)? > read { index - 1 } else { index })
            }
            Width::Micros(width) => {
                let since = read.checked_sub(anchor).ok_or(Error::OutOfRange)?;
                Ok(since.div_euclid(width))
            }
        }
    }

    /// What the clock reads at edge number `index`.
    pub fn edge(self, index: i64, anchor: Micros) -> Result<Micros> {
        match self {
            Width::Months(width) => {
                civil::months_later(anchor, index.checked_mul(width).ok_or(Error::OutOfRange)?)
            }
            Width::Micros(width) => {
                index.checked_mul(width).and_then(|since| since.checked_add(anchor)).ok_or(Error::OutOfRange)
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/width.rs"]
mod tests;
