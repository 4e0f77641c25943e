//! Dates and times as to_jsonb shows them (ISO 8601), for the years that need four digits.

/// What the longest takes: `9999-12-31T23:59:59.999999+15:59:59`.
pub const LONGEST: usize = 35;

const DAY: i64 = 86_400_000_000;
/// From 0000-03-01 to 2000-01-01: years counted from March end with the leap day.
const MARCH_TO_EPOCH: i64 = 730_425;
const DAYS_IN_400_YEARS: i64 = 146_097;

/// Text being put together in a place large enough for any.
struct Text<'o> {
    out: &'o mut [u8; LONGEST],
    length: usize,
}

impl Text<'_> {
    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.out.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn two(&mut self, n: i64) {
        self.byte(b'0' + (n / 10 % 10) as u8);
        self.byte(b'0' + (n % 10) as u8);
    }

    /// None outside the years 1 to 9999.
    fn date(&mut self, days: i64) -> Option<()> {
        let (year, month, day) = civil(days);
        if !(1..=9999).contains(&year) {
            return None;
        }
        self.two(year / 100);
        self.two(year % 100);
        self.byte(b'-');
        self.two(month);
        self.byte(b'-');
        self.two(day);
        Some(())
    }

    fn time(&mut self, micros: i64) {
        let (seconds, mut fraction) = (micros / 1_000_000, micros % 1_000_000);
        self.two(seconds / 3600);
        self.byte(b':');
        self.two(seconds / 60 % 60);
        self.byte(b':');
        self.two(seconds % 60);
        if fraction != 0 {
            self.byte(b'.');
        }
        // without zeros at the end
        let mut place = 100_000;
        while fraction != 0 {
            self.byte(b'0' + (fraction / place) as u8);
            (fraction, place) = (fraction % place, place / 10);
        }
    }

    fn offset(&mut self, seconds: i32) {
        self.byte(if seconds < 0 { b'-' } else { b'+' });
        let seconds = i64::from(seconds.unsigned_abs());
        self.two(seconds / 3600);
        self.byte(b':');
        self.two(seconds / 60 % 60);
        if seconds % 60 != 0 {
            self.byte(b':');
            self.two(seconds % 60);
        }
    }
}

/// Year, month and day of a day counted from 2000-01-01, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + MARCH_TO_EPOCH;
    let (era, day) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    // leap days before this one: every 4th year has one, every 100th not, the 400th again
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    // from March, five months always have 153 days
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

/// A date, in days since 2000-01-01; the length of what was put into `out`. None if it is not of the
/// years 1 to 9999.
pub fn date(days: i32, out: &mut [u8; LONGEST]) -> Option<usize> {
    let mut text = Text { out, length: 0 };
    text.date(i64::from(days))?;
    Some(text.length)
}

/// A time in microseconds since 2000-01-01, as clocks show it that are `offset` seconds ahead of UTC;
/// without an offset, as it is. None as for `date`.
pub fn timestamp(micros: i64, offset: Option<i32>, out: &mut [u8; LONGEST]) -> Option<usize> {
    let local = micros.checked_add(i64::from(offset.unwrap_or(0)) * 1_000_000)?;
    let mut text = Text { out, length: 0 };
    text.date(local.div_euclid(DAY))?;
    text.byte(b'T');
    text.time(local.rem_euclid(DAY));
    if let Some(offset) = offset {
        text.offset(offset);
    }
    Some(text.length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(micros: i64, offset: Option<i32>) -> Option<String> {
        let mut out = [0; LONGEST];
        let length = timestamp(micros, offset, &mut out)?;
        Some(String::from_utf8(out[..length].to_vec()).unwrap())
    }

    #[test]
    fn every_day_of_the_years_follows_the_one_before() {
        let first = jiff::civil::date(1, 1, 1);
        let epoch = jiff::civil::date(2000, 1, 1);
        let mut day = (first - epoch).get_days();
        let mut out = [0; LONGEST];
        assert_eq!(date(day - 1, &mut out), None);
        let mut expected = first;
        loop {
            let length = date(day, &mut out).unwrap();
            assert_eq!(std::str::from_utf8(&out[..length]).unwrap(), expected.to_string());
            day += 1;
            match expected.tomorrow() {
                Ok(next) => expected = next,
                Err(_) => break,
            }
        }
        assert_eq!(date(day, &mut out), None);
        assert_eq!(date(i32::MAX, &mut out), None);
        assert_eq!(date(i32::MIN, &mut out), None);
    }

    #[test]
    fn times_and_offsets() {
        assert_eq!(shown(0, None).unwrap(), "2000-01-01T00:00:00");
        assert_eq!(shown(-1, None).unwrap(), "1999-12-31T23:59:59.999999");
        assert_eq!(shown(120_000, Some(0)).unwrap(), "2000-01-01T00:00:00.12+00:00");
        assert_eq!(shown(7, Some(-5400)).unwrap(), "1999-12-31T22:30:00.000007-01:30");
        assert_eq!(shown(1_000_000, Some(4772)).unwrap(), "2000-01-01T01:19:33+01:19:32");
        for out_of_range in [i64::MIN, i64::MAX, i64::MIN + 1, DAY * 3_000_000, -DAY * 800_000] {
            assert_eq!(shown(out_of_range, Some(3600)), None);
        }
    }

    #[test]
    fn the_longest_fits() {
        let last = 252_455_615_999_999_999 - 59 * 1_000_000;
        assert_eq!(shown(last - 57_600_000_000, Some(57_599)).unwrap().len(), LONGEST);
    }
}
