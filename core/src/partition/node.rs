//! Partition bounds as pg_class.relpartbound holds them: the text form of the server's own structures. Read
//! here without a lock and whatever DateStyle says; the server's reader would make each word of it a structure
//! again, which for thousands of partitions takes longer than all else.

use super::bound::Value;
use memchr::{memchr, memmem};

const DATE: &[u8] = b"1082";
const UUID: &[u8] = b"2950";
const TEXT: [&[u8]; 2] = [b"25", b"1043"];

/// The two bounds of a partition whose parent has one range key of a type we know. `None` for a DEFAULT
/// partition.
pub fn range(node: &[u8]) -> Option<(Value, Value)> {
    let (lower, rest) = value(node)?;
    let (upper, _) = value(rest)?;
    Some((lower, upper))
}

/// What follows a word.
fn after<'n>(node: &'n [u8], word: &[u8]) -> Option<&'n [u8]> {
    node.get(memmem::find(node, word)? + word.len()..)
}

/// What stands before a letter, and what follows it.
fn split(node: &[u8], letter: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr(letter, node)?;
    Some((node.get(..at)?, node.get(at + 1..)?))
}

/// The next bound, and the rest.
fn value(node: &[u8]) -> Option<(Value, &[u8])> {
    let (kind, rest) = split(after(node, b":kind ")?, b' ')?;
    match kind {
        b"-1" => Some((Value::Lowest, rest)),
        b"1" => Some((Value::Highest, rest)),
        _ => constant(rest),
    }
}

/// A constant that is not null, and the rest.
fn constant(node: &[u8]) -> Option<(Value, &[u8])> {
    let (kind, rest) = split(after(node, b":consttype ")?, b' ')?;
    let (bytes, rest) = split(after(rest, b"[ ")?, b']')?;
    let bytes = memory(bytes)?;
    let number = || Some(i64::from_ne_bytes(bytes.as_slice().try_into().ok()?));
    let value = match kind {
        DATE => number().map(|days| Value::Number(date(days as i32))),
        UUID => Some(Value::Uuid(u128::from_be_bytes(bytes.as_slice().try_into().ok()?))),
        // behind a word with its length, which is never a short one in a constant
        kind if TEXT.contains(&kind) => {
            Some(Value::Text(String::from_utf8_lossy(bytes.get(4..)?).into_owned()))
        }
        _ => number().map(Value::Number),
    };
    Some((value?, rest))
}

/// A constant as it is in memory: each byte as a signed number, or an unsigned one where the machine's characters are
/// so, with a space behind it.
fn memory(numbers: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(32);
    let (mut byte, mut negative) = (0u8, false);
    for &letter in numbers {
        match letter {
            b'0'..=b'9' => byte = byte.wrapping_mul(10).wrapping_add(letter - b'0'),
            b'-' => negative = true,
            b' ' => {
                bytes.push(if negative { byte.wrapping_neg() } else { byte });
                (byte, negative) = (0, false);
            }
            _ => return None,
        }
    }
    Some(bytes)
}

/// Days; the infinities of a date are those of a number.
fn date(days: i32) -> i64 {
    match days {
        i32::MIN => i64::MIN,
        i32::MAX => i64::MAX,
        days => i64::from(days),
    }
}

#[cfg(test)]
#[path = "tests/node.rs"]
mod tests;
