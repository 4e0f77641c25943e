//! Reads partition bounds as `pg_get_expr(relpartbound)` prints them (ISO dates, zone UTC), and
//! steps from one period to the next. Times are microseconds since 1970-01-01 UTC.

pub const DAY: i64 = 86_400_000_000;
const SECOND: i64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    MinValue,
    At(i64),
    MaxValue,
}

/// The first key column's bounds of a RANGE partition. None: DEFAULT, list, hash, not a time.
pub fn range(expression: &str) -> Option<(Bound, Bound)> {
    let (from, to) = expression.strip_prefix("FOR VALUES FROM (")?.split_once(") TO (")?;
    Some((bound(from)?, bound(to.strip_suffix(')')?)?))
}

pub fn is_default(expression: &str) -> bool {
    expression == "DEFAULT"
}

fn bound(list: &str) -> Option<Bound> {
    // Times have no comma, so the first field ends at the first one.
    match list.split(',').next()?.trim() {
        "MINVALUE" | "'-infinity'" => Some(Bound::MinValue),
        "MAXVALUE" | "'infinity'" => Some(Bound::MaxValue),
        text => timestamp(text.strip_prefix('\'')?.strip_suffix('\'')?).map(Bound::At),
    }
}

/// `2024-01-31`, `2024-01-31 12:00:00.5`, `2024-01-31 12:00:00+00`, each perhaps with ` BC`.
fn timestamp(text: &str) -> Option<i64> {
    let (text, bc) = match text.strip_suffix(" BC") {
        Some(t) => (t, true),
        None => (text, false),
    };
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let mut parts = date.split('-').map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let year = if bc { 1 - year } else { year };
    let mut parts = time.strip_suffix("+00").unwrap_or(time).split(':');
    let hour: i64 = parts.next()?.parse().ok()?;
    let minute: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    let micros = (seconds * SECOND as f64).round() as i64;
    days_from_civil(year, month, day)?
        .checked_mul(DAY)?
        .checked_add((hour * 3600 + minute * 60) * SECOND + micros)
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year.abs() > 300_000 {
        return None;
    }
    // Years that start in March put the leap day last.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * mp + 2) / 5 + 1)
}

/// How wide a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    Months(i64),
    Micros(i64),
}

impl Width {
    /// From a partition's bounds: whole months where both ends are the same moment of a month.
    pub fn between(from: i64, to: i64) -> Option<Width> {
        if to <= from {
            return None;
        }
        let ((y1, m1, d1), (y2, m2, d2)) =
            (civil_from_days(from.div_euclid(DAY)), civil_from_days(to.div_euclid(DAY)));
        let months = (y2 - y1) * 12 + m2 - m1;
        if d1 == d2 && months > 0 && from.rem_euclid(DAY) == to.rem_euclid(DAY) {
            return Some(Width::Months(months));
        }
        Some(Width::Micros(to - from))
    }

    pub fn after(self, at: i64) -> Option<i64> {
        match self {
            Width::Micros(w) => at.checked_add(w),
            Width::Months(n) => {
                let (y, m, d) = civil_from_days(at.div_euclid(DAY));
                let month = y * 12 + m - 1 + n;
                let days = days_from_civil(month.div_euclid(12), month.rem_euclid(12) + 1, d)?;
                days.checked_mul(DAY)?.checked_add(at.rem_euclid(DAY))
            }
        }
    }
}

/// As a constant in SQL; `date` leaves out the time.
pub fn format(at: i64, date: bool) -> String {
    let (y, m, d) = civil_from_days(at.div_euclid(DAY));
    let day = format!("{y:04}-{m:02}-{d:02}");
    if date {
        return day;
    }
    let s = at.rem_euclid(DAY) / SECOND;
    format!("{day} {:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        timestamp(text).unwrap()
    }

    #[test]
    fn reading() {
        assert_eq!(at("1970-01-01"), 0);
        assert_eq!(at("2000-03-01 00:00:01.5+00"), 951_868_801_500_000);
        assert_eq!(at("0001-12-31 BC"), days_from_civil(0, 12, 31).unwrap() * DAY);
        assert_eq!(
            range("FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')"),
            Some((Bound::At(at("2024-01-01")), Bound::At(at("2024-02-01"))))
        );
        assert_eq!(
            range("FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2024-02-01 00:00:00+00', 7)"),
            Some((Bound::MinValue, Bound::At(at("2024-02-01"))))
        );
        assert_eq!(
            range("FOR VALUES FROM ('-infinity') TO ('infinity')"),
            Some((Bound::MinValue, Bound::MaxValue))
        );
        assert_eq!(range("DEFAULT"), None);
        assert_eq!(range("FOR VALUES IN ('2024-01-01')"), None);
        assert_eq!(range("FOR VALUES FROM (1) TO (2)"), None);
        assert_eq!(range("FOR VALUES FROM ('a') TO ('b')"), None);
    }

    #[test]
    fn there_and_back() {
        for days in (-1_000_000..1_000_000).step_by(37) {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(y, m, d), Some(days));
        }
    }

    #[test]
    fn widths() {
        let w = |a, b| Width::between(at(a), at(b));
        assert_eq!(w("2024-01-01", "2024-02-01"), Some(Width::Months(1)));
        assert_eq!(w("2024-01-01", "2025-01-01"), Some(Width::Months(12)));
        assert_eq!(w("2024-01-01", "2024-01-08"), Some(Width::Micros(7 * DAY)));
        assert_eq!(w("2024-01-01", "2024-01-01"), None);
        assert_eq!(Width::Months(1).after(at("2024-12-01")), Some(at("2025-01-01")));
        assert_eq!(format(at("2024-12-01 06:30:00"), false), "2024-12-01 06:30:00");
        assert_eq!(format(at("2024-12-01"), true), "2024-12-01");
    }
}
