//! A row that moves to another partition: the server deletes it here and inserts it there, the log
//! shows the one UPDATE that it was.

use super::buffer::{Batch, Entry};
use super::image::{refused, Span};
use crate::audit::choose::options::Capture;
use crate::error::{Error, Result};
use dbguard_core::jsonb::{self, Value};

/// Whether these are the two halves of one move: one command made them, one after the other.
pub fn halves(before: &Entry, after: &Entry) -> bool {
    before.moves_on
        && after.op == b'I'
        && before.command == after.command
        && before.target.relation == after.target.relation
        && before.leaf != after.leaf
}

/// Puts the UPDATE into the batch, whose last change was `before`; `after` lies in `bytes`. Nothing,
/// if nothing that the log sees has changed.
pub fn join(batch: &mut Batch, before: Entry, after: Entry, bytes: &[u8]) -> Result<()> {
    let spans = [before.tenant, before.key, before.old];
    let start = spans.iter().flatten().map(|s| s.start).min().unwrap_or(batch.bytes.len());
    // its bytes were the last, and make room
    let was_bytes = batch.bytes.split_off(start);
    let was = |span: Option<Span>| span.map(|s| &was_bytes[s.start - start..s.end - start]);
    let is = |span: Option<Span>| span.map(|s| s.of(bytes));
    let (Some(old), Some(new)) = (pairs(was(before.old)), pairs(is(after.new))) else {
        return Err(Error::internal("an image of a moved row is not an object"));
    };
    let changed: Vec<bool> = old
        .iter()
        .zip(&new)
        .map(|(was, is)| was != is || hidden(&before, was.0) != hidden(&after, was.0))
        .collect();
    if !changed.contains(&true) {
        return Ok(());
    }
    let full = after.target.capture == Capture::Full;
    let old_key = was(before.key).filter(|key| Some(*key) != is(after.key));
    let out = &mut batch.bytes;
    let tenant = is(after.tenant).map(|datum| put(out, datum));
    let key = is(after.key).map(|datum| put(out, datum));
    let old_key = old_key.map(|datum| put(out, datum));
    let old = image(out, &old, |i| full || !after.target.has_key || changed[i])?;
    let new = image(out, &new, |i| full || changed[i])?;
    batch.entries.push(Entry {
        op: b'U',
        tenant,
        key,
        old_key,
        old: Some(old),
        new: Some(new),
        command: None,
        hidden: None,
        ..after
    });
    Ok(())
}

fn pairs(datum: Option<&[u8]>) -> Option<Vec<(&[u8], Value<'_>)>> {
    jsonb::pairs(datum?.get(4..)?)
}

/// The value of a redacted column, which the images do not show.
fn hidden<'e>(entry: &'e Entry, name: &[u8]) -> Option<Value<'e>> {
    pairs(entry.hidden.as_deref())?.into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
}

fn put(out: &mut Vec<u8>, datum: &[u8]) -> Span {
    jsonb::align(out);
    let start = out.len();
    out.extend_from_slice(datum);
    Span { start, end: out.len() }
}

fn image(out: &mut Vec<u8>, pairs: &[(&[u8], Value)], wanted: impl Fn(usize) -> bool) -> Result<Span> {
    let picked = pairs.iter().enumerate().filter(|(i, _)| wanted(*i));
    let list: Vec<(&[u8], Value)> = picked.map(|(_, (name, value))| (*name, value.clone())).collect();
    Ok(jsonb::write_object(out, &list).map_err(refused)?.into())
}
