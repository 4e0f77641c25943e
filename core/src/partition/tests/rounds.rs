use crate::partition::rounds::{cost, estimate, next, Cost, LOCKED};
use crate::partition::Range;

fn days(count: i64) -> Vec<Range> {
    (0..count).map(|day| Range { from: day, to: day + 1 }).collect()
}

/// Divides until all are of the grid; how often, and the longest lock.
fn divide(cells: &[Range], rest: usize, others: usize) -> (Vec<Range>, usize, usize) {
    let ranges = next(cells, rest, others);
    let (mut moves, mut longest) = (1, estimate(ranges.len() + rest, others));
    let (mut made, mut there) = (vec![], others + ranges.len() + rest);
    for range in ranges {
        let within: Vec<Range> =
            cells.iter().copied().filter(|c| range.from <= c.from && c.to <= range.to).collect();
        assert!(!within.is_empty() && (within.len() < cells.len() || cells.len() == 1), "{range:?}");
        if within.len() == 1 {
            made.push(range);
            continue;
        }
        let (inner, inner_moves, inner_longest) = divide(&within, 0, there);
        there += within.len();
        moves += inner_moves;
        longest = longest.max(inner_longest);
        made.extend(inner);
    }
    (made, moves, longest)
}

#[test]
fn few_go_at_once() {
    for count in [0, 1, 2, 40] {
        assert_eq!(next(&days(count), 1, 3), days(count));
        assert_eq!(cost(&days(count), 1, 3).interim, 0);
    }
}

#[test]
fn all_arrive_and_no_lock_is_long() {
    for rest in [0, 1, 2] {
        for others in [0, 1, 7, 40, 300, 1000] {
            for count in [2, 3, 20, 44, 45, 60, 151, 365, 1000, 5000] {
                let cells = days(count);
                let (made, moves, longest) = divide(&cells, rest, others);
                assert_eq!(made, cells, "{count} beside {others}");
                let told = cost(&cells, rest, others);
                assert_eq!((told.moves, told.longest), (moves, longest));
                assert_eq!(told.interim + 1, moves);
                // two at a time where not even two fit
                let least = estimate(3 + rest, others + count as usize);
                assert!(longest <= LOCKED.max(least), "{count} beside {others} and {rest}: {longest}");
            }
        }
    }
}

/// Only what does not fit is copied twice, and the last ones, which are in use, are not.
#[test]
fn what_fits_is_moved_once() {
    let ranges = next(&days(60), 0, 0);
    assert_eq!(ranges.first(), Some(&Range { from: 0, to: 16 }));
    assert_eq!(ranges.last(), Some(&Range { from: 59, to: 60 }));
    assert_eq!(ranges.len(), 45);
    assert_eq!(cost(&days(60), 0, 0), Cost { moves: 2, interim: 1, longest: estimate(45, 0) });
}

/// A wider one must not take the place of another partition.
#[test]
fn gaps_stay_gaps() {
    let every_other: Vec<Range> = days(400).into_iter().step_by(2).collect();
    assert_eq!(next(&every_other, 1, 10), every_other);
    let mut pairs = days(300);
    pairs.retain(|day| day.from % 3 != 0);
    for range in next(&pairs, 0, 100) {
        assert!(range.to - range.from <= 2 && range.from % 3 != 0, "{range:?}");
    }
}
