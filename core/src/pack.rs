//! Many changes of the log in one value: their records behind each other, compressed, with a
//! checksum. Small ones are worth it: what a log of single rows costs is the rows and their index
//! entries, not the bytes.
//!
//! A pack is: version (1), CRC-32 of the records, their length, then the records as one LZ4 block.
//! A record is: op, a byte that says which of key, old key, old and new follow, then each of those
//! as a length (LEB128) and its bytes.

use std::cmp::Ordering;

/// One change, as a record of a pack. `old` and `new` are bodies of jsonb datums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub op: u8,
    pub key: Option<&'a [u8]>,
    pub old_key: Option<&'a [u8]>,
    pub old: Option<&'a [u8]>,
    pub new: Option<&'a [u8]>,
}

/// A pack that does not hold what was put into it.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

const VERSION: u8 = 1;
const HEADER: usize = 1 + 4 + 4;
/// More than any pack unpacks to: a damaged length must not make us ask for all memory.
const MOST_RAW: usize = 1 << 18;

/// Appends a record.
pub fn push(raw: &mut Vec<u8>, record: &Record) {
    let parts = [record.key, record.old_key, record.old, record.new];
    let present = parts.iter().enumerate().map(|(i, part)| u8::from(part.is_some()) << i).sum();
    raw.extend_from_slice(&[record.op, present]);
    for part in parts.into_iter().flatten() {
        put_length(raw, part.len());
        raw.extend_from_slice(part);
    }
}

fn put_length(raw: &mut Vec<u8>, mut n: usize) {
    while n >= 0x80 {
        raw.push(n as u8 | 0x80);
        n >>= 7;
    }
    raw.push(n as u8);
}

/// The pack of these records.
pub fn seal(raw: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress(raw);
    let mut pack = Vec::with_capacity(HEADER + block.len());
    pack.push(VERSION);
    pack.extend_from_slice(&crc32fast::hash(raw).to_le_bytes());
    pack.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    pack.extend_from_slice(&block);
    pack
}

/// The records of a pack, for `records`.
pub fn open(pack: &[u8]) -> Result<Vec<u8>, Damaged> {
    let field = |at: usize| Some(u32::from_le_bytes(pack.get(at..at + 4)?.try_into().ok()?));
    let (Some(VERSION), Some(crc), Some(length)) = (pack.first().copied(), field(1), field(5)) else {
        return Err(Damaged);
    };
    if length as usize > MOST_RAW {
        return Err(Damaged);
    }
    let raw = lz4_flex::block::decompress(&pack[HEADER..], length as usize).map_err(|_| Damaged)?;
    if raw.len() == length as usize && crc32fast::hash(&raw) == crc {
        Ok(raw)
    } else {
        Err(Damaged)
    }
}

/// The records one after the other, as they were pushed.
pub fn records(mut raw: &[u8]) -> Result<Vec<Record<'_>>, Damaged> {
    let mut list = vec![];
    while let [op, present, rest @ ..] = raw {
        raw = rest;
        let mut parts = [None; 4];
        for (i, part) in parts.iter_mut().enumerate() {
            if present & (1 << i) != 0 {
                let n = take_length(&mut raw)?;
                let (bytes, rest) = raw.split_at_checked(n).ok_or(Damaged)?;
                (*part, raw) = (Some(bytes), rest);
            }
        }
        let [key, old_key, old, new] = parts;
        list.push(Record { op: *op, key, old_key, old, new });
    }
    if raw.is_empty() {
        Ok(list)
    } else {
        Err(Damaged)
    }
}

fn take_length(raw: &mut &[u8]) -> Result<usize, Damaged> {
    let mut n = 0usize;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = raw.split_first().ok_or(Damaged)?;
        *raw = rest;
        n |= ((byte & 0x7F) as usize) << shift;
        if byte & 0x80 == 0 {
            return Ok(n);
        }
    }
    Err(Damaged)
}

/// Where a key stands among others, for the bounds of a pack: whole numbers by value (so that a
/// pack of neighbours has near bounds), anything else by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SortKey<'k> {
    /// A longer number is a larger one: a letter for the length comes first.
    length: Option<u8>,
    kept: &'k [u8],
}

impl<'k> SortKey<'k> {
    pub fn of(key: &'k [u8]) -> SortKey<'k> {
        const KEPT: usize = 40;
        if matches!(key.len(), 1..=19) && key.iter().all(u8::is_ascii_digit) {
            return SortKey { length: Some(b'a' + key.len() as u8), kept: key };
        }
        let cut = (0..=key.len().min(KEPT)).rev().find(|i| key.get(*i).is_none_or(|b| b & 0xC0 != 0x80));
        SortKey { length: None, kept: &key[..cut.unwrap_or(0)] }
    }

    pub fn bytes(&self) -> impl Iterator<Item = u8> + 'k {
        self.length.into_iter().chain(self.kept.iter().copied())
    }
}

/// The bounds of a pack with these keys; none without keys.
pub fn bounds<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Option<[SortKey<'k>; 2]> {
    keys.map(SortKey::of).fold(None, |bounds, key| {
        let [lowest, highest] = bounds.unwrap_or([key; 2]);
        Some([lowest.min(key), highest.max(key)])
    })
}

/// As the text sorts byte by byte.
impl Ord for SortKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.length, other.length) {
            (Some(a), Some(b)) => (a, self.kept).cmp(&(b, other.kept)),
            _ => self.bytes().cmp(other.bytes()),
        }
    }
}

impl PartialOrd for SortKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Record<'static>> {
        vec![
            Record { op: b'I', key: Some(b"1"), old_key: None, old: None, new: Some(&[7; 300]) },
            Record { op: b'U', key: Some(b"2"), old_key: Some(b"9"), old: Some(b""), new: Some(b"xy") },
            Record { op: b'D', key: None, old_key: None, old: Some(&[1; 20_000]), new: None },
        ]
    }

    fn packed() -> Vec<u8> {
        let mut raw = vec![];
        some().iter().for_each(|r| push(&mut raw, r));
        seal(&raw)
    }

    #[test]
    fn what_goes_in_comes_out() {
        let raw = open(&packed()).unwrap();
        assert_eq!(records(&raw).unwrap(), some());
        assert_eq!(records(&open(&seal(&[])).unwrap()).unwrap(), vec![]);
    }

    #[test]
    fn any_flipped_byte_is_noticed() {
        let good = packed();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert_eq!(open(&bad), Err(Damaged), "byte {at}");
            assert_eq!(open(&good[..at]), Err(Damaged), "cut at {at}");
        }
    }

    #[test]
    fn records_cut_short_are_noticed() {
        let mut raw = vec![];
        push(&mut raw, &some()[0]);
        for at in 1..raw.len() {
            assert_eq!(records(&raw[..at]), Err(Damaged), "cut at {at}");
        }
        assert_eq!(records(&[b'I', 1, 0x80, 0x80, 0x80, 0x80, 0x80, 1]), Err(Damaged));
    }

    #[test]
    fn bounds_are_the_lowest_and_the_highest_key() {
        let of = |keys: &[&'static str]| bounds(keys.iter().map(|k| k.as_bytes()));
        let key = |key: &'static str| SortKey::of(key.as_bytes());
        assert_eq!(of(&["9", "100", "10"]), Some([key("9"), key("100")]));
        assert_eq!(of(&["x"]), Some([key("x"), key("x")]));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn numbers_sort_by_value() {
        let sorted = |key: &str| String::from_utf8(SortKey::of(key.as_bytes()).bytes().collect()).unwrap();
        assert!(sorted("9") < sorted("10") && sorted("10") < sorted("11") && sorted("99") < sorted("100"));
        assert_eq!(sorted("abc"), "abc");
        assert_eq!(sorted(&"é".repeat(30)), "é".repeat(20));
        assert_eq!(sorted(""), "");
        for (a, b) in [("9", "10"), ("10", "9"), ("5", "b5"), ("5", "a"), ("x", "xy"), ("", "0"), ("7", "7")]
        {
            let keys = (SortKey::of(a.as_bytes()), SortKey::of(b.as_bytes()));
            assert_eq!(keys.0.cmp(&keys.1), sorted(a).cmp(&sorted(b)), "{a} {b}");
        }
    }
}
