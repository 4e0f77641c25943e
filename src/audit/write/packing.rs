//! Which changes of a statement become rows of the log and which are packed: many of one table that
//! asks for it (`bulk => 'pack'`) go together into packs that fill a page each.

use super::buffer::Entry;
use dbguard_core::pack::{self, Record};

pub enum Part<'b> {
    Row(&'b Entry),
    Pack(Pack<'b>),
}

pub struct Pack<'b> {
    pub first: &'b Entry,
    pub changes: i32,
    pub lowest_key: Option<Vec<u8>>,
    pub highest_key: Option<Vec<u8>>,
    pub data: Vec<u8>,
}

/// Fewer are not worth it: rows have the better index.
const FEWEST: usize = 32;
/// A row of the log must fit a page.
const MOST_PACKED: usize = 7_900;
/// Larger changes are rows, whose large values go out of line.
const MOST_OF_ONE: usize = 2_000;
/// What is put together before it is compressed.
const RAW: usize = 24 * 1024;

/// The changes of one statement, in order.
pub fn parts<'b>(entries: &'b [Entry], bytes: &'b [u8]) -> Vec<Part<'b>> {
    let mut parts = Vec::with_capacity(entries.len());
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let together =
            if packable(first) { rest.iter().take_while(|e| goes_with(first, e, bytes)).count() } else { 1 };
        let (these, others) = rest.split_at(together.max(1));
        if these.len() < FEWEST {
            parts.extend(these.iter().map(Part::Row));
        } else {
            pack_all(these, bytes, &mut parts);
        }
        rest = others;
    }
    parts
}

fn packable(entry: &Entry) -> bool {
    entry.target.bulk.packs() && entry.op != b'T'
}

fn goes_with(first: &Entry, entry: &Entry, bytes: &[u8]) -> bool {
    let tenant = |e: &Entry| e.tenant.map(|t| t.of(bytes));
    packable(entry)
        && entry.target.relation == first.target.relation
        && tenant(entry) == tenant(first)
        && size(entry) <= MOST_OF_ONE
}

fn size(entry: &Entry) -> usize {
    [entry.key, entry.old_key, entry.old, entry.new].iter().flatten().map(|s| s.end - s.start).sum()
}

fn pack_all<'b>(entries: &'b [Entry], bytes: &'b [u8], parts: &mut Vec<Part<'b>>) {
    let mut rest = entries;
    let mut limit = RAW;
    while let Some(first) = rest.first() {
        let (mut raw, mut changes) = (Vec::with_capacity(limit + MOST_OF_ONE), 0);
        for (i, entry) in rest.iter().enumerate() {
            // the ids of a pack follow from its first
            if raw.len() >= limit || entry.id != first.id + i as i64 {
                break;
            }
            pack::push(&mut raw, &record(entry, bytes));
            changes = i + 1;
        }
        let data = pack::seal(&raw);
        if data.len() > MOST_PACKED {
            if changes == 1 {
                parts.push(Part::Row(first));
                rest = &rest[1..];
            }
            limit = (limit / 2).max(1);
            continue;
        }
        let (these, others) = rest.split_at(changes);
        let keys = these.iter().flat_map(|e| [e.key, e.old_key]).flatten().map(|k| k.body(bytes));
        let [lowest_key, highest_key] = match pack::bounds(keys) {
            Some(bounds) => bounds.map(|bound| Some(bound.bytes().collect())),
            None => [None, None],
        };
        // the next is likely to compress as well as this one
        limit = (raw.len() * MOST_PACKED / data.len() * 9 / 10).clamp(4 * 1024, 128 * 1024);
        parts.push(Part::Pack(Pack { first, changes: changes as i32, lowest_key, highest_key, data }));
        rest = others;
    }
}

fn record<'b>(entry: &Entry, bytes: &'b [u8]) -> Record<'b> {
    let body = |span: Option<super::image::Span>| span.map(|s| s.body(bytes));
    Record {
        op: entry.op,
        key: body(entry.key),
        old_key: body(entry.old_key),
        old: body(entry.old),
        new: body(entry.new),
    }
}
