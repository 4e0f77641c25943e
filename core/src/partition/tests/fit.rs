use super::*;
use crate::partition::{MINUTE, WEEK};

fn at(text: &str) -> Micros {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00") };
    civil::from_datetime(text.parse().unwrap()).unwrap()
}

fn ranges(edges: &[&str]) -> Vec<Range> {
    edges.windows(2).map(|two| Range { from: at(two[0]), to: at(two[1]) }).collect()
}

fn zones(names: &[&str]) -> Vec<Zone> {
    names.iter().map(|name| Zone::named(name).unwrap()).collect()
}

const DAYS: Width = Width::Micros(DAY);

#[test]
fn the_calendar_of_the_first_zone_that_fits() {
    // days of Berlin over the change of clocks
    let berlin =
        ranges(&["2026-10-23T22:00:00", "2026-10-24T22:00:00", "2026-10-25T23:00:00", "2026-10-26T23:00:00"]);
    let tried = zones(&["UTC", "America/New_York", "Europe/Berlin", "Europe/Paris"]);
    let found = fit(Key::Timestamptz, DAYS, &tried, &berlin, false);
    assert_eq!(found, Some(Fit { zone: 2, anchor: None, off: 0 }));
    // a zone that was not tried is not guessed as one whose days begin at another hour
    assert_eq!(fit(Key::Timestamptz, DAYS, &tried[..2], &berlin[2..], false), None);
    let told = fit(Key::Timestamptz, DAYS, &tried[..1], &berlin, true);
    assert_eq!(told, Some(Fit { zone: 0, anchor: Some(at("2026-10-25T23:00:00")), off: 2 }));
}

#[test]
fn an_anchor_where_the_calendar_does_not_fit() {
    let utc = zones(&["UTC"]);
    // weeks from a Wednesday
    let weeks = ranges(&["2026-11-04", "2026-11-11", "2026-11-18", "2026-11-25"]);
    for key in [Key::Date, Key::Timestamp, Key::Timestamptz] {
        let found = fit(key, Width::Micros(WEEK), &utc, &weeks, false);
        assert_eq!(found, Some(Fit { zone: 0, anchor: Some(at("2026-11-18")), off: 0 }), "{key:?}");
    }
    // quarters from February; hours at half past
    let quarters = ranges(&["2026-02-01", "2026-05-01", "2026-08-01"]);
    let found = fit(Key::Date, Width::Months(3), &utc, &quarters, false);
    assert_eq!(found, Some(Fit { zone: 0, anchor: Some(at("2026-05-01")), off: 0 }));
    let hours = ranges(&["2026-11-20T00:30:00", "2026-11-20T01:30:00", "2026-11-20T02:30:00"]);
    let found = fit(Key::Timestamptz, Width::Micros(60 * MINUTE), &utc, &hours, false);
    assert_eq!(found, Some(Fit { zone: 0, anchor: Some(at("2026-11-20T01:30:00")), off: 0 }));
}

#[test]
fn the_newest_count_most() {
    let utc = zones(&["UTC"]);
    // days now, months before that: on the grid of days; weeks before that too
    let mixed = ranges(&["2026-09-01", "2026-10-01", "2026-11-01", "2026-11-02", "2026-11-03"]);
    assert_eq!(fit(Key::Date, DAYS, &utc, &mixed, false), Some(Fit { zone: 0, anchor: None, off: 0 }));
    // months now, days before that: the days are off
    let mixed = ranges(&["2026-09-29", "2026-09-30", "2026-10-01", "2026-11-01", "2026-12-01"]);
    assert_eq!(
        fit(Key::Date, Width::Months(1), &utc, &mixed, false),
        Some(Fit { zone: 0, anchor: None, off: 2 })
    );
    // what is wider than the grid by far and not on it at all
    assert_eq!(fit(Key::Date, Width::Months(1), &utc, &ranges(&["2026-11-01", "2026-11-02"]), false), None);
}

#[test]
fn without_partitions_the_calendar_of_the_first_zone() {
    let tried = zones(&["Europe/Berlin", "UTC"]);
    let open = [
        Range { from: Micros::MIN, to: at("2026-01-01") },
        Range { from: at("2027-01-01"), to: Micros::MAX },
    ];
    for existing in [&[][..], &open] {
        let found = fit(Key::Timestamptz, DAYS, &tried, existing, false);
        assert_eq!(found, Some(Fit { zone: 0, anchor: None, off: 0 }));
    }
}

#[test]
fn anchors_as_people_write_them() {
    assert_eq!(written(at("2026-11-18")).unwrap(), "2026-11-18");
    assert_eq!(written(at("2026-11-18T06:30:00")).unwrap(), "2026-11-18 06:30:00");
}
