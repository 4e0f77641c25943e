//! Images of rows as the log holds them: bodies of jsonb datums (what follows the length word) that
//! are objects of columns. Read here, laid over each other, and brought up to date with the table.

use crate::jsonb::{entries, key_order, write_object, Value};
use std::borrow::Cow;

/// What stands in the log for a value that was not to be seen.
pub const REDACTED: &[u8] = b"[redacted]";

/// What a keyed hash of such a value begins with; hexadecimal digits follow.
const HASHED: &[u8] = b"hmac-sha256:";

/// The image of no columns.
pub const EMPTY: [u8; 4] = 0x2000_0000_u32.to_ne_bytes();

/// What became of a column since the image was made: its name then, and its name now if it has one.
pub type Rename = (Vec<u8>, Option<Vec<u8>>);

/// `later` with all that `first` has put over it: of two values of a column that of `first`.
/// None if one of them is no object.
pub fn overlay(first: &[u8], later: &[u8]) -> Option<Vec<u8>> {
    let mut columns = entries(first)?;
    let kept = columns.len();
    for (name, value) in entries(later)? {
        if columns[..kept].binary_search_by(|(k, _)| key_order(k, name)).is_err() {
            columns.push((name, value));
        }
    }
    columns.sort_by(|a, b| key_order(a.0, b.0));
    write(&columns)
}

/// The image under today's column names, without the values nobody knows: what was redacted is null.
/// None if it is no object.
pub fn tidy<'a>(image: &'a [u8], renames: &[Rename]) -> Option<Cow<'a, [u8]>> {
    if renames.is_empty() && !contains(image, REDACTED) && !contains(image, HASHED) {
        return Some(Cow::Borrowed(image));
    }
    let mut columns = vec![];
    for (name, value) in entries(image)? {
        let name = match renames.iter().find(|(then, _)| then == name) {
            Some((_, Some(now))) => now.as_slice(),
            Some((_, None)) => continue,
            None => name,
        };
        let hidden = matches!(value, Value::String(text) if is_hidden(text));
        columns.push((name, if hidden { Value::Null } else { value }));
    }
    columns.sort_by(|a, b| key_order(a.0, b.0));
    write(&columns).map(Cow::Owned)
}

/// Whether a text in the log stands for a value that was not to be seen, so that nobody knows it.
pub fn is_hidden(text: &[u8]) -> bool {
    let hash = |digits: &[u8]| digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
    text == REDACTED || text.strip_prefix(HASHED).is_some_and(hash)
}

fn contains(image: &[u8], wanted: &[u8]) -> bool {
    let mut rest = image;
    while let Some(at) = rest.iter().position(|b| *b == wanted[0]) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

fn write(columns: &[(&[u8], Value)]) -> Option<Vec<u8>> {
    let mut datum = vec![];
    write_object(&mut datum, columns).ok()?;
    datum.drain(..4);
    Some(datum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(pairs: &[(&str, Value)]) -> Vec<u8> {
        let mut pairs: Vec<(&[u8], Value)> = pairs.iter().map(|(k, v)| (k.as_bytes(), v.clone())).collect();
        pairs.sort_by(|a, b| key_order(a.0, b.0));
        write(&pairs).unwrap()
    }

    fn text(value: &'static str) -> Value<'static> {
        Value::String(value.as_bytes())
    }

    #[test]
    fn the_first_value_of_a_column_wins() {
        let first = image(&[("status", text("new")), ("n", Value::Int(1))]);
        let later =
            image(&[("status", text("paid")), ("amount", Value::Int(123_456)), ("gift", Value::Bool(true))]);
        let both = image(&[
            ("status", text("new")),
            ("n", Value::Int(1)),
            ("amount", Value::Int(123_456)),
            ("gift", Value::Bool(true)),
        ]);
        assert_eq!(overlay(&first, &later), Some(both));
        assert_eq!(overlay(&first, &image(&[])), Some(first.clone()));
        assert_eq!(overlay(&image(&[]), &later), Some(later));
    }

    #[test]
    fn more_columns_than_one_stride_of_offsets() {
        let names: Vec<String> = (0..100).map(|i| format!("c{i:03}")).collect();
        let all: Vec<(&str, Value)> = names.iter().map(|n| (n.as_str(), text("value"))).collect();
        let (even, odd): (Vec<_>, Vec<_>) =
            all.iter().cloned().partition(|(name, _)| name.ends_with(['0', '4', '8']));
        assert_eq!(overlay(&image(&even), &image(&odd)), Some(image(&all)));
    }

    #[test]
    fn containers_and_numbers_keep_their_alignment() {
        let inner = image(&[("a", Value::Int(5)), ("b", text("x"))]);
        let whole = image(&[("x", text("abc")), ("doc", Value::Container(&inner)), ("num", Value::Int(-7))]);
        assert_eq!(
            overlay(&whole, &image(&[("zz", text("y"))])).map(|o| entries(&o).unwrap().len()),
            Some(4)
        );
        assert_eq!(overlay(&whole, &image(&[])), Some(whole.clone()));
    }

    #[test]
    fn renamed_dropped_and_redacted_columns() {
        let old =
            image(&[("a", text("1")), ("b", text("2")), ("card", text("[redacted]")), ("gone", text("3"))]);
        let renames: Vec<Rename> = vec![
            (b"a".to_vec(), Some(b"b".to_vec())),
            (b"b".to_vec(), Some(b"a".to_vec())),
            (b"gone".to_vec(), None),
        ];
        let now = image(&[("b", text("1")), ("a", text("2")), ("card", Value::Null)]);
        assert_eq!(tidy(&old, &renames), Some(Cow::Owned(now)));
        let hash = format!("hmac-sha256:{}", "0a".repeat(32));
        let hashed = image(&[("a", Value::String(hash.as_bytes())), ("b", text("hmac-sha256:"))]);
        let now = image(&[("a", Value::Null), ("b", text("hmac-sha256:"))]);
        assert_eq!(tidy(&hashed, &[]), Some(Cow::Owned(now)));
        let plain = image(&[("a", text("[red]"))]);
        assert_eq!(tidy(&plain, &[]), Some(Cow::Borrowed(&plain[..])));
    }

    #[test]
    fn what_is_no_object_is_no_image() {
        assert_eq!(image(&[]), EMPTY);
        assert_eq!(overlay(&[], &image(&[])), None);
        assert_eq!(overlay(&image(&[]), &[1, 2, 3]), None);
        assert_eq!(tidy(b"[redacted]", &[]), None);
    }
}
