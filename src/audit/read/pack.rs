//! Reading packs of the log.

use crate::pg::jsonb::Jsonb;
use crate::pg::text::is_text;
use dbguard_core::{jsonb, pack};
use pgrx::prelude::*;

/// number, op, key, old key, old, new
type Row = (i32, i8, Option<String>, Option<String>, Option<Jsonb>, Option<Jsonb>);

/// The changes in a pack. A damaged one is one row of op X, with the bounds of its keys: what is
/// lost is said, and the rest of the log stays readable.
#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_unpack(
    data: &[u8],
    changes: i32,
    lowest_key: Option<&str>,
    highest_key: Option<&str>,
) -> TableIterator<
    'static,
    (
        name!(number, i32),
        name!(op, i8),
        name!(key, Option<String>),
        name!(old_key, Option<String>),
        name!(old, Option<Jsonb>),
        name!(new, Option<Jsonb>),
    ),
> {
    let rows = rows(data).filter(|rows| rows.len() == changes as usize).unwrap_or_else(|| {
        let keys = [lowest_key, highest_key].map(Option::unwrap_or_default).join(" to ");
        vec![(0, b'X' as i8, Some(keys), None, None, None)]
    });
    TableIterator::new(rows)
}

fn rows(data: &[u8]) -> Option<Vec<Row>> {
    let raw = pack::open(data).ok()?;
    let records = pack::records(&raw).ok()?;
    if !records.iter().all(is_sound) {
        return None;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let row = |(i, r): (usize, pack::Record)| -> Row {
        let json = |bytes: &[u8]| Jsonb(bytes.to_vec());
        (i as i32, r.op as i8, r.key.map(text), r.old_key.map(text), r.old.map(json), r.new.map(json))
    };
    Some(records.into_iter().enumerate().map(row).collect())
}

/// Whether the server may be given what is in a record. Anybody may call the function above with
/// bytes of his own, and a checksum is easily made: the server itself checks no jsonb and no text.
fn is_sound(record: &pack::Record) -> bool {
    let (keys, images) = ([record.key, record.old_key], [record.old, record.new]);
    matches!(record.op, b'I' | b'U' | b'S' | b'B' | b'D')
        && keys.into_iter().flatten().all(is_text)
        && images.into_iter().flatten().all(|image| jsonb::is_sound(image, &is_text))
}

/// Where a key stands among the bounds of packs.
#[pg_extern(sql = false)]
fn audit_key_order(key: &str) -> String {
    let sorted: Vec<u8> = pack::SortKey::of(key.as_bytes()).bytes().collect();
    String::from_utf8_lossy(&sorted).into_owned()
}
