//! The digests a seal holds, read as they are asked for.

use super::guard;
use super::members::Kind;
use crate::audit::store::oldest::Oldest;
use crate::error::Result;
use dbguard_core::seal::{decode, part_hash, Contents, Damaged, Entry, Hash};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use std::vec::IntoIter;

/// A row of audit_seal_record.
struct Part {
    number: i32,
    kind: u8,
    hash: Vec<u8>,
    /// None once it was let go.
    data: Option<Vec<u8>>,
}

/// The first part of a seal after part `after`, of one kind or of any.
fn part(seal: i64, kind: Option<Kind>, after: i32) -> Result<Option<Part>> {
    const PART: &str = "
        SELECT part, kind::text, hash, data FROM dbguard.audit_seal_record
        WHERE seal = $1 AND part > $2 AND ($3 IS NULL OR kind::text = $3)
        ORDER BY part LIMIT 1";
    Ok(Spi::connect(|client| -> std::result::Result<_, pgrx::spi::Error> {
        let args = [seal.into(), after.into(), kind.map(|k| (k.letter() as char).to_string()).into()];
        let Some(row) = client.select(PART, Some(1), &args)?.next() else { return Ok(None) };
        Ok(Some(Part {
            number: row.get(1)?.unwrap_or(i32::MAX),
            kind: row.get::<String>(2)?.and_then(|kind| kind.bytes().next()).unwrap_or_default(),
            hash: row.get(3)?.unwrap_or_default(),
            data: row.get(4)?,
        }))
    })?)
}

/// The parts of a seal as they are.
pub struct Parts {
    pub contents: Hash,
    /// A part holds other data than it was made of.
    pub altered: bool,
    /// The kinds of which parts have no data any more.
    pub let_go: Vec<u8>,
}

impl Parts {
    pub fn of(seal: i64) -> Result<Parts> {
        let (mut contents, mut after) = (Contents::default(), 0);
        let (mut altered, mut let_go) = (false, vec![]);
        while let Some(part) = part(seal, None, after)? {
            contents.part(part.kind, &part.hash);
            match &part.data {
                Some(data) => altered |= part_hash(data).as_slice() != part.hash,
                None if let_go.contains(&part.kind) => {}
                None => let_go.push(part.kind),
            }
            after = part.number;
        }
        Ok(Parts { contents: contents.hash(), altered, let_go })
    }
}

/// Lets go of the digests of what lay in partitions that are gone: of each seal that was made before the
/// log now begins. Their hashes stay, so the chain does. How many seals it was, or would be.
pub fn let_go(oldest: &Oldest, dry_run: bool) -> Result<i64> {
    const OLD: &str = "
        SELECT count(DISTINCT r.seal) FROM dbguard.audit_seal_record r JOIN dbguard.audit_seal s ON s.number = r.seal
        WHERE r.data IS NOT NULL AND s.sealed_at <= CASE r.kind::text WHEN 'C' THEN $1 WHEN 'W' THEN $2 END";
    const LET_GO: &str = "
        UPDATE dbguard.audit_seal_record r SET data = NULL FROM dbguard.audit_seal s
        WHERE s.number = r.seal AND r.data IS NOT NULL
          AND s.sealed_at <= CASE r.kind::text WHEN 'C' THEN $1 WHEN 'W' THEN $2 END";
    let time = |kind| TimestampWithTimeZone::try_from(oldest.of(kind)).ok();
    let (change, context) = (time(Kind::Change), time(Kind::Context));
    let args = || [change.into(), context.into()];
    let seals = Spi::connect(|client| client.select(OLD, Some(1), &args())?.first().get_one::<i64>())?;
    if !dry_run && seals.is_some_and(|n| n > 0) {
        guard::allow_update(|| Spi::connect_mut(|client| client.update(LET_GO, None, &args()).map(drop)))?;
    }
    Ok(seals.unwrap_or_default())
}

/// The rows of audit_relation a seal holds.
pub fn relations(seal: i64) -> Result<Vec<i32>> {
    let mut sealed = Sealed::of(seal, Kind::Relation);
    let mut ids = vec![];
    while let Some(entry) = sealed.next()? {
        ids.extend(i32::try_from(entry.id));
    }
    Ok(ids)
}

/// The highest number of a seal that digests are there for.
pub fn highest() -> Result<Option<i64>> {
    const HIGHEST: &str = "SELECT max(seal) FROM dbguard.audit_seal_record";
    Ok(Spi::connect(|client| client.select(HIGHEST, Some(1), &[])?.first().get_one::<i64>())?)
}

/// The sealed records of one kind.
pub struct Sealed {
    seal: i64,
    kind: Kind,
    part: i32,
    batch: IntoIter<Entry>,
    /// A part was not readable; the rest is not read.
    pub unreadable: bool,
}

impl Sealed {
    pub fn of(seal: i64, kind: Kind) -> Sealed {
        Sealed { seal, kind, part: 0, batch: vec![].into_iter(), unreadable: false }
    }

    pub fn next(&mut self) -> Result<Option<Entry>> {
        if let Some(entry) = self.batch.next() {
            return Ok(Some(entry));
        }
        Ok(self.next_part()?.and_then(|entries| {
            self.batch = entries.into_iter();
            self.batch.next()
        }))
    }

    /// A part whole; None after the last.
    pub fn next_part(&mut self) -> Result<Option<Vec<Entry>>> {
        if self.unreadable {
            return Ok(None);
        }
        while let Some(part) = part(self.seal, Some(self.kind), self.part)? {
            self.part = part.number;
            let Some(data) = part.data else { continue };
            return Ok(match decode(&data) {
                Ok(entries) => Some(entries),
                Err(Damaged) => {
                    self.unreadable = true;
                    None
                }
            });
        }
        Ok(None)
    }
}
