//! What a partition is called: the parent's name and when the partition begins.

use super::grid::Grid;
use super::width::Width;
use super::{civil, Range, Result, MINUTE};

/// PostgreSQL cuts longer names, in bytes.
const LONGEST: usize = 63;

/// A name for `range` of `parent` that nobody has. `taken` says whether somebody has it; `identity`
/// is the parent's full name, so that parents which begin alike get names that differ.
pub fn choose<E: From<super::Error>>(
    grid: &Grid,
    range: Range,
    parent: &str,
    identity: &str,
    taken: impl FnMut(&str) -> std::result::Result<bool, E>,
) -> std::result::Result<String, E> {
    let identity = format!("{identity} {} {}", range.from, range.to);
    fit(parent, &suffix(grid, range)?, &identity, taken)
}

/// `parent` and `suffix`, or what is left of `parent` when six digits of a hash of `identity` must
/// follow, because that is too long or taken.
pub fn fit<E>(
    parent: &str,
    suffix: &str,
    identity: &str,
    mut taken: impl FnMut(&str) -> std::result::Result<bool, E>,
) -> std::result::Result<String, E> {
    let plain = format!("{parent}{suffix}");
    if plain.len() <= LONGEST && !taken(&plain)? {
        return Ok(plain);
    }
    let mut attempt: u32 = 0;
    loop {
        let hash = hash(&format!("{identity} {attempt}"));
        let tail = format!("{suffix}_{hash:06x}");
        let name = format!("{}{tail}", cut(parent, LONGEST - tail.len()));
        if !taken(&name)? {
            return Ok(name);
        }
        attempt += 1;
    }
}

/// `_p202611` for months that begin on the 1st, `_p20261125` at midnight, `_p20261125_0100` else.
fn suffix(grid: &Grid, range: Range) -> Result<String> {
    let at = grid.shown(range.from)?;
    let read = civil::datetime(at)?;
    let mut suffix = format!("_p{:04}{:02}", read.year(), read.month());
    let month = matches!(grid.width, Width::Months(_));
    if month && read.day() == 1 && civil::is_midnight(at) {
        return Ok(suffix);
    }
    suffix += &format!("{:02}", read.day());
    if !civil::is_midnight(at) {
        suffix += &format!("_{:02}{:02}", read.hour(), read.minute());
        if at.rem_euclid(MINUTE) != 0 {
            suffix += &format!("{:02}", read.second());
        }
    }
    Ok(suffix)
}

/// The longest beginning of `name` of at most `most` bytes that ends between characters.
fn cut(name: &str, most: usize) -> &str {
    let mut end = most.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// 24 bits of FNV-1a: stable for ever, since names outlive a server.
fn hash(text: &str) -> u32 {
    let full = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    ((full >> 40) ^ (full & 0xff_ffff)) as u32 & 0xff_ffff
}

#[cfg(test)]
#[path = "tests/name.rs"]
mod tests;
