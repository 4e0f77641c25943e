use super::*;
use crate::partition::DAY;

fn at(text: &str) -> Micros {
    civil::from_datetime(text.parse().unwrap()).unwrap()
}

/// Days from 1 November, each of one byte.
fn days(n: i64) -> Vec<Piece> {
    let first = at("2026-11-01T00:00:00");
    (0..n)
        .map(|i| Piece { range: Range { from: first + i * DAY, to: first + (i + 1) * DAY }, bytes: 1 })
        .collect()
}

fn cutoff(at: Micros) -> Policy {
    Policy { cutoff: Some(at), ..Policy::default() }
}

#[test]
fn a_partition_goes_when_all_in_it_is_old_enough() {
    let now = at("2026-11-13T00:00:00");
    assert_eq!(ripe(&days(12), now, &cutoff(now - 10 * DAY)), [0, 1]);
    assert_eq!(ripe(&days(12), now - 1, &cutoff(now - 1 - 10 * DAY)), [0]);
    assert_eq!(ripe(&days(12), now, &Policy::default()), Vec::<usize>::new());
}

#[test]
fn what_holds_now_and_what_is_to_come_stays() {
    let now = at("2026-11-03T12:00:00");
    // longer than for ever
    assert_eq!(ripe(&days(12), now, &cutoff(Micros::MAX)), [0, 1]);
    let all = Policy { most_bytes: Some(0), ..Policy::default() };
    assert_eq!(ripe(&days(12), now, &all), [0, 1]);
}

#[test]
fn some_stay_in_any_case() {
    let now = at("2026-11-06T00:00:00");
    assert_eq!(ripe(&days(5), now, &Policy { at_least: 2, ..cutoff(now) }), [0, 1, 2]);
    assert_eq!(ripe(&days(5), now, &Policy { at_least: 7, ..cutoff(now) }), Vec::<usize>::new());
}

#[test]
fn the_oldest_go_until_it_is_small_enough() {
    let now = at("2026-11-13T00:00:00");
    let mut pieces = days(12);
    pieces.reverse();
    assert_eq!(ripe(&pieces, now, &Policy { most_bytes: Some(10), ..Policy::default() }), [11, 10]);
    assert_eq!(
        ripe(&pieces, now, &Policy { most_bytes: Some(12), ..Policy::default() }),
        Vec::<usize>::new()
    );
}

#[test]
fn an_interval_back_by_the_calendar() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let back = |now: &str, months, days, micros| {
        let at = before(&berlin, at(now), months, days, micros).unwrap();
        civil::literal(crate::partition::Key::Timestamptz, at).unwrap()
    };
    assert_eq!(back("2026-03-31T10:00:00", 1, 0, 0), "2026-02-28 11:00:00+00");
    // the day on which the clocks went forward had 23 hours
    assert_eq!(back("2026-03-29T10:00:00", 0, 1, 0), "2026-03-28 11:00:00+00");
    assert_eq!(back("2026-03-29T10:00:00", 0, 0, DAY), "2026-03-28 10:00:00+00");
    // the second coming of 02:30 is not the first
    assert_eq!(back("2026-10-25T01:30:00", 0, 0, 0), "2026-10-25 01:30:00+00");
    assert!(before(&berlin, at("2026-03-29T10:00:00"), 12 * 20000, 0, 0).is_err());
}

#[test]
fn a_fence_stays_and_what_was_converted_goes() {
    let day = |from: i64, to: i64| Piece { range: Range { from, to }, bytes: 5 };
    let policy = Policy { cutoff: Some(40), most_bytes: Some(1), at_least: 0 };
    let below = day(Micros::MIN, 10);
    let days = [below, day(10, 20), day(20, 30)];
    assert_eq!(ripe(&days, 50, &policy), [0, 1, 2]);
    let fenced = [below, day(10, 20), day(20, 30), day(1000, Micros::MAX)];
    assert_eq!(ripe(&fenced, 50, &policy), [1, 2]);
}
