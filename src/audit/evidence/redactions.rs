//! The redactions that may explain why a record is not what was sealed.

use super::members::{Kind, Members};
use crate::error::Result;
use dbguard_core::seal::{decode, Digest};
use pgrx::prelude::*;
use std::collections::{HashMap, HashSet};

/// Of each record that was redacted its digests before and after, oldest redaction first.
pub struct Redactions(HashMap<i64, Vec<(Digest, Digest)>>);

impl Redactions {
    /// Those that are as they were sealed, or not sealed yet: one that was tampered with explains
    /// nothing.
    pub fn load() -> Result<Redactions> {
        const REDACTIONS: &str =
            "SELECT number, ids, digests_before, digests_after FROM dbguard.audit_redaction ORDER BY number";
        let sealed = sealed()?;
        let mut forged = HashSet::new();
        let mut redactions = Members::redactions()?;
        while let Some(found) = redactions.next()? {
            if sealed.get(&found.entry.id).is_some_and(|digest| *digest != found.entry.digest) {
                forged.insert(found.entry.id);
            }
        }
        let mut known: HashMap<i64, Vec<(Digest, Digest)>> = HashMap::new();
        Spi::connect(|client| -> std::result::Result<(), pgrx::spi::Error> {
            for row in client.select(REDACTIONS, None, &[])? {
                if forged.contains(&row.get::<i64>(1)?.unwrap_or_default()) {
                    continue;
                }
                let ids = row.get::<Vec<Option<i64>>>(2)?.unwrap_or_default();
                let before = row.get::<Vec<u8>>(3)?.unwrap_or_default();
                let after = row.get::<Vec<u8>>(4)?.unwrap_or_default();
                let digests = before.as_chunks().0.iter().zip(after.as_chunks().0);
                for (id, (before, after)) in ids.into_iter().zip(digests) {
                    known.entry(id.unwrap_or_default()).or_default().push((*before, *after));
                }
            }
            Ok(())
        })?;
        Ok(Redactions(known))
    }

    /// Whether redactions made the record with digest `now` out of the one with digest `sealed`.
    pub fn lead(&self, id: i64, sealed: Digest, now: Digest) -> bool {
        let steps = self.0.get(&id).map(Vec::as_slice).unwrap_or_default();
        let reached =
            |at: Digest, (before, after): &(Digest, Digest)| if at == *before { *after } else { at };
        steps.iter().fold(sealed, reached) == now
    }
}

/// The digests of all redactions that are sealed.
fn sealed() -> Result<HashMap<i64, Digest>> {
    const SEALED: &str = "SELECT data FROM dbguard.audit_seal_record WHERE kind::text = $1";
    let letter = (Kind::Redaction.letter() as char).to_string();
    let parts = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client.select(SEALED, None, &[letter.into()])?.map(|row| row.get::<Vec<u8>>(1)).collect()
    })?;
    let entries = parts.into_iter().flatten().flat_map(|data| decode(&data).unwrap_or_default());
    Ok(entries.map(|entry| (entry.id, entry.digest)).collect())
}
