//! Changes that were put among older ones: of a transaction that had no number yet when a seal was made, but
//! with an id or a time from before it. Ids are drawn as changes are written, so none can have that.

use super::chain::Link;
use super::members::{Stretch, Suspect, Suspects};
use crate::error::Result;
use crate::pg::query::{each, param, text_param};
use pgrx::prelude::*;
use std::collections::HashMap;

/// How far a clock that was put back may mislead us, in microseconds.
const CLOCK: i64 = 5_000_000;
/// What every transaction from `next_xact` on comes after.
#[derive(Clone, Copy, Default)]
struct Mark {
    next_xact: u64,
    last_id: i64,
    sealed_at: i64,
}

/// The marks of each home, in their order.
#[derive(Default)]
pub struct Marks(HashMap<String, Vec<Mark>>);

impl Marks {
    /// Takes in a seal, the next in number. A home that is closed has no later transactions.
    pub fn add(&mut self, link: &Link) {
        let seal = &link.seal;
        let marks = self.0.entry(seal.home.clone()).or_default();
        let before = marks.last().copied().unwrap_or(Mark { last_id: i64::MIN, ..Mark::default() });
        if !seal.closed {
            marks.push(Mark {
                next_xact: seal.next_xact.max(before.next_xact),
                last_id: seal.last_id.unwrap_or(i64::MIN).max(before.last_id),
                sealed_at: i64::from(link.sealed_at).max(before.sealed_at),
            });
        }
    }

    /// Those in a stretch.
    pub fn misplaced(&self, stretch: &Stretch) -> Result<Suspects> {
        // few: what a transaction wrote that was open when a seal was made
        const EARLY: &str = "
            SELECT id, at, relation, key, xact::text::int8 FROM dbguard.audit_change
            WHERE relation = ANY ($1) AND xact >= $2::xid8 AND xact < $3::xid8 AND (id <= $4 OR at < $5)
            UNION ALL
            SELECT id, at, relation, lowest_key, xact::text::int8 FROM dbguard.audit_pack
            WHERE relation = ANY ($1) AND xact >= $2::xid8 AND xact < $3::xid8 AND (id <= $4 OR at < $5)
            ORDER BY 1";
        let Some((marks, last)) = self.0.get(stretch.home).and_then(|marks| Some((marks, marks.last()?)))
        else {
            return Ok(Suspects::default());
        };
        let latest = TimestampWithTimeZone::try_from(last.sealed_at).ok();
        let params = [
            param(stretch.relations.clone()),
            text_param(stretch.from.to_string().as_bytes()),
            text_param(stretch.to.to_string().as_bytes()),
            param(last.last_id),
            param(latest),
        ];
        let mut suspects = Suspects::default();
        each(EARLY, &params, |row| {
            let (id, at) = (row.int8(0).unwrap_or_default(), row.int8(1).unwrap_or_default());
            let xact = row.int8(4).unwrap_or_default() as u64;
            let before = marks.partition_point(|mark| mark.next_xact <= xact);
            let mark = before.checked_sub(1).and_then(|at| marks.get(at));
            if mark.is_some_and(|mark| id <= mark.last_id || at < mark.sealed_at - CLOCK) {
                let key = row.bytes(3).map(|key| String::from_utf8_lossy(key).into_owned());
                suspects.add(Suspect { id, at, relation: row.int4(2), key });
            }
            Ok(())
        })?;
        Ok(suspects)
    }
}
