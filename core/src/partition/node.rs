//! Partition bounds as pg_class.relpartbound holds them: the text form of the server's own structures. Read
//! here without a lock and whatever DateStyle says; the server's reader would make each word of it a structure
//! again, which for thousands of partitions takes longer than all else.

use super::bound::Value;

const DATE: &str = "1082";
const UUID: &str = "2950";
const TEXT: [&str; 2] = ["25", "1043"];

type Words<'n> = std::str::Split<'n, char>;

/// The two bounds of a partition whose parent has one range key of a type we know. `None` for a DEFAULT
/// partition.
pub fn range(node: &str) -> Option<(Value, Value)> {
    let mut words = node.split(' ');
    Some((value(&mut words)?, value(&mut words)?))
}

/// The next bound.
fn value(words: &mut Words) -> Option<Value> {
    words.find(|word| *word == ":kind")?;
    match words.next()? {
        "-1" => Some(Value::Lowest),
        "1" => Some(Value::Highest),
        _ => constant(words),
    }
}

/// A constant that is not null: as it is in memory, each byte as a signed number, or an unsigned one where the
/// machine's characters are so.
fn constant(words: &mut Words) -> Option<Value> {
    words.find(|word| *word == ":consttype")?;
    let kind = words.next()?;
    words.find(|word| *word == "[")?;
    let mut bytes = Vec::with_capacity(32);
    for word in words.take_while(|word| !word.starts_with(']')) {
        bytes.push(word.parse::<i16>().ok()? as u8);
    }
    let number = || Some(i64::from_ne_bytes(bytes.as_slice().try_into().ok()?));
    match kind {
        DATE => number().map(|days| Value::Number(date(days as i32))),
        UUID => Some(Value::Uuid(u128::from_be_bytes(bytes.as_slice().try_into().ok()?))),
        // behind a word with its length, which is never a short one in a constant
        kind if TEXT.contains(&kind) => {
            Some(Value::Text(String::from_utf8_lossy(bytes.get(4..)?).into_owned()))
        }
        _ => number().map(Value::Number),
    }
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
