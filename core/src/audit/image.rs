//! Images of rows as the log shows them: columns and their values as JSON text. Text, because a
//! number must keep every digit.

use crate::image::Rename;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

/// Follows the name of a column that is gone when another has the name today. No name can hold it.
const GONE: char = '\0';

/// The name a column had, also if it is gone.
pub fn name_then(column: &str) -> &str {
    column.strip_suffix(GONE).unwrap_or(column)
}

/// Columns with their values, in the order of the names. Copies share the values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image(Vec<(Rc<str>, Rc<str>)>);

/// Names of columns, each kept once.
#[derive(Default)]
pub struct Names(HashSet<Rc<str>>);

impl Names {
    fn intern(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let name: Rc<str> = name.into();
        self.0.insert(name.clone());
        name
    }
}

impl Image {
    /// From the text of a JSON object; None if it is none.
    pub fn parse(json: &str, names: &mut Names) -> Option<Image> {
        let pairs: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
        Some(Image(
            pairs.into_iter().map(|(name, value)| (names.intern(&name), value.get().into())).collect(),
        ))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, column: &str) -> Option<&str> {
        let at = self.position(column).ok()?;
        self.0.get(at).map(|(_, value)| &**value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Rc<str>, &str)> {
        self.0.iter().map(|(name, value)| (name, &**value))
    }

    pub fn set(&mut self, column: &Rc<str>, value: &str) {
        match self.position(column) {
            Ok(at) => self.0[at].1 = value.into(),
            Err(at) => self.0.insert(at, (column.clone(), value.into())),
        }
    }

    /// Takes over the columns of `other` that are not there yet.
    pub fn fill(&mut self, other: &Image) {
        for (name, value) in &other.0 {
            if let Err(at) = self.position(name) {
                self.0.insert(at, (name.clone(), value.clone()));
            }
        }
    }

    /// Takes over all columns of `other`.
    pub fn overlay(&mut self, other: &Image) {
        for (name, value) in &other.0 {
            match self.position(name) {
                Ok(at) => self.0[at].1 = value.clone(),
                Err(at) => self.0.insert(at, (name.clone(), value.clone())),
            }
        }
    }

    /// The image with the names its columns have today.
    pub fn renamed(self, renames: &[Rename], names: &mut Names) -> Image {
        let mut today = |name: Rc<str>| match renames.iter().find(|(then, _)| then == name.as_bytes()) {
            None => name,
            Some((_, Some(now))) => names.intern(&String::from_utf8_lossy(now)),
            Some((_, None)) => names.intern(&format!("{name}{GONE}")),
        };
        let mut pairs: Vec<_> = self.0.into_iter().map(|(name, value)| (today(name), value)).collect();
        pairs.sort();
        Image(pairs)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// The image as the text of a JSON object.
    pub fn json(&self) -> String {
        let pairs: Vec<String> =
            self.iter().map(|(name, value)| format!("{}: {value}", quoted(name))).collect();
        format!("{{{}}}", pairs.join(", "))
    }

    fn position(&self, column: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| (**name).cmp(column))
    }
}

/// A text as JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a value only stands for one that is not shown: masked, or a keyed hash.
pub fn hidden(value: &str) -> bool {
    let text = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    text.is_some_and(|text| crate::image::is_hidden(text.as_bytes()))
}

/// Whether two values are the same: as text, or as instants written down in different zones.
pub fn same(a: &str, b: &str) -> bool {
    let instant = |json: &str| -> Option<jiff::Timestamp> { json.trim_matches('"').parse().ok() };
    a == b || (a.starts_with('"') && b.starts_with('"') && instant(a).is_some_and(|a| Some(a) == instant(b)))
}

/// The JSON a json column held, from how the log shows it: jsonb cannot hold all json, and what it
/// cannot is in the log as a string of its text.
pub fn json_as_stored(value: &str) -> String {
    let text = serde_json::from_str::<String>(value).unwrap_or_default();
    let exponent = |w: &[u8]| matches!(w[1], b'e' | b'E') && w[0].is_ascii_digit();
    let beyond_jsonb = text.contains("\\u0000") || text.as_bytes().windows(2).any(exponent);
    if beyond_jsonb && serde_json::from_str::<&RawValue>(&text).is_ok() {
        return text;
    }
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_swapped_or_taken_over() {
        let mut names = Names::default();
        let image = Image::parse(r#"{"a": 1, "b": 2, "c": 3, "d": 4}"#, &mut names).unwrap();
        let to = |name: &str| Some(name.as_bytes().to_vec());
        let renames = [(b"a".to_vec(), to("b")), (b"b".to_vec(), to("a")), (b"c".to_vec(), None)];
        let today = image.renamed(&renames, &mut names);
        assert_eq!((today.get("a"), today.get("b"), today.get("d")), (Some("2"), Some("1"), Some("4")));
        assert_eq!(today.get("c"), None);
        let shown: Vec<&str> = today.iter().map(|(name, _)| name_then(name)).collect();
        assert_eq!(shown, ["a", "b", "c", "d"]);
    }

    fn image(json: &str) -> Image {
        Image::parse(json, &mut Names::default()).unwrap()
    }

    #[test]
    fn values_keep_every_digit() {
        let text = r#"{"a": 1.000000000000000000000000000000000001, "b\"": "x", "c": {"d": [1e400]}}"#;
        assert_eq!(image(text).json(), text);
        assert_eq!(image(text).get("a"), Some("1.000000000000000000000000000000000001"));
        assert_eq!(Image::parse("[1]", &mut Names::default()), None);
    }

    #[test]
    fn fill_keeps_and_overlay_replaces() {
        let mut a = image(r#"{"a": 1, "b": 2}"#);
        a.fill(&image(r#"{"a": 9, "c": 3}"#));
        assert_eq!(a.json(), r#"{"a": 1, "b": 2, "c": 3}"#);
        a.overlay(&image(r#"{"a": 9, "d": 4}"#));
        assert_eq!(a.json(), r#"{"a": 9, "b": 2, "c": 3, "d": 4}"#);
    }

    #[test]
    fn instants_are_the_same_in_any_zone() {
        assert!(same("\"2026-01-01T00:00:00+00:00\"", "\"2026-01-01T09:00:00+09:00\""));
        assert!(!same("\"2026-01-01T00:00:00+00:00\"", "\"2026-01-01T00:00:00+09:00\""));
        assert!(!same("1", "\"1\""));
        assert!(!same("\"x\"", "\"y\""));
    }

    #[test]
    fn only_whole_masks_and_hashes_hide_a_value() {
        let digits = "0123456789abcdef".repeat(4);
        assert!(hidden("\"[redacted]\""));
        assert!(hidden(&format!("\"hmac-sha256:{digits}\"")));
        for known in [
            "null",
            "7",
            "\"",
            "[\"[redacted]\"]",
            "\"[redacted] \"",
            "\"hmac-sha256:\"",
            &format!("\"hmac-sha256:{digits}0\""),
            &format!("\"hmac-sha256:{}g\"", &digits[1..]),
            &format!("\"sha256:{digits}\""),
        ] {
            assert!(!hidden(known), "{known}");
        }
    }

    #[test]
    fn json_that_jsonb_cannot_hold_is_unwrapped() {
        assert_eq!(json_as_stored(r#""{\"a\": \"\\u0000\"}""#), r#"{"a": "\u0000"}"#);
        assert_eq!(json_as_stored(r#""1e999999""#), "1e999999");
        for kept in [r#""plain""#, r#"{"a": 1}"#, r#""1e""#, "7", "null"] {
            assert_eq!(json_as_stored(kept), kept);
        }
    }
}
