//! Expected values are written out by hand, or come from an oracle that only looks at a wall clock
//! minute by minute and knows nothing of the grid's arithmetic.

use super::*;
use crate::partition::{civil, DAY, MINUTE};

const HOUR: Micros = 60 * MINUTE;

fn grid(key: Key, width: Width, zone: &str) -> Grid {
    Grid::new(key, width, Zone::named(zone).unwrap(), None).unwrap()
}

fn at(text: &str) -> Micros {
    civil::from_datetime(text.parse().unwrap()).unwrap()
}

/// The edges of `count` cells from the one that holds `start`.
fn edges(grid: &Grid, start: &str, count: usize) -> Vec<String> {
    let mut cell = grid.cell(at(start)).unwrap();
    let mut edges = vec![civil::datetime(cell.from).unwrap().to_string()];
    for _ in 0..count {
        edges.push(civil::datetime(cell.to).unwrap().to_string());
        cell = grid.cell(cell.to).unwrap();
    }
    edges
}

#[test]
fn a1_hours_of_a_day_with_25() {
    let grid = grid(Key::Timestamptz, Width::Micros(HOUR), "Europe/Berlin");
    let edges = edges(&grid, "2026-10-24T22:30:00", 25);
    assert_eq!(edges.first().unwrap(), "2026-10-24T22:00:00");
    assert_eq!(edges.last().unwrap(), "2026-10-25T23:00:00");
    assert!(edges.windows(2).all(|two| at(&two[1]) - at(&two[0]) == HOUR));
}

#[test]
fn a2_hours_of_a_day_with_23() {
    let grid = grid(Key::Timestamptz, Width::Micros(HOUR), "Europe/Berlin");
    let edges = edges(&grid, "2026-03-28T23:30:00", 23);
    assert_eq!(edges.first().unwrap(), "2026-03-28T23:00:00");
    assert_eq!(edges.last().unwrap(), "2026-03-29T22:00:00");
    assert!(edges.windows(2).all(|two| at(&two[1]) - at(&two[0]) == HOUR));
}

#[test]
fn a3_a_day_of_25_hours() {
    let grid = grid(Key::Timestamptz, Width::Micros(DAY), "Europe/Berlin");
    assert_eq!(
        edges(&grid, "2026-10-24T12:00:00", 3),
        ["2026-10-23T22:00:00", "2026-10-24T22:00:00", "2026-10-25T23:00:00", "2026-10-26T23:00:00"]
    );
}

#[test]
fn a9_weeks_begin_on_monday_whatever_the_day() {
    let grid = grid(Key::Date, Width::Micros(7 * DAY), "UTC");
    for day in ["2026-12-28", "2026-12-30", "2027-01-03"] {
        assert_eq!(
            edges(&grid, &format!("{day}T00:00:00"), 3),
            ["2026-12-28T00:00:00", "2027-01-04T00:00:00", "2027-01-11T00:00:00", "2027-01-18T00:00:00"]
        );
    }
}

#[test]
fn a10_quarters() {
    let grid = grid(Key::Timestamp, Width::Months(3), "UTC");
    assert_eq!(
        edges(&grid, "2026-02-10T00:00:00", 3),
        ["2026-01-01T00:00:00", "2026-04-01T00:00:00", "2026-07-01T00:00:00", "2026-10-01T00:00:00"]
    );
}

#[test]
fn a13_centuries_are_counted_from_2000() {
    let grid = grid(Key::Timestamp, Width::Months(1200), "UTC");
    assert_eq!(
        edges(&grid, "2026-11-20T00:00:00", 2),
        ["2000-01-01T00:00:00", "2100-01-01T00:00:00", "2200-01-01T00:00:00"]
    );
}

#[test]
fn a14_ten_days_are_the_same_whatever_the_day_of_the_run() {
    let grid = grid(Key::Timestamptz, Width::Micros(10 * DAY), "UTC");
    for day in ["2026-11-20", "2026-11-23", "2026-11-29"] {
        assert_eq!(
            edges(&grid, &format!("{day}T00:00:00"), 2),
            ["2026-11-20T00:00:00", "2026-11-30T00:00:00", "2026-12-10T00:00:00"]
        );
    }
}

#[test]
fn months_before_2000_and_leap_years() {
    let months = grid(Key::Date, Width::Months(1), "UTC");
    assert_eq!(
        edges(&months, "1900-02-14T00:00:00", 2),
        ["1900-02-01T00:00:00", "1900-03-01T00:00:00", "1900-04-01T00:00:00"]
    );
    let days = grid(Key::Date, Width::Micros(DAY), "UTC");
    assert_eq!(edges(&days, "2028-02-29T00:00:00", 1), ["2028-02-29T00:00:00", "2028-03-01T00:00:00"]);
}

#[test]
fn a_day_that_never_was() {
    // Samoa went from the end of 29 December 2011 straight to the 31st.
    let grid = grid(Key::Timestamptz, Width::Micros(DAY), "Pacific/Apia");
    assert_eq!(
        edges(&grid, "2011-12-29T12:00:00", 3),
        ["2011-12-29T10:00:00", "2011-12-30T10:00:00", "2011-12-31T10:00:00", "2012-01-01T10:00:00"]
    );
}

#[test]
fn beyond_the_calendar_is_an_error() {
    let months = grid(Key::Timestamp, Width::Months(1), "UTC");
    assert!(months.cell(Micros::MAX).is_err());
    assert!(months.cell(Micros::MIN).is_err());
    let hours = grid(Key::Timestamptz, Width::Micros(HOUR), "Europe/Berlin");
    assert!(hours.cell(Micros::MAX - 1).is_err());
    assert!(hours.cell(Micros::MIN).is_err());
}

/// Edges of whole-day cells: the moments at which the latest day any clock of the zone has shown
/// becomes a later one. Edges below a day: the clock shows a multiple, or has just jumped over one.
fn oracle(zone: &str, width: Micros, anchor: Micros, from: Micros, to: Micros) -> Vec<Micros> {
    let zone = Zone::named(zone).unwrap();
    let read = |at| zone.read(at).unwrap() - anchor;
    let mut before = read(from - 2 * DAY);
    let mut latest = before.div_euclid(width);
    let mut edges = Vec::new();
    let mut now = from - 2 * DAY;
    while now < to {
        now += MINUTE;
        let shows = read(now);
        let cell = shows.div_euclid(width);
        let edge = if width % DAY == 0 {
            cell > latest
        } else {
            shows % width == 0 || (shows > before + MINUTE && cell > before.div_euclid(width))
        };
        if edge && now >= from && now < to {
            edges.push(now);
        }
        latest = latest.max(cell);
        before = shows;
    }
    edges
}

#[test]
fn the_clock_agrees_at_every_odd_change() {
    let changes = [
        ("Europe/Berlin", "2026-03-29T01:00:00"),
        ("Europe/Berlin", "2026-10-25T01:00:00"),
        ("America/Sao_Paulo", "2018-11-04T03:00:00"), // midnight jumped over
        ("America/Sao_Paulo", "2018-02-18T02:00:00"), // back over midnight
        ("America/Havana", "2026-11-01T05:00:00"),    // midnight comes twice
        ("America/Havana", "2026-03-08T05:00:00"),
        ("America/St_Johns", "2009-11-01T02:31:00"), // 00:01 back to 23:01
        ("Australia/Lord_Howe", "2026-04-04T15:00:00"), // half an hour
        ("Australia/Lord_Howe", "2026-10-03T15:30:00"),
        ("Asia/Kolkata", "2026-06-01T00:00:00"),
        ("Asia/Kathmandu", "2026-06-01T00:00:00"),
        ("Africa/Cairo", "2026-04-23T22:00:00"),
        ("Asia/Beirut", "2026-03-28T22:00:00"),
        ("Africa/Casablanca", "2026-02-15T02:00:00"),
        ("Pacific/Kwajalein", "1993-08-21T12:00:00"), // a day jumped over
        ("Pacific/Chatham", "2026-04-04T14:00:00"),
        ("UTC", "2026-01-01T00:00:00"),
    ];
    for (zone, change) in changes {
        for (minutes, past) in [15, 30, 60, 120, 180, 360, 720, 1440].iter().flat_map(|m| [(m, 0), (m, 175)])
        {
            let (width, anchor) = (minutes * MINUTE, past * MINUTE);
            let (from, to) = (at(change) - 2 * DAY, at(change) + 2 * DAY);
            let expected = oracle(zone, width, anchor, from, to);
            let zone_of = Zone::named(zone).unwrap();
            let grid = Grid::new(Key::Timestamptz, Width::Micros(width), zone_of, Some(anchor)).unwrap();
            let mut cell = grid.cell(expected[0]).unwrap();
            assert_eq!(cell.from, expected[0], "{zone} {change} {minutes} {past}");
            for edge in &expected[1..] {
                assert_eq!(cell.to, *edge, "{zone} {change} {minutes} {past}");
                for inside in [cell.from, cell.from + (cell.to - cell.from) / 3, cell.to - 1] {
                    assert_eq!(grid.cell(inside).unwrap(), cell, "{zone} {change} {minutes} {past}");
                }
                cell = grid.cell(cell.to).unwrap();
            }
        }
    }
}

#[test]
fn a11_an_anchor_on_the_31st_does_not_stick_at_28() {
    let utc = || Zone::named("UTC").unwrap();
    let grid = Grid::new(Key::Date, Width::Months(1), utc(), Some(at("2026-01-31T00:00:00"))).unwrap();
    let expected = ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"];
    assert_eq!(edges(&grid, "2026-02-10T00:00:00", 5), expected.map(|day| format!("{day}T00:00:00")));
    // backwards, over a leap year, whatever day is asked for
    assert_eq!(edges(&grid, "2024-02-29T00:00:00", 1), ["2024-02-29T00:00:00", "2024-03-31T00:00:00"]);
    assert_eq!(edges(&grid, "2024-03-30T00:00:00", 1), ["2024-02-29T00:00:00", "2024-03-31T00:00:00"]);
    let quarters = Grid::new(Key::Date, Width::Months(3), utc(), Some(at("2026-01-31T00:00:00"))).unwrap();
    assert_eq!(edges(&quarters, "2025-12-01T00:00:00", 1), ["2025-10-31T00:00:00", "2026-01-31T00:00:00"]);
}

#[test]
fn an_anchor_moves_weeks_days_and_hours() {
    let grid = |key, width, zone, anchor: &str| {
        Grid::new(key, width, Zone::named(zone).unwrap(), Some(at(anchor))).unwrap()
    };
    let sundays = grid(Key::Date, Width::Micros(7 * DAY), "UTC", "2026-11-15T00:00:00");
    assert_eq!(edges(&sundays, "2026-12-31T00:00:00", 1), ["2026-12-27T00:00:00", "2027-01-03T00:00:00"]);
    let at_six = grid(Key::Timestamptz, Width::Micros(DAY), "Europe/Berlin", "2000-01-01T06:00:00");
    assert_eq!(
        edges(&at_six, "2026-10-24T12:00:00", 2),
        ["2026-10-24T04:00:00", "2026-10-25T05:00:00", "2026-10-26T05:00:00"]
    );
    let past_the_half = grid(Key::Timestamptz, Width::Micros(HOUR), "Europe/Berlin", "2030-01-01T00:30:00");
    assert_eq!(
        edges(&past_the_half, "2026-10-25T00:45:00", 2),
        ["2026-10-25T00:30:00", "2026-10-25T01:30:00", "2026-10-25T02:30:00"]
    );
}

#[test]
fn anchors_that_no_grid_has() {
    let new =
        |key, anchor| Grid::new(key, Width::Micros(DAY), Zone::named("UTC").unwrap(), Some(anchor)).err();
    assert_eq!(new(Key::Timestamp, MINUTE / 2), Some(Error::AnchorNotWholeMinutes));
    assert_eq!(new(Key::Date, HOUR), Some(Error::AnchorNotMidnight));
    assert_eq!(new(Key::Timestamp, HOUR), None);
    assert!(new(Key::Timestamp, Micros::MAX).is_some());
}
