use super::*;
use crate::jsonb::{entries, write_object, Value};
use std::collections::BTreeMap;

/// A row's image: its column `v`.
fn image(v: i64) -> Vec<u8> {
    let mut datum = vec![];
    write_object(&mut datum, &[(b"v", Value::Int(v))]).unwrap();
    datum.split_off(4)
}

type Change = (i64, (u64, i64), char, &'static str, &'static str, i64);

/// What the log of these changes says was there: (place now, value then), or None for a new row.
/// A change: id, statement, I U D or M (moved), the key (of M the old one), where to, the value before.
fn rewind(deferrable: bool, changes: &[Change]) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<Event>> = BTreeMap::new();
    for (id, statement, op, key, to, v) in changes {
        let event = |act| Event { id: *id, statement: *statement, act, old: image(*v) };
        let mut put = |place, act| places.entry(place).or_default().push(event(act));
        match op {
            'I' => put(*key, Act::Insert),
            'U' => put(*key, Act::Update),
            'D' => put(*key, Act::Delete),
            _ => {
                put(*key, Act::Leave(to.as_bytes().to_vec()));
                put(*to, Act::Arrive);
            }
        }
    }
    let mut lines = vec![];
    let mut emit = |found: Found| -> Result<(), Unreadable> {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let value =
            |old: &[u8]| (0..100).find(|v| entries(old).unwrap() == entries(&image(*v)).unwrap()).unwrap();
        lines.push(match found {
            Found::Changed { place, old } => format!("{} was {}", text(&place), value(&old)),
            Found::New { place } => format!("{} was not", text(&place)),
            Found::Gone { place, old } => format!("gone from {}: {}", text(&place), value(&old)),
        });
        Ok(())
    };
    let mut rewind = Rewind::default();
    for (key, events) in places {
        let mut place = Place::new(deferrable);
        for event in events {
            place.apply(event).unwrap();
        }
        rewind.add(key.as_bytes(), place.done().unwrap(), &mut emit).unwrap();
    }
    assert!(rewind.next().is_none());
    rewind.finish(&mut emit).unwrap();
    lines.sort();
    lines
}

fn each(n: i64) -> (u64, i64) {
    (n as u64, n)
}

#[test]
fn plain_lives() {
    assert_eq!(rewind(false, &[(1, each(1), 'U', "a", "", 5), (2, each(2), 'U', "a", "", 6)]), ["a was 5"]);
    assert_eq!(rewind(false, &[(1, each(1), 'I', "a", "", 0), (2, each(2), 'U', "a", "", 6)]), ["a was not"]);
    assert_eq!(rewind(false, &[(1, each(1), 'D', "a", "", 7)]), ["gone from a: 7"]);
    assert_eq!(
        rewind(false, &[(1, each(1), 'I', "a", "", 0), (2, each(2), 'D', "a", "", 7)]),
        Vec::<String>::new()
    );
}

#[test]
fn a_key_used_again_is_another_row() {
    let changes =
        [(1, each(1), 'U', "a", "", 3), (2, each(2), 'D', "a", "", 4), (3, each(3), 'I', "a", "", 0)];
    assert_eq!(rewind(false, &changes), ["a was not", "gone from a: 3"]);
    let changes =
        [(1, each(1), 'M', "a", "b", 3), (2, each(2), 'I', "a", "", 0), (3, each(3), 'U', "b", "", 9)];
    assert_eq!(rewind(false, &changes), ["a was not", "b was 3"]);
}

#[test]
fn keys_that_move_on_and_back() {
    let changes =
        [(1, each(1), 'M', "a", "b", 3), (2, each(1), 'M', "b", "c", 3), (3, each(3), 'D', "c", "", 3)];
    assert_eq!(rewind(false, &changes), ["gone from c: 3"]);
    let changes = [(1, each(1), 'M', "a", "b", 3), (2, each(2), 'M', "b", "a", 3)];
    assert_eq!(rewind(false, &changes), ["a was 3"]);
    // a new one never was, wherever it went
    let changes = [(1, each(1), 'I', "a", "", 0), (2, each(2), 'M', "a", "b", 3)];
    assert_eq!(rewind(false, &changes), ["b was not"]);
}

#[test]
fn keys_that_shift_in_one_statement() {
    let both = ["b was 1", "c was 2"];
    assert_eq!(rewind(true, &[(1, each(1), 'M', "a", "b", 1), (2, each(1), 'M', "b", "c", 2)]), both);
    assert_eq!(rewind(true, &[(1, each(1), 'M', "b", "c", 2), (2, each(1), 'M', "a", "b", 1)]), both);
}

#[test]
fn keys_that_swap() {
    let swapped = ["a was 2", "b was 1"];
    assert_eq!(rewind(true, &[(1, each(1), 'M', "a", "b", 1), (2, each(1), 'M', "b", "a", 2)]), swapped);
    // in two statements of one transaction
    assert_eq!(rewind(true, &[(1, (1, 1), 'M', "a", "b", 1), (2, (1, 2), 'M', "b", "a", 2)]), swapped);
    // by way of a free key
    let third = [(1, (1, 1), 'M', "a", "x", 1), (2, (1, 2), 'M', "b", "a", 2), (3, (1, 3), 'M', "x", "b", 1)];
    assert_eq!(rewind(false, &third), swapped);
}

#[test]
fn a_statement_comes_before_its_triggers() {
    // written after what its trigger changed, with a later id
    let changes =
        [(1, (1, 20), 'U', "a", "", 6), (2, (1, 10), 'U', "a", "", 5), (3, (2, 15), 'U', "a", "", 7)];
    assert_eq!(rewind(false, &changes), ["a was 5"]);
    let changes = [(1, (1, 20), 'U', "a", "", 6), (2, (1, 10), 'I', "a", "", 0)];
    assert_eq!(rewind(false, &changes), ["a was not"]);
    // transactions are in the order of their ids, whatever their times
    let changes = [(1, (1, 20), 'U', "a", "", 5), (2, (2, 10), 'U', "a", "", 6)];
    assert_eq!(rewind(false, &changes), ["a was 5"]);
}

#[test]
fn a_log_with_a_gap_invents_no_rows() {
    let changes =
        [(1, each(1), 'I', "a", "", 0), (2, each(2), 'D', "a", "", 4), (3, each(3), 'U', "a", "", 5)];
    assert_eq!(rewind(false, &changes), ["a was not"]);
}

/// Against a table that is simply remembered: random changes, then back to each moment.
#[test]
fn any_history_can_be_rewound() {
    let keys = ["a", "b", "c", "d"];
    let mut seed = 7u64;
    let mut random = |n: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % n
    };
    for _ in 0..100 {
        let mut table: BTreeMap<&str, i64> = BTreeMap::new();
        let (mut states, mut log): (Vec<BTreeMap<&str, i64>>, Vec<Change>) = (vec![table.clone()], vec![]);
        for id in 1..30 {
            let (key, to, value) = (keys[random(4)], keys[random(4)], random(90) as i64);
            match (table.get(key).copied(), random(4)) {
                (None, _) => {
                    table.insert(key, value);
                    log.push((id, each(id), 'I', key, "", 0));
                }
                (Some(old), 0) => {
                    table.remove(key);
                    log.push((id, each(id), 'D', key, "", old));
                }
                (Some(old), 1) if !table.contains_key(to) => {
                    table.remove(key);
                    table.insert(to, old);
                    log.push((id, each(id), 'M', key, to, old));
                }
                (Some(old), _) => {
                    table.insert(key, value);
                    log.push((id, each(id), 'U', key, "", old));
                }
            }
            states.push(table.clone());
        }
        for (moment, state) in states.iter().enumerate() {
            let lines = rewind(false, &log[moment..]);
            // rows that are there now and that the log does not mention, then those it does
            let mut then: Vec<i64> = vec![];
            for (place, value) in &table {
                let line = |l: &&String| l.starts_with(&format!("{place} was"));
                match lines.iter().find(line).map(|l| l.rsplit_once("was ").unwrap().1.parse::<i64>()) {
                    None => then.push(*value),
                    Some(Ok(old)) => then.push(old),
                    Some(Err(_)) => {}
                }
            }
            then.extend(
                lines.iter().filter_map(|l| l.strip_prefix("gone from ")?.get(3..)?.parse::<i64>().ok()),
            );
            then.sort();
            let mut expected: Vec<i64> = state.values().copied().collect();
            expected.sort();
            assert_eq!(then, expected, "{log:?} back to {moment}");
        }
    }
}
