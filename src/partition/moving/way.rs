//! Which way rows are moved, or why they cannot be.

use super::few;
use super::source::{self, Source};
use super::survey::Part;
use crate::ddl::moving as ddl;
use crate::error::{Error, Result};
use crate::partition::set::Set;
use crate::settings::PARTITION_DRAIN_ROWS;

/// How rows are moved.
pub enum Way {
    /// Each range in one transaction, with the table locked.
    Few,
    /// By copying beside; rows are known by this key.
    Copy(Vec<ddl::KeyColumn>),
}

pub fn way(set: &Set, source: &Source, parts: &[Part]) -> Result<Way> {
    let moved: i64 = parts.iter().filter(|part| part.is_cell()).map(|part| part.rows).sum();
    let most = i64::from(PARTITION_DRAIN_ROWS.get());
    let may_be_few = source.range.is_none() && most > 0 && few::may(set, source).is_ok();
    if may_be_few && moved <= most {
        return Ok(Way::Few);
    }
    let refused = match key(set, source)? {
        Ok(key) => return Ok(Way::Copy(key)),
        Err(refused) => refused,
    };
    let largest = parts.iter().filter(|part| part.is_cell()).map(|part| part.rows).max().unwrap_or(0);
    if may_be_few && largest <= most {
        return Ok(Way::Few);
    }
    let raise =
        format!("SET dbguard.partition_drain_rows = {largest}; then each range is moved in one transaction.");
    Err(match may_be_few {
        true => refused.hint(raise),
        false if source.range.is_some() => refused,
        false => refused.hint("Move the rows by hand."),
    })
}

/// The key that rows are known by while they are copied.
pub fn copying_key(set: &Set, source: &Source) -> Result<Vec<ddl::KeyColumn>> {
    key(set, source)?
}

/// The same; the inner error says why rows cannot be copied, which another way may not mind.
fn key(set: &Set, source: &Source) -> Result<Result<Vec<ddl::KeyColumn>>> {
    let key = source::identity(set)?;
    let error = match source::referrer(set, source)? {
        None if !key.is_empty() => return Ok(Ok(key)),
        Some(referrer) => {
            Error::unsupported(format!("rows of \"{}\" are referred to by {referrer}", source.name))
                .detail("PostgreSQL refuses to detach a partition with rows that are referred to.")
        }
        None => Error::not_in_state(format!(
            "\"{}\" has no primary key and no unique index without NULLs",
            set.name
        ))
        .detail("Rows that change while they are copied are known by it."),
    };
    Ok(Err(error.hint("Add one, or drop the foreign key until the rows are moved.")))
}
