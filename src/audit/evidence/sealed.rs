//! The digests a seal holds, read as they are asked for.

use super::members::Kind;
use crate::error::Result;
use dbguard_core::seal::{decode, Contents, Damaged, Entry, Hash};
use pgrx::prelude::*;
use std::vec::IntoIter;

/// A row of audit_seal_record.
struct Part {
    number: i32,
    kind: u8,
    data: Vec<u8>,
}

/// The first part of a seal after part `after`, of one kind or of any.
fn part(seal: i64, kind: Option<Kind>, after: i32) -> Result<Option<Part>> {
    const PART: &str = "
        SELECT part, kind::text, data FROM dbguard.audit_seal_record
        WHERE seal = $1 AND part > $2 AND ($3 IS NULL OR kind::text = $3)
        ORDER BY part LIMIT 1";
    let part = Spi::connect(|client| -> std::result::Result<_, pgrx::spi::Error> {
        let args = [seal.into(), after.into(), kind.map(|k| (k.letter() as char).to_string()).into()];
        client
            .select(PART, Some(1), &args)?
            .next()
            .map(|row| Ok((row.get::<i32>(1)?, row.get::<String>(2)?, row.get::<Vec<u8>>(3)?)))
            .transpose()
    })?;
    Ok(part.and_then(|(number, kind, data)| {
        let kind = kind?.bytes().next().unwrap_or_default();
        Some(Part { number: number?, kind, data: data? })
    }))
}

/// The hash of all parts of a seal.
pub fn contents(seal: i64) -> Result<Hash> {
    let (mut contents, mut after) = (Contents::default(), 0);
    while let Some(part) = part(seal, None, after)? {
        contents.part(part.kind, &part.data);
        after = part.number;
    }
    Ok(contents.hash())
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
        let Some(part) = part(self.seal, Some(self.kind), self.part)? else { return Ok(None) };
        self.part = part.number;
        match decode(&part.data) {
            Ok(entries) => Ok(Some(entries)),
            Err(Damaged) => {
                self.unreadable = true;
                Ok(None)
            }
        }
    }
}
