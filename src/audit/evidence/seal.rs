//! audit_seal: makes what ended transactions wrote into the next link of the chain; audit_seal_export:
//! the last link, to be kept where nobody here can reach it.

use super::chain;
use super::members::{self, Kind, Members, Stretch, KINDS};
use crate::error::{Error, Result};
use crate::pg::relation::of_ours;
use crate::pg::{identity, lock, xact};
use dbguard_core::seal::{self as pure, Contents, Entry, Seal};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::JsonB;

/// seal, changes, sealed_at, hash
type Row = (i64, i64, TimestampWithTimeZone, String);

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_seal() -> std::result::Result<
    TableIterator<
        'static,
        (name!(seal, i64), name!(changes, i64), name!(sealed_at, TimestampWithTimeZone), name!(hash, String)),
    >,
    ErrorReport,
> {
    Ok(TableIterator::new(seal()?))
}

#[pg_extern(sql = false)]
fn audit_seal_export() -> std::result::Result<Option<JsonB>, ErrorReport> {
    Ok(export()?)
}

fn export() -> Result<Option<JsonB>> {
    const HEAD: &str = "
        SELECT jsonb_build_object('number', number, 'hash', encode(hash, 'hex'), 'changes', changes,
                                  'sealed_at', sealed_at, 'to_xact', to_xact::text, 'home', home)
        FROM dbguard.audit_seal ORDER BY number DESC LIMIT 1";
    chain::need_log()?;
    Ok(Spi::connect(|client| {
        client.select(HEAD, Some(1), &[])?.next().map_or(Ok(None), |row| row.get::<JsonB>(1))
    })?)
}

/// The digest of a record with these fields.
#[pg_extern(sql = false)]
fn audit_digest(fields: pgrx::Array<&[u8]>) -> Vec<u8> {
    let fields: Vec<Option<&[u8]>> = fields.iter().collect();
    pure::digest(fields).to_vec()
}

fn seal() -> Result<Vec<Row>> {
    lock_chain()?;
    let here = identity::database();
    let tables = members::tables()?;
    let ends = chain::ends()?;
    let end = |home: &str| ends.iter().find(|(h, _, _)| h == home).map(|(_, to, closed)| (*to, *closed));

    let mut strangers: Vec<&String> = tables.iter().map(|t| &t.home).filter(|h| **h != here).collect();
    strangers.sort();
    strangers.dedup();
    let mut rows = vec![];
    // a log that came from elsewhere grows no more: what was not sealed there is sealed here, once
    for home in strangers {
        let (from, closed) = end(home).unwrap_or_default();
        if !closed {
            let relations = members::of_home(&tables, home);
            let to = after_last(home, &relations)?.max(from);
            rows.extend(add(&Stretch { home, from, to, relations }, to, true)?);
        }
    }
    let (from, _) = end(&here).unwrap_or_default();
    let (to, next) = all_ended_before()?;
    if to > from {
        let relations = members::of_home(&tables, &here);
        rows.extend(add(&Stretch { home: &here, from, to, relations }, next, false)?);
    }
    Ok(rows)
}

/// Until this transaction ends no other adds to the chain or rewrites a record.
pub fn lock_chain() -> Result<()> {
    chain::need_log()?;
    let table = of_ours(c"audit_seal").ok_or_else(|| Error::internal("table \"audit_seal\" is gone"))?;
    lock::share_row_exclusive(table);
    // whoever has a number of his own reads anew, and not what was before the wait
    xact::top_id();
    Ok(())
}

/// Every transaction with a lower number has ended, prepared ones included, and all that see the log
/// from now on see what those wrote. The second: no transaction had that number or a later one.
fn all_ended_before() -> Result<(u64, u64)> {
    const XMIN: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text";
    let xmin = Spi::connect_mut(|client| client.update(XMIN, Some(1), &[])?.first().get_one::<String>())?;
    let xmin =
        xmin.and_then(|x| x.parse().ok()).ok_or_else(|| Error::internal("the snapshot has no xmin"))?;
    // asked after the snapshot: whoever gets this number or a later one writes when those have ended
    Ok((xmin, xact::next_id()))
}

/// The number after the last transaction of a home that is not this one.
fn after_last(home: &str, relations: &[i32]) -> Result<u64> {
    // every xid8 has a next one here: the last is never given out
    const LAST: &str = "
        SELECT coalesce(max(x.xact::text::numeric), 2) + 1 FROM (
          SELECT max(xact::text::numeric) FROM dbguard.audit_change WHERE relation = ANY ($1)
          UNION ALL SELECT max(xact::text::numeric) FROM dbguard.audit_pack WHERE relation = ANY ($1)
          UNION ALL SELECT max(xact::text::numeric) FROM dbguard.audit_redaction WHERE home = $2) x(xact)";
    let next = Spi::connect_mut(|client| {
        client
            .update(LAST, Some(1), &[relations.to_vec().into(), home.into()])?
            .first()
            .get_one::<AnyNumeric>()
    })?;
    next.and_then(|n| n.to_string().parse().ok())
        .ok_or_else(|| Error::internal("a transaction number is out of range"))
}

/// Seals a stretch; None if there is nothing in it and it is not the last of its home.
fn add(stretch: &Stretch, next_xact: u64, closed: bool) -> Result<Option<Row>> {
    const NUMBER: &str = "
        SELECT 1 + greatest((SELECT max(number) FROM dbguard.audit_seal), (SELECT max(seal) FROM dbguard.audit_seal_record), 0)";
    let number = Spi::connect_mut(|client| client.update(NUMBER, Some(1), &[])?.first().get_one::<i64>())?
        .unwrap_or(1);
    let mut writer = Writer { seal: number, parts: 0, contents: Contents::default() };
    let (mut changes, mut first_id, mut last_id, mut records) = (0i64, None, None, 0i64);
    for kind in KINDS {
        let mut members = Members::of(kind, stretch, true)?;
        let mut part = vec![];
        while let Some(found) = members.next()? {
            if kind == Kind::Change {
                changes += 1;
                first_id = first_id.or(Some(found.entry.id));
                last_id = Some(found.entry.id);
            }
            records += 1;
            part.push(found.entry);
            if part.len() == pure::PART {
                writer.write(kind, &part)?;
                part.clear();
            }
        }
        writer.write(kind, &part)?;
    }
    if records == 0 && !closed {
        return Ok(None);
    }
    let (sealed_at, epoch) = clock()?;
    let seal = Seal {
        number,
        sealed_at: epoch,
        home: stretch.home.to_owned(),
        from_xact: stretch.from,
        to_xact: stretch.to,
        next_xact,
        closed,
        changes,
        first_id,
        last_id,
        contents: writer.contents.hash().to_vec(),
        previous: chain::head()?.map(|link| link.hash),
    };
    let hash = chain::add(&seal, sealed_at)?;
    Ok(Some((number, changes, sealed_at, hash)))
}

struct Writer {
    seal: i64,
    parts: i32,
    contents: Contents,
}

impl Writer {
    fn write(&mut self, kind: Kind, entries: &[Entry]) -> Result<()> {
        // DO NOTHING so that it is 40001 when another session was faster and cannot be seen
        const WRITE: &str = "
            INSERT INTO dbguard.audit_seal_record (seal, part, kind, hash, data) VALUES ($1, $2, $3::\"char\", $4, $5)
            ON CONFLICT (seal, part) DO NOTHING";
        if entries.is_empty() {
            return Ok(());
        }
        self.parts += 1;
        let data = pure::encode(entries);
        let hash = pure::part_hash(&data);
        self.contents.part(kind.letter(), &hash);
        Spi::connect_mut(|client| {
            let args = [
                self.seal.into(),
                self.parts.into(),
                (kind.letter() as char).to_string().into(),
                hash.to_vec().into(),
                data.into(),
            ];
            client.update(WRITE, None, &args).map(|_| ())
        })?;
        Ok(())
    }
}

/// When this transaction began, and the same as the chain hashes it. Not later than its snapshot: so what
/// a transaction changed that had not begun by then is later than this.
fn clock() -> Result<(TimestampWithTimeZone, String)> {
    const CLOCK: &str = "SELECT now(), extract(epoch FROM now())::text";
    let (at, epoch) = Spi::connect_mut(|client| {
        client.update(CLOCK, Some(1), &[])?.first().get_two::<TimestampWithTimeZone, String>()
    })?;
    at.zip(epoch).ok_or_else(|| Error::internal("the clock gives no time"))
}
