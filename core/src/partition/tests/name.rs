use super::*;
use crate::partition::width::Width;
use crate::partition::zone::Zone;
use crate::partition::{civil, Error, Key, Micros, DAY};
use std::collections::HashSet;

fn grid(width: Width, zone: &str) -> Grid {
    Grid::new(Key::Timestamptz, width, Zone::named(zone).unwrap(), None).unwrap()
}

fn at(text: &str) -> Micros {
    civil::from_datetime(text.parse().unwrap()).unwrap()
}

fn free(grid: &Grid, start: &str, parent: &str) -> String {
    let range = grid.cell(at(start)).unwrap();
    choose::<Error>(grid, range, parent, parent, |_| Ok(false)).unwrap()
}

#[test]
fn the_width_makes_the_suffix() {
    let months = grid(Width::Months(1), "UTC");
    assert_eq!(free(&months, "2026-11-20T00:00:00", "events"), "events_p202611");
    assert_eq!(free(&grid(Width::Months(12), "UTC"), "2026-11-20T00:00:00", "events"), "events_p202601");
    assert_eq!(free(&grid(Width::Micros(DAY), "UTC"), "2026-11-20T10:00:00", "events"), "events_p20261120");
    let hours = grid(Width::Micros(DAY / 24), "UTC");
    assert_eq!(free(&hours, "2026-11-20T01:59:00", "events"), "events_p20261120_0100");
    let piece = Range { from: at("2026-11-20T06:00:07"), to: at("2026-12-01T00:00:00") };
    let name = choose::<Error>(&months, piece, "events", "events", |_| Ok(false)).unwrap();
    assert_eq!(name, "events_p20261120_060007");
}

#[test]
fn days_are_named_as_their_zone_calls_them() {
    let berlin = grid(Width::Micros(DAY), "Europe/Berlin");
    assert_eq!(free(&berlin, "2026-10-24T23:00:00", "events"), "events_p20261025");
    let months = grid(Width::Months(1), "Europe/Berlin");
    assert_eq!(free(&months, "2026-10-31T23:30:00", "events"), "events_p202611");
}

#[test]
fn a1_the_hour_that_comes_twice_has_two_names() {
    let berlin = grid(Width::Micros(DAY / 24), "Europe/Berlin");
    let mut names = HashSet::new();
    let mut cell = berlin.cell(at("2026-10-24T22:00:00")).unwrap();
    for _ in 0..25 {
        names.insert(choose::<Error>(&berlin, cell, "t", "t", |_| Ok(false)).unwrap());
        cell = berlin.cell(cell.to).unwrap();
    }
    assert_eq!(names.len(), 25);
}

#[test]
fn c28_long_names_stay_whole_at_the_end_and_apart() {
    let days = grid(Width::Micros(DAY), "UTC");
    let parents = [format!("{}aaaaaa", "x".repeat(54)), format!("{}bbbbbb", "x".repeat(54))];
    let names: Vec<_> = parents.iter().map(|p| free(&days, "2026-11-20T00:00:00", p)).collect();
    assert_ne!(names[0], names[1]);
    assert!(names.iter().all(|name| name.len() == 63 && name.contains("_p20261120_")));
}

#[test]
fn characters_are_not_cut_in_two() {
    let days = grid(Width::Micros(DAY), "UTC");
    for parent in ["ä".repeat(31), "日".repeat(21), "🦀".repeat(15), format!("a{}", "ä".repeat(31))] {
        let name = free(&days, "2026-11-20T00:00:00", &parent);
        assert!(name.len() <= 63 && name.contains("_p20261120_"), "{name}");
    }
}

#[test]
fn c29_a_taken_name_is_left_to_its_owner() {
    let days = grid(Width::Micros(DAY), "UTC");
    let range = days.cell(at("2026-11-20T00:00:00")).unwrap();
    let mut taken = HashSet::new();
    for _ in 0..50 {
        let name = choose::<Error>(&days, range, "t", "public.t", |n| Ok(taken.contains(n))).unwrap();
        assert!(taken.insert(name));
    }
}
