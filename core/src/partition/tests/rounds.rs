use crate::partition::rounds::{cost, estimate, next, Cost, Each, LOCKED};
use crate::partition::Range;

const PLAIN: Each = Each { first: 2000, later: 2000 };

fn days(count: i64) -> Vec<Range> {
    (0..count).map(|day| Range { from: day, to: day + 1 }).collect()
}

fn singles(cells: &[Range]) -> Vec<&[Range]> {
    cells.chunks(1).collect()
}

/// The partitions there are, as a server would have them, while all are made; how often they were locked and how long
/// at most.
struct Table {
    there: Vec<Range>,
    moves: usize,
    longest: usize,
}

impl Table {
    /// `source` is replaced; a DEFAULT partition is none of those there.
    fn divide(&mut self, source: Option<Range>, cells: &[Range], rest: usize, each: Each) {
        let slices = next(cells, rest, self.there.len(), each);
        self.moves += 1;
        self.longest = self.longest.max(estimate(slices.len() + rest, self.there.len(), each.first));
        self.there.retain(|range| Some(*range) != source);
        let whole = |slice: &[Range]| Range { from: slice[0].from, to: slice[slice.len() - 1].to };
        self.there.extend(slices.iter().map(|slice| whole(slice)));
        for slice in slices.into_iter().filter(|slice| slice.len() > 1) {
            assert!(slice.len() < cells.len());
            self.divide(Some(whole(slice)), slice, 0, Each { first: each.later, later: each.later });
        }
    }
}

#[test]
fn few_go_at_once() {
    for count in [0, 1, 2, 40] {
        assert_eq!(next(&days(count), 1, 3, PLAIN), singles(&days(count)));
        assert_eq!(cost(&days(count), 1, 3, PLAIN).moves, 1);
    }
}

#[test]
fn all_arrive_and_no_lock_is_long() {
    for (rest, each) in [
        (0, PLAIN),
        (1, PLAIN),
        (0, Each { first: 7000, later: 7000 }),
        (1, Each { first: 2000, later: 9000 }),
    ] {
        for others in [1, 7, 40, 300, 1000] {
            for count in [2, 3, 20, 44, 45, 60, 151, 365, 1000, 5000] {
                let cells = days(count);
                let wide = Range { from: 0, to: count };
                let far = (0..others as i64).map(|n| Range { from: 10_000 + n, to: 10_001 + n });
                let mut table = Table { there: far.collect(), moves: 0, longest: 0 };
                // with a rest it is the DEFAULT partition, else one of those there
                if rest == 0 {
                    table.there[0] = wide;
                }
                table.divide((rest == 0).then_some(wide), &cells, rest, each);
                table.there.retain(|range| range.from < 10_000);
                table.there.sort_unstable();
                assert_eq!(table.there, cells, "{count} beside {others}");
                let told = cost(&cells, rest, others, each);
                assert_eq!(told, Cost { moves: table.moves, longest: table.longest });
                // two at a time where not even two fit
                let least = estimate(3 + rest, others + count as usize, each.later);
                assert!(told.longest <= LOCKED.max(least), "{count} beside {others} and {rest}: {told:?}");
            }
        }
    }
}

/// Only what does not fit is copied twice, and the last ones, which are in use, are not.
#[test]
fn what_fits_is_moved_once() {
    let cells = days(60);
    let slices = next(&cells, 0, 0, PLAIN);
    assert_eq!(slices.first(), Some(&&cells[..16]));
    assert_eq!(slices.last(), Some(&&cells[59..]));
    assert_eq!(slices.len(), 45);
    assert_eq!(cost(&cells, 0, 1, PLAIN).moves, 2);
}

/// A wider one must not take the place of another partition; and where putting together the few that lie side by side
/// does not help, nothing is copied twice.
#[test]
fn gaps_stay_gaps() {
    let mut every_other: Vec<Range> = days(400).into_iter().step_by(2).collect();
    assert_eq!(next(&every_other, 1, 10, PLAIN), singles(&every_other));
    every_other.insert(1, Range { from: 1, to: 2 });
    assert_eq!(next(&every_other, 1, 10, PLAIN), singles(&every_other));
    let mut weekdays = days(500);
    weekdays.retain(|day| day.from % 7 < 5);
    let slices = next(&weekdays, 0, 10, PLAIN);
    assert!(slices.len() < weekdays.len());
    for slice in slices {
        assert!(slice.windows(2).all(|pair| pair[0].to == pair[1].from), "{slice:?}");
    }
}
