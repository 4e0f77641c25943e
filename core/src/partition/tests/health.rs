use super::*;
use crate::partition::width::Width;
use crate::partition::zone::Zone;
use crate::partition::{Key, DAY};

fn days() -> Grid {
    Grid::new(Key::Timestamptz, Width::Micros(DAY), Zone::named("UTC").unwrap(), None).unwrap()
}

fn day(number: i64) -> Range {
    Range { from: number * DAY, to: (number + 1) * DAY }
}

#[test]
fn ahead_counts_up_to_the_first_gap() {
    let (grid, now) = (days(), 5 * DAY + 1);
    let ahead = |most, existing: &[Range]| ahead(&grid, now, most, existing).unwrap();
    assert_eq!(ahead(2, &[]), None);
    assert_eq!(ahead(2, &[day(4), day(6)]), None);
    assert_eq!(ahead(2, &[day(5)]), Some(0));
    assert_eq!(ahead(2, &[day(6), day(5)]), Some(1));
    assert_eq!(ahead(2, &[day(5), day(7)]), Some(0));
    assert_eq!(ahead(2, &[day(5), day(6), day(7), day(8)]), Some(2));
    assert_eq!(ahead(2, &[Range { from: 0, to: Micros::MAX }]), Some(2));
    // half a cell is none
    assert_eq!(ahead(2, &[Range { from: 0, to: 7 * DAY - 1 }]), Some(0));
}

#[test]
fn a_hole_has_partitions_on_both_sides() {
    assert_eq!(holes(&[day(1), day(3), day(5)], &[day(2), day(4)]), [day(3)]);
    assert_eq!(holes(&[day(1)], &[]), []);
    assert_eq!(holes(&[day(3)], &[day(4)]), []);
}
