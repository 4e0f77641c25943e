use super::*;
use crate::partition::width::Width;
use crate::partition::zone::Zone;
use crate::partition::{civil, Key, DAY, MINUTE};

fn grid(key: Key, width: Width) -> Grid {
    Grid::new(key, width, Zone::named("UTC").unwrap(), None).unwrap()
}

fn at(text: &str) -> Micros {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00") };
    civil::from_datetime(text.parse().unwrap()).unwrap()
}

fn range(from: &str, to: &str) -> Range {
    Range { from: at(from), to: at(to) }
}

#[test]
fn b19_the_clock_makes_the_horizon_not_the_data() {
    let grid = grid(Key::Date, Width::Micros(DAY));
    let now = at("2026-11-20T13:00:00");
    assert_eq!(
        missing(&grid, now, 1, &[]).unwrap(),
        [range("2026-11-20", "2026-11-21"), range("2026-11-21", "2026-11-22")]
    );
    let have = missing(&grid, now, 1, &[]).unwrap();
    assert_eq!(missing(&grid, now, 6, &have).unwrap().len(), 5);
}

#[test]
fn b21_a_hole_is_filled() {
    let grid = grid(Key::Timestamptz, Width::Micros(DAY));
    let now = at("2026-11-20T13:00:00");
    let mut have = missing(&grid, now, 4, &[]).unwrap();
    let gone = have.remove(2);
    have.reverse();
    assert_eq!(missing(&grid, now, 4, &have).unwrap(), [gone]);
}

#[test]
fn b22_sixty_days_without_maintenance() {
    let grid = grid(Key::Timestamptz, Width::Micros(DAY));
    let have = missing(&grid, at("2026-09-20"), 4, &[]).unwrap();
    let made = missing(&grid, at("2026-11-20"), 4, &have).unwrap();
    assert_eq!(made.first(), Some(&range("2026-09-25", "2026-09-26")));
    assert_eq!(made.last(), Some(&range("2026-11-24", "2026-11-25")));
    assert_eq!(made.len(), 61);
}

#[test]
fn b23_what_is_there_is_adopted() {
    let grid = grid(Key::Date, Width::Months(1));
    let have = [range("2026-12-01", "2027-01-01"), range("2026-11-01", "2026-12-01")];
    assert_eq!(
        missing(&grid, at("2026-11-20"), 3, &have).unwrap(),
        [range("2027-01-01", "2027-02-01"), range("2027-02-01", "2027-03-01")]
    );
}

#[test]
fn b24_off_the_grid_is_bridged() {
    let grid = grid(Key::Timestamptz, Width::Micros(DAY));
    let have = [range("2026-11-20T06:00:00", "2026-11-22T12:00:00")];
    assert_eq!(
        missing(&grid, at("2026-11-20T00:00:00"), 3, &have).unwrap(),
        [
            range("2026-11-20", "2026-11-20T06:00:00"),
            range("2026-11-22T12:00:00", "2026-11-23"),
            range("2026-11-23", "2026-11-24"),
        ]
    );
}

#[test]
fn fences_and_far_partitions_are_left_alone() {
    let grid = grid(Key::Timestamptz, Width::Months(1));
    let have = [
        Range { from: Micros::MIN, to: at("2026-10-01") },
        Range { from: at("2090-01-01"), to: Micros::MAX },
    ];
    assert_eq!(
        missing(&grid, at("2026-11-20"), 1, &have).unwrap(),
        [
            range("2026-10-01", "2026-11-01"),
            range("2026-11-01", "2026-12-01"),
            range("2026-12-01", "2027-01-01"),
        ]
    );
    assert!(missing(&grid, at("2026-11-20"), 4, &[Range { from: Micros::MIN, to: Micros::MAX }])
        .unwrap()
        .is_empty());
}

#[test]
fn one_stray_old_partition_does_not_make_a_million() {
    let grid = grid(Key::Timestamp, Width::Micros(MINUTE));
    let have = [range("1970-01-01", "1970-01-02")];
    assert_eq!(missing(&grid, at("2026-11-20"), 1, &have), Err(Error::TooMany(MOST)));
}

#[test]
fn never_overlapping_always_complete() {
    // Random partitions, on and off the grid: what they and the plan cover together is one piece.
    let mut state = 42_u64;
    let mut random = |below: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64 % below
    };
    for _ in 0..500 {
        let now = at("2026-11-20") + random(DAY);
        let mut have = Vec::new();
        let mut edge = now - random(5 * DAY);
        for _ in 0..random(6) {
            edge += random(3) * random(DAY);
            let to = edge + 1 + random(2 * DAY);
            have.push(Range { from: edge, to });
            edge = to;
        }
        let made = missing(&grid(Key::Timestamptz, Width::Micros(DAY)), now, 4, &have).unwrap();
        let mut all = [have, made].concat();
        all.sort_unstable();
        assert!(all.windows(2).all(|two| two[0].to == two[1].from), "{all:?}");
        assert!(all[0].from <= now);
        assert!(all[all.len() - 1].to >= at("2026-11-25"));
        assert!(all.iter().all(|range| range.from < range.to));
    }
}

#[test]
fn covered_until_stops_at_a_hole() {
    let grid = grid(Key::Date, Width::Micros(DAY));
    let now = at("2026-11-20T09:00:00");
    let have = [range("2026-11-20", "2026-11-21"), range("2026-11-22", "2026-11-23")];
    assert_eq!(covered_until(&grid, now, &have).unwrap(), Some(at("2026-11-21")));
    assert_eq!(covered_until(&grid, now, &have[1..]).unwrap(), None);
}

#[test]
fn the_clock_of_a_date_is_that_of_its_zone() {
    let tokyo = Grid::new(Key::Date, Width::Micros(DAY), Zone::named("Asia/Tokyo").unwrap(), None).unwrap();
    let made = missing(&tokyo, at("2026-11-20T20:00:00"), 0, &[]).unwrap();
    assert_eq!(made, [range("2026-11-21", "2026-11-22")]);
}

#[test]
fn a_range_cut_at_the_grid() {
    let grid = grid(Key::Date, Width::Micros(DAY));
    let wide = Range { from: at("2026-11-20T06:00:00"), to: at("2026-11-22T12:00:00") };
    assert_eq!(
        pieces(&grid, wide).unwrap(),
        [
            Range { from: wide.from, to: at("2026-11-21") },
            range("2026-11-21", "2026-11-22"),
            Range { from: at("2026-11-22"), to: wide.to }
        ]
    );
    assert_eq!(
        pieces(&grid, Range { from: at("1900-01-01"), to: at("2026-11-22") }),
        Err(Error::TooMany(MOST))
    );
}

#[test]
fn so_many_cells_back_and_forth() {
    let grid = grid(Key::Date, Width::Months(1));
    let bound = at("2026-03-01");
    assert_eq!(back(&grid, bound, 3), Ok(at("2025-12-01")));
    assert_eq!(forth(&grid, bound, 11), Ok(at("2027-02-01")));
    assert_eq!(back(&grid, bound, 0), Ok(bound));
    // from within a cell its own beginning is the first
    assert_eq!(back(&grid, at("2026-03-15"), 1), Ok(bound));
}
