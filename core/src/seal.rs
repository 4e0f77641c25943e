//! The arithmetic of tamper evidence: digests of records, the parts they are kept in, the links of
//! the chain, and what differs between a stretch of the log and its seal.
//!
//! What is hashed is a list of fields, each as its length in bytes, a colon, its bytes and a comma
//! (`5:hello,`), one that is NULL as `-,`: so that no two lists look the same, and any language with
//! SHA-256 can do it again. docs/audit-evidence.md has it in full.

use sha2::{Digest as _, Sha256};

/// Of a record: the first 16 bytes of its hash. Whoever would change a record unnoticed has to find
/// other contents with this very digest; the chain itself is of whole hashes.
pub type Digest = [u8; 16];

pub type Hash = [u8; 32];

/// How many records a part holds at most.
pub const PART: usize = 1000;

/// SHA-256 of fields.
pub fn hash<'a>(fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> Hash {
    let mut hasher = Sha256::new();
    fields.into_iter().for_each(|f| field(&mut hasher, f));
    hasher.finalize().into()
}

/// The digest of a record with these fields.
pub fn digest<'a>(fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(&hash(fields)[..size_of::<Digest>()]);
    digest
}

fn field(hasher: &mut Sha256, value: Option<&[u8]>) {
    match value {
        None => hasher.update(b"-,"),
        Some(bytes) => {
            hasher.update(bytes.len().to_string());
            hasher.update(b":");
            hasher.update(bytes);
            hasher.update(b",");
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A record as its seal knows it. Its number is not in the digest, so that one that was given
/// another number is known again. `at` is in microseconds since 2000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: i64,
    pub at: i64,
    pub digest: Digest,
}

/// A part that does not hold what was put into it.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

/// Entries as one value: of each the step from the id before and from the time before (zigzag
/// LEB128, both from 0), then the digest.
pub fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut data = Vec::with_capacity(entries.len() * (size_of::<Digest>() + 3));
    let (mut id, mut at) = (0, 0);
    for entry in entries {
        put(&mut data, entry.id.wrapping_sub(id));
        put(&mut data, entry.at.wrapping_sub(at));
        data.extend_from_slice(&entry.digest);
        (id, at) = (entry.id, entry.at);
    }
    data
}

pub fn decode(mut data: &[u8]) -> Result<Vec<Entry>, Damaged> {
    let mut entries = vec![];
    let (mut id, mut at) = (0i64, 0i64);
    while !data.is_empty() {
        id = id.wrapping_add(take(&mut data)?);
        at = at.wrapping_add(take(&mut data)?);
        let (digest, rest) = data.split_first_chunk().ok_or(Damaged)?;
        data = rest;
        entries.push(Entry { id, at, digest: *digest });
    }
    Ok(entries)
}

fn put(data: &mut Vec<u8>, n: i64) {
    let mut n = ((n << 1) ^ (n >> 63)) as u64;
    while n >= 0x80 {
        data.push(n as u8 | 0x80);
        n >>= 7;
    }
    data.push(n as u8);
}

fn take(data: &mut &[u8]) -> Result<i64, Damaged> {
    let mut n = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = data.split_first().ok_or(Damaged)?;
        *data = rest;
        n |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok((n >> 1) as i64 ^ -((n & 1) as i64));
        }
    }
    Err(Damaged)
}

/// The hash of a seal's parts, one after the other in their order.
#[derive(Default)]
pub struct Contents(Sha256);

impl Contents {
    /// `kind` is the letter of what the part holds, `hash` that of its data (`part_hash`): which need not
    /// be kept for ever.
    pub fn part(&mut self, kind: u8, hash: &[u8]) {
        field(&mut self.0, Some(&[kind]));
        field(&mut self.0, Some(hex(hash).as_bytes()));
    }

    pub fn hash(self) -> Hash {
        self.0.finalize().into()
    }
}

/// The hash of a part's data.
pub fn part_hash(data: &[u8]) -> Hash {
    Sha256::digest(data).into()
}

/// A seal: what it covers, and the link to the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    pub number: i64,
    /// When, as seconds since 1970 with six decimals.
    pub sealed_at: String,
    /// The database the transactions' numbers are of.
    pub home: String,
    pub from_xact: u64,
    /// Exclusive.
    pub to_xact: u64,
    /// The first number no transaction had yet.
    pub next_xact: u64,
    pub closed: bool,
    pub changes: i64,
    pub first_id: Option<i64>,
    pub last_id: Option<i64>,
    pub contents: Vec<u8>,
    /// The hash of the seal before; the first has none.
    pub previous: Option<Vec<u8>>,
}

impl Seal {
    pub fn hash(&self) -> Hash {
        let texts = [
            self.previous.as_deref().map(hex),
            Some(self.number.to_string()),
            Some(self.sealed_at.clone()),
            Some(self.home.clone()),
            Some(self.from_xact.to_string()),
            Some(self.to_xact.to_string()),
            Some(self.next_xact.to_string()),
            Some(self.closed.to_string()),
            Some(self.changes.to_string()),
            self.first_id.map(|id| id.to_string()),
            self.last_id.map(|id| id.to_string()),
            Some(hex(&self.contents)),
        ];
        hash(texts.iter().map(|t| t.as_deref().map(str::as_bytes)))
    }
}

/// A record as it is in the log now, and whatever its finder wants to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    pub entry: Entry,
    pub about: T,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference<T> {
    Changed { sealed: Entry, found: Found<T> },
    Removed(Entry),
    Inserted(Found<T>),
}

/// Compares sealed records with those found, both in the order of their ids. Holds no more than the
/// records of one id. `same` says whether a record is what was sealed.
pub fn compare<T, E>(
    mut sealed: impl FnMut() -> Result<Option<Entry>, E>,
    mut found: impl FnMut() -> Result<Option<Found<T>>, E>,
    mut same: impl FnMut(&Entry, &Found<T>) -> bool,
    mut report: impl FnMut(Difference<T>),
) -> Result<(), E> {
    let (mut next_sealed, mut next_found) = (sealed()?, found()?);
    loop {
        let id = match (&next_sealed, &next_found) {
            (None, None) => return Ok(()),
            (Some(s), None) => s.id,
            (None, Some(f)) => f.entry.id,
            (Some(s), Some(f)) => s.id.min(f.entry.id),
        };
        // nearly always one of each
        let (mut expected, mut present) = (vec![], vec![]);
        while let Some(s) = next_sealed.take_if(|s| s.id == id) {
            expected.push(s);
            next_sealed = sealed()?;
        }
        while let Some(f) = next_found.take_if(|f| f.entry.id == id) {
            present.push(f);
            next_found = found()?;
        }
        expected.retain(|s| match present.iter().position(|f| same(s, f)) {
            Some(i) => {
                present.swap_remove(i);
                false
            }
            None => true,
        });
        let mut present = present.into_iter();
        for sealed in expected {
            report(match present.next() {
                Some(found) => Difference::Changed { sealed, found },
                None => Difference::Removed(sealed),
            });
        }
        present.for_each(|f| report(Difference::Inserted(f)));
    }
}

/// What is wrong with one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem<T> {
    pub id: i64,
    pub at: i64,
    pub what: What,
    /// None when the record is gone.
    pub about: Option<T>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Changed,
    Removed,
    Inserted,
    /// It was sealed under another id.
    Renumbered {
        was: i64,
    },
}

/// Differences in people's words: a record whose contents were sealed under another id was renumbered.
pub fn explain<T>(differences: Vec<Difference<T>>) -> Vec<Problem<T>> {
    let lost: std::collections::HashMap<Digest, i64> = differences
        .iter()
        .filter_map(|d| match d {
            Difference::Changed { sealed, .. } | Difference::Removed(sealed) => {
                Some((sealed.digest, sealed.id))
            }
            Difference::Inserted(_) => None,
        })
        .collect();
    let mut problems: Vec<Problem<T>> = vec![];
    let mut gone = vec![];
    for difference in differences {
        let (found, otherwise) = match difference {
            Difference::Removed(sealed) => {
                gone.push(sealed);
                continue;
            }
            Difference::Changed { found, .. } => (found, What::Changed),
            Difference::Inserted(found) => (found, What::Inserted),
        };
        let was = lost.get(&found.entry.digest).copied().filter(|was| *was != found.entry.id);
        let what = was.map_or(otherwise, |was| What::Renumbered { was });
        problems.push(Problem { id: found.entry.id, at: found.entry.at, what, about: Some(found.about) });
    }
    let removed: Vec<Problem<T>> = gone
        .into_iter()
        .filter(|sealed| !problems.iter().any(|p| p.what == What::Renumbered { was: sealed.id }))
        .map(|sealed| Problem { id: sealed.id, at: sealed.at, what: What::Removed, about: None })
        .collect();
    problems.extend(removed);
    problems.sort_by_key(|p| p.id);
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: i64, digest: u8) -> Entry {
        Entry { id, at: 700_000_000_000_000 + id, digest: [digest; 16] }
    }

    fn fields<'a>(list: &'a [Option<&'a str>]) -> Hash {
        hash(list.iter().map(|f| f.map(str::as_bytes)))
    }

    #[test]
    fn fields_cannot_be_taken_for_each_other() {
        // sha256 of "5:hello,-,0:,"
        let expected = crate::hash::hex(b"5:hello,-,0:,");
        assert_eq!(hex(&fields(&[Some("hello"), None, Some("")])), expected);
        let alike = [
            fields(&[Some("a"), Some("b")]),
            fields(&[Some("ab")]),
            fields(&[Some("a,1:b")]),
            fields(&[Some("a"), Some("b"), None]),
            fields(&[Some("a"), Some("b"), Some("")]),
            fields(&[Some("a"), Some("b"), Some("-")]),
            fields(&[]),
        ];
        for (i, a) in alike.iter().enumerate() {
            assert!(alike.iter().skip(i + 1).all(|b| a != b), "{i}");
        }
    }

    #[test]
    fn a_part_holds_what_was_put_into_it() {
        let entries = [
            entry(1, 1),
            entry(2, 2),
            Entry { id: 5000, at: i64::MAX, digest: [3; 16] },
            Entry { id: i64::MAX, at: i64::MIN, digest: [4; 16] },
            Entry { id: i64::MIN, at: 0, digest: [5; 16] },
        ];
        let data = encode(&entries);
        assert_eq!(decode(&data).unwrap(), entries);
        assert_eq!(decode(&[]).unwrap(), vec![]);
        // neighbours of one statement take 18 bytes
        let near: Vec<Entry> = (1..=1000).map(|id| Entry { id, at: 7, digest: [0; 16] }).collect();
        assert_eq!(encode(&near).len(), 18 * 1000);
    }

    #[test]
    fn a_part_cut_short_is_noticed() {
        let data = encode(&[entry(1, 1), entry(2, 2)]);
        let whole = encode(&[entry(1, 1)]).len();
        for at in (1..data.len()).filter(|at| *at != whole) {
            assert_eq!(decode(&data[..at]), Err(Damaged), "cut at {at}");
        }
        assert_eq!(decode(&[0xFF; 40]), Err(Damaged));
    }

    #[test]
    fn every_field_of_a_seal_counts() {
        let seal = Seal {
            number: 2,
            sealed_at: "1.000000".into(),
            home: "7/5".into(),
            from_xact: 3,
            to_xact: 9,
            next_xact: 12,
            closed: false,
            changes: 4,
            first_id: Some(1),
            last_id: Some(8),
            contents: vec![1; 32],
            previous: Some(vec![2; 32]),
        };
        let mut others = vec![];
        type Change = fn(&mut Seal);
        let changes: [Change; 12] = [
            |s| s.number = 3,
            |s| s.sealed_at = "1.000001".into(),
            |s| s.home = "7/6".into(),
            |s| s.from_xact = 4,
            |s| s.to_xact = 10,
            |s| s.next_xact = 13,
            |s| s.closed = true,
            |s| s.changes = 5,
            |s| s.first_id = None,
            |s| s.last_id = Some(9),
            |s| s.contents[31] = 0,
            |s| s.previous = None,
        ];
        for change in changes {
            let mut other = seal.clone();
            change(&mut other);
            others.push(other.hash());
        }
        others.push(seal.hash());
        for (i, a) in others.iter().enumerate() {
            assert!(others.iter().skip(i + 1).all(|b| a != b), "{i}");
        }
    }

    fn problems(sealed: &[Entry], found: &[Entry]) -> Vec<(i64, What)> {
        let (mut sealed, mut found) = (sealed.iter(), found.iter());
        let mut differences = vec![];
        compare::<(), ()>(
            || Ok(sealed.next().copied()),
            || Ok(found.next().map(|e| Found { entry: *e, about: () })),
            |s, f| s.digest == f.entry.digest,
            |d| differences.push(d),
        )
        .unwrap();
        explain(differences).into_iter().map(|p| (p.id, p.what)).collect()
    }

    #[test]
    fn what_differs_is_told_record_by_record() {
        let sealed = [entry(1, 1), entry(2, 2), entry(3, 3), entry(5, 5)];
        assert_eq!(problems(&sealed, &sealed), vec![]);
        assert_eq!(problems(&sealed, &[]).len(), 4);
        assert_eq!(problems(&[], &sealed).len(), 4);
        let cases: [(&[Entry], &[(i64, What)]); 6] = [
            (&[entry(1, 1), entry(2, 9), entry(3, 3), entry(5, 5)], &[(2, What::Changed)]),
            (&[entry(1, 1), entry(3, 3), entry(5, 5)], &[(2, What::Removed)]),
            (&[entry(1, 1), entry(2, 2), entry(3, 3), entry(4, 4), entry(5, 5)], &[(4, What::Inserted)]),
            (
                &[entry(1, 2), entry(2, 1), entry(3, 3), entry(5, 5)],
                &[(1, What::Renumbered { was: 2 }), (2, What::Renumbered { was: 1 })],
            ),
            (&[entry(1, 1), entry(2, 2), entry(3, 3), entry(6, 5)], &[(6, What::Renumbered { was: 5 })]),
            (&[entry(1, 1), entry(2, 8), entry(2, 2), entry(3, 3), entry(5, 5)], &[(2, What::Inserted)]),
        ];
        for (found, expected) in cases {
            assert_eq!(problems(&sealed, found), expected);
        }
    }

    #[test]
    fn ids_that_were_sealed_twice_are_no_problem() {
        let twice = [entry(1, 1), entry(2, 2), entry(2, 3)];
        assert_eq!(problems(&twice, &[entry(1, 1), entry(2, 3), entry(2, 2)]), vec![]);
        assert_eq!(problems(&twice, &[entry(1, 1), entry(2, 3)]), [(2, What::Removed)]);
    }
}
