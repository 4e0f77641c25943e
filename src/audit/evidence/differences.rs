//! What differs between a seal and the log, for one kind of record.

use super::members::{About, Kind, Members, Stretch};
use super::redactions::Redactions;
use super::sealed::Sealed;
use crate::error::Result;
use dbguard_core::seal::{compare, explain, Difference, Entry, Found, Problem};
use std::cell::RefCell;

/// More are counted, not told.
const MOST: usize = 1000;

#[derive(Default)]
pub struct Differences {
    list: Vec<Difference<About>>,
    pub more: u64,
    pub damaged: Vec<DamagedPack>,
    /// The seal's own digests.
    pub unreadable: bool,
    pub redacted: i64,
    pub dropped: i64,
}

/// A pack of the log that cannot be read.
pub struct DamagedPack {
    pub id: i64,
    pub at: i64,
    pub changes: i32,
    pub relation: Option<i32>,
}

impl Differences {
    /// Without a seal nothing was sealed, and all that is found is too much. What is gone and was
    /// older than `oldest` was dropped with its partition.
    pub fn of(
        kind: Kind,
        seal: Option<i64>,
        stretch: &Stretch,
        redactions: &Redactions,
        oldest: i64,
    ) -> Result<Differences> {
        let mut sealed = seal.map(|seal| Sealed::of(seal, kind));
        let mut result = Differences::default();
        match &mut sealed {
            Some(sealed) if kind.by_id() => {
                while let Some(entries) = sealed.next_part()? {
                    let members = Members::with_ids(kind, entries.iter().map(|e| e.id).collect())?;
                    let mut entries = entries.into_iter();
                    result.compare(|| Ok(entries.next()), members, redactions, oldest)?;
                }
            }
            Some(sealed) => {
                let members = Members::of(kind, stretch, false)?;
                result.compare(|| sealed.next(), members, redactions, oldest)?;
            }
            None => result.compare(|| Ok(None), Members::of(kind, stretch, false)?, redactions, oldest)?,
        }
        result.unreadable = sealed.is_some_and(|s| s.unreadable);
        Ok(result)
    }

    fn compare(
        &mut self,
        sealed: impl FnMut() -> Result<Option<Entry>>,
        mut members: Members,
        redactions: &Redactions,
        oldest: i64,
    ) -> Result<()> {
        let damaged = RefCell::new(vec![]);
        // a pack that cannot be read is one problem, not one for each of its changes
        let found = || loop {
            match members.next()? {
                Some(Found { entry, about: About { damaged: Some(changes), relation, .. } }) => {
                    damaged.borrow_mut().push(DamagedPack { id: entry.id, at: entry.at, changes, relation });
                }
                other => return Ok(other),
            }
        };
        let in_damaged = |id: i64| {
            let holds = |pack: &DamagedPack| (pack.id..pack.id + i64::from(pack.changes)).contains(&id);
            damaged.borrow().iter().any(holds)
        };
        let mut redacted = 0;
        let same = |sealed: &Entry, found: &Found<About>| {
            let now = found.entry.digest;
            let accepted = sealed.digest != now && redactions.lead(sealed.id, sealed.digest, now);
            redacted += i64::from(accepted);
            accepted || sealed.digest == now
        };
        let (list, more, dropped) = (&mut self.list, &mut self.more, &mut self.dropped);
        let report = |difference| match difference {
            Difference::Removed(entry) if entry.at < oldest => *dropped += 1,
            Difference::Removed(entry) if in_damaged(entry.id) => {}
            _ if list.len() >= MOST => *more += 1,
            difference => list.push(difference),
        };
        compare(sealed, found, same, report)?;
        self.redacted += redacted;
        self.damaged.extend(damaged.into_inner());
        Ok(())
    }

    /// Whether a redaction that was not known yet could explain something.
    pub fn may_be_redacted(&self) -> bool {
        self.list.iter().any(|d| matches!(d, Difference::Changed { .. }))
    }

    pub fn accept(&mut self, redactions: &Redactions) {
        self.list.retain(|difference| match difference {
            Difference::Changed { sealed, found } => {
                !redactions.lead(sealed.id, sealed.digest, found.entry.digest)
            }
            _ => true,
        });
    }

    pub fn problems(self) -> Vec<Problem<About>> {
        explain(self.list)
    }
}
