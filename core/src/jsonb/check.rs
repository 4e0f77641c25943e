//! Whether bytes are jsonb as the server would have written them. The server takes the counts and
//! lengths within a jsonb at their word, so bytes of unknown origin go through here first.

use super::*;

const ROOT_SCALAR: u32 = IS_ARRAY | IS_SCALAR;

// numeric.c: the first 16 bits of a numeric's body
const NUMERIC_FORM: u16 = 0xC000;
const NUMERIC_SHORT: u16 = 0x8000;
const NUMERIC_SPECIAL: u16 = 0xC000;
const NUMERIC_NAN: u16 = 0xC000;
const NUMERIC_INFINITY: u16 = 0xD000;
const NUMERIC_MINUS_INFINITY: u16 = 0xF000;

/// Whether a datum (without its length word) is whole and well-formed, with `is_text` for its
/// strings and keys: what text may be is for the database's encoding to say.
pub fn is_sound(datum: &[u8], is_text: &dyn Fn(&[u8]) -> bool) -> bool {
    walk(datum, is_text).is_some()
}

fn walk(datum: &[u8], is_text: &dyn Fn(&[u8]) -> bool) -> Option<()> {
    // a list and no recursion: how deep the containers go is up to whoever made the bytes
    let mut inner = vec![];
    container(datum, true, is_text, &mut inner)?;
    while let Some(bytes) = inner.pop() {
        container(bytes, false, is_text, &mut inner)?;
    }
    Some(())
}

/// Checks one container but for the containers in it, which go to `inner`.
fn container<'d>(
    bytes: &'d [u8],
    is_root: bool,
    is_text: &dyn Fn(&[u8]) -> bool,
    inner: &mut Vec<&'d [u8]>,
) -> Option<()> {
    let (header, rest) = bytes.split_first_chunk()?;
    let header = u32::from_ne_bytes(*header);
    let count = (header & COUNT_MASK) as usize;
    let (keys, children) = match header & !COUNT_MASK {
        IS_OBJECT => (count, count.checked_mul(2)?),
        IS_ARRAY => (0, count),
        ROOT_SCALAR if is_root && count == 1 => (0, 1),
        _ => return None,
    };
    let (entries, data) = rest.split_at_checked(children.checked_mul(4)?)?;
    let mut end = 0usize;
    let mut last_key = None;
    for (i, entry) in entries.chunks_exact(4).enumerate() {
        let entry = u32::from_ne_bytes(entry.try_into().ok()?);
        let has_offset = entry & ENTRY_HAS_OFFSET != 0;
        // offsets elsewhere could be read, but too few make every look-up walk all entries
        if has_offset != i.is_multiple_of(OFFSET_STRIDE) {
            return None;
        }
        let length = (entry & ENTRY_LENGTH_MASK) as usize;
        let start = end;
        end = if has_offset { length } else { start.checked_add(length)? };
        let child = data.get(start..end)?;
        let sound = match entry & ENTRY_KIND_MASK {
            // they are found by binary search
            ENTRY_STRING if i < keys => {
                let before = last_key.replace(child);
                is_text(child) && before.is_none_or(|b| key_order(b, child).is_lt())
            }
            _ if i < keys => false,
            ENTRY_STRING => is_text(child),
            ENTRY_NUMERIC => is_numeric(unpadded(child, start)?),
            ENTRY_NULL | ENTRY_FALSE | ENTRY_TRUE => child.is_empty(),
            ENTRY_CONTAINER if header & IS_SCALAR == 0 => {
                inner.push(unpadded(child, start)?);
                true
            }
            _ => false,
        };
        if !sound {
            return None;
        }
    }
    (end == data.len()).then_some(())
}

/// A child that is aligned, without the zeros before it.
fn unpadded(child: &[u8], start: usize) -> Option<&[u8]> {
    let (padding, body) = child.split_at_checked(start.next_multiple_of(4) - start)?;
    padding.iter().all(|b| *b == 0).then_some(body)
}

/// A numeric with its length word. Any weight and scale that fit its header are in the server's
/// bounds; digits that are zero at either end are not written by it, but read like others.
fn is_numeric(datum: &[u8]) -> bool {
    let Some((length, body)) = datum.split_first_chunk() else { return false };
    if u32::from_ne_bytes(*length) != length_word(datum.len()) {
        return false;
    }
    let Some((header, rest)) = body.split_first_chunk() else { return false };
    let header = u16::from_ne_bytes(*header);
    let digits = match header & NUMERIC_FORM {
        NUMERIC_SPECIAL => {
            let known = matches!(header, NUMERIC_NAN | NUMERIC_INFINITY | NUMERIC_MINUS_INFINITY);
            return known && rest.is_empty();
        }
        NUMERIC_SHORT => rest,
        // sign and scale were the header, the weight has two bytes of its own
        _ => match rest.get(2..) {
            Some(digits) => digits,
            None => return false,
        },
    };
    let (digits, odd) = digits.as_chunks::<2>();
    odd.is_empty() && digits.iter().all(|d| u16::from_ne_bytes(*d) < 10_000)
}

#[cfg(test)]
mod tests;
