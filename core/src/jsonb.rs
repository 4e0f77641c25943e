//! Writes jsonb as the server stores it, without going through text or through its JsonbValue trees.
//!
//! The format is PostgreSQL's `utils/jsonb.h`: a container is a 32-bit header (count and kind), one
//! 32-bit entry a child (keys first, then values in the same order), then the children's bytes.
//! An entry holds the child's kind and its length; every 32nd holds its end offset instead, so that
//! a reader can find a child without adding up all lengths. Numbers and containers are aligned to 4
//! bytes; the padding counts as theirs. Object keys are sorted by length, then bytes.

mod check;

pub use check::is_sound;

/// One value of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// A number that fits an i64.
    Int(i64),
    /// The body of a numeric datum: what follows the length word.
    Numeric(&'a [u8]),
    String(&'a [u8]),
    /// An object or array: a jsonb datum without its length word.
    Container(&'a [u8]),
}

impl Value<'_> {
    /// No fewer bytes than it takes among an object's children, padding included.
    #[inline(always)]
    fn most_bytes(&self) -> usize {
        match self {
            Value::Null | Value::Bool(_) => 0,
            Value::Int(_) => 3 + 4 + INT_NUMERIC_MAX,
            Value::Numeric(body) => 3 + 4 + body.len(),
            Value::String(bytes) => bytes.len(),
            Value::Container(bytes) => 3 + bytes.len(),
        }
    }
}

const COUNT_MASK: u32 = 0x0FFF_FFFF;
const IS_SCALAR: u32 = 0x1000_0000;
const IS_OBJECT: u32 = 0x2000_0000;
const IS_ARRAY: u32 = 0x4000_0000;

const ENTRY_LENGTH_MASK: u32 = 0x0FFF_FFFF;
const ENTRY_KIND_MASK: u32 = 0x7000_0000;
const ENTRY_STRING: u32 = 0x0000_0000;
const ENTRY_NUMERIC: u32 = 0x1000_0000;
const ENTRY_FALSE: u32 = 0x2000_0000;
const ENTRY_TRUE: u32 = 0x3000_0000;
const ENTRY_NULL: u32 = 0x4000_0000;
const ENTRY_CONTAINER: u32 = 0x5000_0000;
const ENTRY_HAS_OFFSET: u32 = 0x8000_0000;
const OFFSET_STRIDE: usize = 32;

/// Why an object could not be written.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not fit into jsonb (256 MB for all children together).
    TooLarge,
    OutOfMemory,
}

/// Whether `a` stands before `b` among the keys of a jsonb object: the shorter first, then by bytes.
pub fn key_order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// An object being written behind what is in a buffer already: all keys, then all values in the same
/// order. What it writes is a whole datum, length word included (the 4-byte form).
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    entries: usize,
    data: usize,
    child: usize,
}

/// The keys of an object, ready to be copied into many that have the same ones.
pub struct Keys {
    datum: Vec<u8>,
    count: usize,
}

impl Keys {
    /// They must come in `key_order` and none twice.
    pub fn new(keys: &[&[u8]]) -> Result<Keys, Refused> {
        let mut datum = vec![];
        let mut object = Object::begin(&mut datum, keys.len())?;
        keys.iter().try_for_each(|key| object.key(key))?;
        Ok(Keys { datum, count: keys.len() })
    }
}

impl<'o> Object<'o> {
    /// Begins an object that has its keys already.
    pub fn with_keys(out: &'o mut Vec<u8>, keys: &Keys) -> Result<Object<'o>, Refused> {
        reserve(out, 3 + keys.datum.len())?;
        align(out);
        let start = out.len();
        out.extend_from_slice(&keys.datum);
        let entries = start + 8;
        Ok(Object { out, start, entries, data: entries + 8 * keys.count, child: keys.count })
    }

    /// Begins an object of `count` pairs. `out` is padded so that the datum begins aligned.
    pub fn begin(out: &'o mut Vec<u8>, count: usize) -> Result<Object<'o>, Refused> {
        let header = u32::try_from(count).ok().filter(|n| *n <= COUNT_MASK / 2).ok_or(Refused::TooLarge)?;
        reserve(out, 3 + 8 + 8 * count)?;
        align(out);
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(IS_OBJECT | header).to_ne_bytes());
        let entries = out.len();
        out.resize(entries + 8 * count, 0);
        let data = out.len();
        Ok(Object { out, start, entries, data, child: 0 })
    }

    /// Keys must come in `key_order` and none twice.
    pub fn key(&mut self, key: &[u8]) -> Result<(), Refused> {
        reserve(self.out, key.len())?;
        let before = self.out.len();
        self.out.extend_from_slice(key);
        self.entry(ENTRY_STRING, before);
        Ok(())
    }

    // inlined where the kind of the value is known, most of it goes away
    #[inline(always)]
    pub fn value(&mut self, value: &Value) -> Result<(), Refused> {
        let most = value.most_bytes();
        if self.out.len() - self.data + most > ENTRY_LENGTH_MASK as usize {
            return Err(Refused::TooLarge);
        }
        // known before a byte is copied, so that a want of memory is an error and not an abort
        reserve(self.out, most)?;
        let before = self.out.len();
        let kind = write_value(self.out, value);
        self.entry(kind, before);
        Ok(())
    }

    #[inline(always)]
    fn entry(&mut self, kind: u32, before: usize) {
        let entry = if self.child.is_multiple_of(OFFSET_STRIDE) {
            kind | (self.out.len() - self.data) as u32 | ENTRY_HAS_OFFSET
        } else {
            kind | (self.out.len() - before) as u32
        };
        let at = self.entries + self.child * 4;
        self.out[at..at + 4].copy_from_slice(&entry.to_ne_bytes());
        self.child += 1;
    }

    /// Where the datum lies in the buffer.
    pub fn end(self) -> std::ops::Range<usize> {
        set_length(self.out, self.start);
        self.start..self.out.len()
    }
}

fn reserve(out: &mut Vec<u8>, more: usize) -> Result<(), Refused> {
    out.try_reserve(more).map_err(|_| Refused::OutOfMemory)
}

/// Writes the length word (SET_VARSIZE of the 4-byte form) of a datum that reaches to the end.
pub fn set_length(out: &mut [u8], start: usize) {
    let word = length_word(out.len() - start);
    out[start..start + 4].copy_from_slice(&word.to_ne_bytes());
}

/// The 4-byte length word of a datum of this size, word included.
fn length_word(size: usize) -> u32 {
    let size = size as u32;
    if cfg!(target_endian = "little") {
        size << 2
    } else {
        size
    }
}

/// Appends an object; see `Object`.
pub fn write_object(
    out: &mut Vec<u8>,
    pairs: &[(&[u8], Value<'_>)],
) -> Result<std::ops::Range<usize>, Refused> {
    let mut object = Object::begin(out, pairs.len())?;
    pairs.iter().try_for_each(|(key, _)| object.key(key))?;
    pairs.iter().try_for_each(|(_, value)| object.value(value))?;
    Ok(object.end())
}

/// The pairs of an object (a jsonb datum without its length word); None if it is no object.
pub fn pairs(datum: &[u8]) -> Option<Vec<(&[u8], Value<'_>)>> {
    let word = |at: usize| Some(u32::from_ne_bytes(datum.get(at..at + 4)?.try_into().ok()?));
    let header = word(0)?;
    if header & IS_OBJECT == 0 {
        return None;
    }
    let count = (header & COUNT_MASK) as usize;
    let data = datum.get(4 + 8 * count..)?;
    let mut end = 0usize;
    let mut child = |i: usize| {
        let entry = word(4 + 4 * i)?;
        let start = end;
        let length = (entry & ENTRY_LENGTH_MASK) as usize;
        end = if entry & ENTRY_HAS_OFFSET == 0 { end + length } else { length };
        Some((entry & ENTRY_KIND_MASK, start, end))
    };
    let keys = (0..count).map(&mut child).collect::<Option<Vec<_>>>()?;
    let values = (count..2 * count).map(&mut child).collect::<Option<Vec<_>>>()?;
    let pair = |((_, k0, k1), (kind, v0, v1)): ((u32, usize, usize), (u32, usize, usize))| {
        // numbers and containers begin aligned; the padding counts as theirs
        let aligned = || data.get(v0.next_multiple_of(4)..v1);
        let value = match kind {
            ENTRY_STRING => Value::String(data.get(v0..v1)?),
            ENTRY_NUMERIC => Value::Numeric(aligned()?.get(4..)?),
            ENTRY_FALSE => Value::Bool(false),
            ENTRY_TRUE => Value::Bool(true),
            ENTRY_NULL => Value::Null,
            ENTRY_CONTAINER => Value::Container(aligned()?),
            _ => return None,
        };
        Some((data.get(k0..k1)?, value))
    };
    keys.into_iter().zip(values).map(pair).collect()
}

#[inline(always)]
fn write_value(out: &mut Vec<u8>, value: &Value<'_>) -> u32 {
    match value {
        Value::Null => ENTRY_NULL,
        Value::Bool(false) => ENTRY_FALSE,
        Value::Bool(true) => ENTRY_TRUE,
        Value::String(bytes) => {
            out.extend_from_slice(bytes);
            ENTRY_STRING
        }
        Value::Int(n) => {
            let mut digits = [0u8; INT_NUMERIC_MAX];
            let body = int_as_numeric(*n, &mut digits);
            write_numeric(out, body);
            ENTRY_NUMERIC
        }
        Value::Numeric(body) => {
            write_numeric(out, body);
            ENTRY_NUMERIC
        }
        Value::Container(bytes) => {
            align(out);
            out.extend_from_slice(bytes);
            ENTRY_CONTAINER
        }
    }
}

fn write_numeric(out: &mut Vec<u8>, body: &[u8]) {
    align(out);
    out.extend_from_slice(&length_word(body.len() + 4).to_ne_bytes());
    out.extend_from_slice(body);
}

/// Pads to where a datum may begin.
pub fn align(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

const INT_NUMERIC_MAX: usize = 2 + 5 * 2;

/// An integer as the body of a numeric in its short form (`NumericShort` of numeric.c): a header of
/// sign, scale 0 and weight, then base-10000 digits without trailing zeros.
fn int_as_numeric(n: i64, buf: &mut [u8; INT_NUMERIC_MAX]) -> &[u8] {
    let mut digits = [0u16; 5];
    let mut count = 0;
    let mut rest = n.unsigned_abs();
    while rest > 0 {
        digits[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    let weight = count.saturating_sub(1) as u16;
    let zeros = digits[..count].iter().take_while(|d| **d == 0).count();
    let header = 0x8000 | if n < 0 { 0x2000 } else { 0 } | (weight & 0x3F);
    buf[..2].copy_from_slice(&header.to_ne_bytes());
    let mut at = 2;
    for digit in digits[zeros..count].iter().rev() {
        buf[at..at + 2].copy_from_slice(&digit.to_ne_bytes());
        at += 2;
    }
    &buf[..at]
}

/// A jsonb datum (without its length word) as a value of an object: an object or array stays a
/// container, a lone scalar (stored as an array of one with a mark) is taken out of it.
/// None if the bytes are no jsonb.
pub fn root(datum: &[u8]) -> Option<Value<'_>> {
    let word = |at: usize| Some(u32::from_ne_bytes(datum.get(at..at + 4)?.try_into().ok()?));
    let header = word(0)?;
    if header & IS_ARRAY == 0 || header & IS_SCALAR == 0 {
        return Some(Value::Container(datum));
    }
    let entry = word(4)?;
    let data = datum.get(8..8 + (entry & ENTRY_LENGTH_MASK) as usize)?;
    Some(match entry & ENTRY_KIND_MASK {
        ENTRY_STRING => Value::String(data),
        ENTRY_NUMERIC => Value::Numeric(data.get(4..)?),
        ENTRY_FALSE => Value::Bool(false),
        ENTRY_TRUE => Value::Bool(true),
        ENTRY_NULL => Value::Null,
        _ => return None,
    })
}

/// The columns of an object (a jsonb datum without its length word), in `key_order`. None if the
/// bytes are no object.
pub fn entries(datum: &[u8]) -> Option<Vec<(&[u8], Value<'_>)>> {
    let word = |at: usize| Some(u32::from_ne_bytes(datum.get(at..at + 4)?.try_into().ok()?));
    let header = word(0)?;
    if header & IS_OBJECT == 0 {
        return None;
    }
    let count = (header & COUNT_MASK) as usize;
    let data = datum.get(4 + count.checked_mul(8)?..)?;
    let mut end = 0;
    let mut child = |i: usize| {
        let (entry, start) = (word(4 + i * 4)?, end);
        let length = (entry & ENTRY_LENGTH_MASK) as usize;
        end = if entry & ENTRY_HAS_OFFSET != 0 { length } else { start + length };
        Some((entry & ENTRY_KIND_MASK, start, end))
    };
    let mut columns = Vec::with_capacity(count);
    for i in 0..count {
        let (_, start, end) = child(i)?;
        columns.push((data.get(start..end)?, Value::Null));
    }
    for (i, column) in columns.iter_mut().enumerate() {
        let (kind, start, end) = child(count + i)?;
        let aligned = start.next_multiple_of(4);
        column.1 = match kind {
            ENTRY_STRING => Value::String(data.get(start..end)?),
            ENTRY_NUMERIC => Value::Numeric(data.get(aligned + 4..end)?),
            ENTRY_CONTAINER => Value::Container(data.get(aligned..end)?),
            ENTRY_FALSE => Value::Bool(false),
            ENTRY_TRUE => Value::Bool(true),
            ENTRY_NULL => Value::Null,
            _ => return None,
        };
    }
    Some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_by_length_first() {
        let mut keys: Vec<&[u8]> = vec![b"abc", b"z", b"ab", b"aa"];
        keys.sort_by(|a, b| key_order(a, b));
        assert_eq!(keys, [&b"z"[..], b"aa", b"ab", b"abc"]);
    }

    #[test]
    fn an_empty_object() {
        let mut out = vec![];
        write_object(&mut out, &[]).unwrap();
        assert_eq!(out.len(), 8);
        assert_eq!(u32::from_ne_bytes(out[4..8].try_into().unwrap()), IS_OBJECT);
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_copied() {
        let large = vec![b'x'; 200 << 20];
        let mut out = vec![];
        let pairs: [(&[u8], Value); 2] = [(b"a", Value::String(&large)), (b"b", Value::String(&large))];
        assert_eq!(write_object(&mut out, &pairs), Err(Refused::TooLarge));
        assert!(out.capacity() < 300 << 20);
    }

    #[test]
    fn pairs_are_read_back() {
        let keys: Vec<String> = (10..80).map(|i| format!("k{i}")).collect();
        let mut inner = vec![];
        write_object(&mut inner, &[(b"x", Value::Null)]).unwrap();
        let values = |i: usize| match i % 5 {
            0 => Value::Null,
            1 => Value::Bool(i.is_multiple_of(2)),
            2 => Value::Numeric(&[1, 2, 3, 4, 5, 6]),
            3 => Value::String(&b"four and more"[..i % 7]),
            _ => Value::Container(&inner[4..]),
        };
        let list: Vec<_> = keys.iter().enumerate().map(|(i, k)| (k.as_bytes(), values(i))).collect();
        let mut out = vec![1, 2, 3];
        let at = write_object(&mut out, &list).unwrap();
        assert_eq!(at.start, 4);
        assert_eq!(pairs(&out[at.start + 4..at.end]).unwrap(), list);
        assert_eq!(pairs(&[]), None);
        for cut in 0..40 {
            assert_eq!(pairs(&out[at.start + 4..at.start + 4 + cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn integers_as_numerics() {
        let body = |n: i64| {
            let mut buf = [0; INT_NUMERIC_MAX];
            let b = int_as_numeric(n, &mut buf).to_vec();
            b.chunks(2).map(|c| u16::from_ne_bytes([c[0], c[1]])).collect::<Vec<_>>()
        };
        assert_eq!(body(0), [0x8000]);
        assert_eq!(body(1), [0x8000, 1]);
        assert_eq!(body(-1), [0xA000, 1]);
        assert_eq!(body(10_000), [0x8001, 1]);
        assert_eq!(body(123_456_789), [0x8002, 1, 2345, 6789]);
        assert_eq!(body(i64::MIN), [0xA004, 922, 3372, 368, 5477, 5808]);
    }

    #[test]
    fn scalars_come_out_of_their_array() {
        let mut bytes = (IS_ARRAY | IS_SCALAR | 1).to_ne_bytes().to_vec();
        bytes.extend((ENTRY_STRING | ENTRY_HAS_OFFSET | 2).to_ne_bytes());
        bytes.extend(b"hi");
        assert_eq!(root(&bytes), Some(Value::String(b"hi")));
        assert_eq!(root(&[]), None);
    }
}
