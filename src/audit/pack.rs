//! Reading packs of the log.

use crate::pg::jsonb::Jsonb;
use dbguard_core::pack;
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
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let row = |(i, r): (usize, pack::Record)| -> Row {
        let json = |bytes: &[u8]| Jsonb(bytes.to_vec());
        (i as i32, r.op as i8, r.key.map(text), r.old_key.map(text), r.old.map(json), r.new.map(json))
    };
    Some(pack::records(&raw).ok()?.into_iter().enumerate().map(row).collect())
}

/// Where a key stands among the bounds of packs.
#[pg_extern(sql = false)]
fn audit_key_order(key: &str) -> String {
    let sorted: Vec<u8> = pack::SortKey::of(key.as_bytes()).bytes().collect();
    String::from_utf8_lossy(&sorted).into_owned()
}
