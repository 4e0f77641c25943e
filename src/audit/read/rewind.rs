//! The rows that a table had at a moment and has no longer as they were, from the changes since.

use super::access;
use super::version::{Reading, Versions};
use crate::error::{Error, Result};
use crate::pg::jsonb::Jsonb;
use crate::pg::query::{each, param, text_param, Param, Row, SetCall};
use crate::pg::relation::Relation;
use dbguard_core::image::{overlay, tidy, EMPTY};
use dbguard_core::rewind::{Act, Event, Found, Place, Rewind, Stretches, Unreadable};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use pgrx::IntoDatum;
use std::borrow::Cow;
use std::collections::HashMap;

/// All changes after the moment, key by key.
const EVENTS: &str = include_str!("events.sql");
/// Those of one key.
const EVENTS_OF_KEY: &str = include_str!("events_of_key.sql");
/// All changes, of a table without a key.
const EVENTS_WITHOUT_KEY: &str = include_str!("events_without_key.sql");

struct Reader<'a> {
    table: &'a Relation,
    readings: HashMap<i32, Reading>,
    versions: Vec<i32>,
    at: Param,
    deferrable: bool,
}

/// dbguard._audit_rewind(relation, at, key).
#[pg_extern(sql = false)]
fn audit_rewind(fcinfo: pg_sys::FunctionCallInfo) {
    if let Err(e) = rewind(&SetCall::new(fcinfo)) {
        e.raise();
    }
}

fn rewind(call: &SetCall) -> Result<()> {
    let relation = call.oid(0).ok_or_else(|| Error::null_argument("relation"))?;
    let at = call.arg(1);
    if at.1.is_none() {
        return Err(Error::null_argument("at"));
    }
    let table = access::logged_as(relation)?;
    let key = call.text(2);
    call.begin();
    access::with_log(|| {
        let versions = Versions::of(&table)?;
        let reader = Reader {
            readings: versions.readings(&table),
            versions: versions.ids(),
            at,
            deferrable: key_is_deferrable(table.oid)?,
            table: &table,
        };
        let mut emit = |found: Found| -> Result<()> {
            let (kind, place, old) = match found {
                Found::Changed { place, old } => (b'C', place, Some(old)),
                Found::New { place } => (b'N', place, None),
                Found::Gone { place, old } => (b'G', place, Some(old)),
            };
            put(call, kind, Some(&place), old);
            Ok(())
        };
        match key {
            Some(key) => reader.one(key.as_bytes(), &mut emit),
            None if table.key().is_empty() => reader.whole_rows(call),
            None => reader.all(&mut emit),
        }
    })
}

/// Whether two rows may have the same primary key until the transaction ends.
fn key_is_deferrable(table: Oid) -> Result<bool> {
    const DEFERRABLE: &str =
        "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = $1 AND indisprimary AND NOT indimmediate)";
    let found = Spi::connect(|client| {
        client.select(DEFERRABLE, Some(1), &[table.into()])?.first().get_one::<bool>()
    })?;
    Ok(found == Some(true))
}

fn put(call: &SetCall, kind: u8, place: Option<&[u8]>, old: Option<Vec<u8>>) {
    let old = old.map(|old| if old.is_empty() { EMPTY.to_vec() } else { old });
    call.append_row(&[
        (kind as i8).into_datum(),
        place.and_then(|p| text_param(p).1),
        old.and_then(|old| Jsonb(old).into_datum()),
    ]);
}

impl Reader<'_> {
    /// Reads one query of events: place, id, xact, at, act, other place, old image, version.
    fn each(
        &self,
        sql: &str,
        key: Option<&[u8]>,
        mut take: impl FnMut(Option<&[u8]>, Event) -> Result<()>,
    ) -> Result<()> {
        let mut params = vec![param(self.versions.clone()), self.at];
        params.extend(key.map(text_param));
        each(sql, &params, |row| {
            let act = match row.letter(4) {
                Some(b'I') => Act::Insert,
                Some(b'A') => Act::Arrive,
                Some(b'D') => Act::Delete,
                Some(b'L') => Act::Leave(row.bytes(5).unwrap_or_default().to_vec()),
                Some(b'U' | b'S' | b'B') => Act::Update,
                Some(b'T') => return Err(self.truncated(row)),
                Some(b'P' | b'R') => return Err(self.paused(row)),
                _ => return Err(self.damaged(row)),
            };
            let reading = self.reading(row)?;
            if !reading.same_key {
                return Err(self.other_key());
            }
            let old = self.old(row, 6, reading)?.into_owned();
            let statement = (row.int8(2).unwrap_or_default() as u64, row.int8(3).unwrap_or_default());
            let id = row.int8(1).unwrap_or_default();
            take(row.bytes(0), Event { id, statement, act, old })
        })
    }

    fn all(&self, emit: &mut impl FnMut(Found) -> Result<()>) -> Result<()> {
        let mut rewind = Rewind::default();
        let mut current: Option<(Vec<u8>, Place)> = None;
        self.each(EVENTS, None, |place, event| {
            let place = place.ok_or_else(|| self.other_key())?;
            if current.as_ref().is_none_or(|(key, _)| key != place) {
                if let Some((key, done)) = current.take() {
                    rewind.add(&key, done.done()?, emit)?;
                }
                current = Some((place.to_vec(), Place::new(self.deferrable)));
            }
            match &mut current {
                Some((_, place)) => Ok(place.apply(event)?),
                None => Ok(()),
            }
        })?;
        if let Some((key, done)) = current {
            rewind.add(&key, done.done()?, emit)?;
        }
        rewind.finish(emit)
    }

    /// The one row that had `key` at the moment, wherever it went since.
    fn one(&self, key: &[u8], emit: &mut impl FnMut(Found) -> Result<()>) -> Result<()> {
        let place = self.place(key)?;
        if place.is_empty() {
            return emit(Found::Changed { place: key.to_vec(), old: vec![] });
        }
        let mut rewind = Rewind::default();
        rewind.add_row_there(key, place, emit)?;
        while let Some((next, id)) = rewind.next().map(|(to, id)| (to.to_vec(), id)) {
            rewind.add_arrivals(self.place(&next)?);
            if !rewind.knows(id) {
                return Err(Unreadable(id).into());
            }
        }
        rewind.finish(emit)
    }

    fn place(&self, key: &[u8]) -> Result<Stretches> {
        let mut place = Place::new(self.deferrable);
        self.each(EVENTS_OF_KEY, Some(key), |key, event| match key {
            Some(_) => Ok(place.apply(event)?),
            None => Err(self.other_key()),
        })?;
        Ok(place.done()?)
    }

    /// Without a key nothing tells equal rows apart, and nothing needs to: what was there is what is
    /// there, and every row before a change, without every row after one.
    fn whole_rows(&self, call: &SetCall) -> Result<()> {
        each(EVENTS_WITHOUT_KEY, &[param(self.versions.clone()), self.at], |row| {
            match row.letter(4) {
                Some(b'I' | b'U' | b'S' | b'B' | b'D') => {}
                Some(b'T') => return Err(self.truncated(row)),
                Some(b'P' | b'R') => return Err(self.paused(row)),
                _ => return Err(self.damaged(row)),
            }
            let reading = self.reading(row)?;
            if row.bytes(0).is_some() || !reading.same_key {
                return Err(self.other_key());
            }
            let (old, new) = (self.old(row, 6, reading)?, self.old(row, 8, reading)?);
            let after = match row.letter(4) {
                Some(b'I') => Some(new.to_vec()),
                Some(b'U' | b'S' | b'B') => Some(overlay(&new, &old).ok_or_else(|| self.damaged(row))?),
                _ => None,
            };
            if row.letter(4) != Some(b'I') {
                put(call, b'G', None, Some(old.to_vec()));
            }
            if after.is_some() {
                put(call, b'N', None, after);
            }
            Ok(())
        })
    }

    fn reading(&self, row: &Row) -> Result<&Reading> {
        let version = row.int4(7).unwrap_or_default();
        self.readings
            .get(&version)
            .ok_or_else(|| Error::internal(format!("version {version} is not of this table")))
    }

    fn old<'r>(&self, row: &Row<'r>, i: usize, reading: &Reading) -> Result<Cow<'r, [u8]>> {
        match row.bytes(i) {
            None => Ok(Cow::Borrowed(&[][..])),
            Some(image) => tidy(image, &reading.renames).ok_or_else(|| self.damaged(row)),
        }
    }

    fn truncated(&self, row: &Row) -> Error {
        let name = &self.table.name;
        let when = crate::pg::datetime::shown(row.int8(3).unwrap_or_default());
        Error::not_in_state(format!("table \"{name}\" cannot be shown as it was before it was truncated"))
            .detail(format!("TRUNCATE was at {when}; the log does not hold the rows it removed."))
            .hint("Ask for a later moment, or look at single changes: dbguard.audit_history, dbguard.audit_changes.")
    }

    fn paused(&self, row: &Row) -> Error {
        let name = &self.table.name;
        let when = crate::pg::datetime::shown(row.int8(3).unwrap_or_default());
        Error::not_in_state(format!("table \"{name}\" cannot be shown as it was before its audit was paused"))
            .detail(format!("It was paused or resumed at {when}; what changed meanwhile is not in the log."))
            .hint("Ask for a later moment, or look at single changes: dbguard.audit_history, dbguard.audit_changes.")
    }

    fn damaged(&self, row: &Row) -> Error {
        let (id, key) = (row.int8(1).unwrap_or_default(), row.bytes(0).unwrap_or_default());
        Error::new(
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            format!("change {id} of table \"{}\" in the audit log cannot be read", self.table.name),
        )
        .detail(format!("It is of key {}.", String::from_utf8_lossy(key)))
    }

    fn other_key(&self) -> Error {
        let name = &self.table.name;
        Error::unsupported(format!("the primary key of table \"{name}\" was another at that moment"))
            .detail("The log names rows by the key the table had when they changed.")
            .hint("Ask for a later moment, or look at single changes: dbguard.audit_history, dbguard.audit_changes.")
    }
}

impl From<Unreadable> for Error {
    fn from(Unreadable(id): Unreadable) -> Error {
        Error::new(
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            format!("change {id} in the audit log cannot be read"),
        )
    }
}
