//! audit_export: the log as JSON lines, streamed.

use crate::audit::choose::audited;
use crate::audit::store::lineage;
use crate::audit::write::record;
use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::relation::of_ours;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::collections::VecDeque;

/// Rows may be large: what is fetched at once is all that is in memory.
const AT_ONCE: i64 = 20;

#[pg_extern(sql = false)]
fn audit_export(
    since: Option<TimestampWithTimeZone>,
    until: Option<TimestampWithTimeZone>,
    relation: Option<Oid>,
) -> std::result::Result<SetOfIterator<'static, String>, ErrorReport> {
    Ok(SetOfIterator::new(Lines::open(since, until, relation)?))
}

/// The lines of an export. A cursor of the transaction reads them from the log a few at a time.
struct Lines {
    cursor: Option<String>,
    fetched: VecDeque<String>,
}

impl Lines {
    /// Read with the caller's rights: who may read the view may export it.
    fn open(
        since: Option<TimestampWithTimeZone>,
        until: Option<TimestampWithTimeZone>,
        relation: Option<Oid>,
    ) -> Result<Lines> {
        const LINES: &str = "
            SELECT row_to_json(l)::text
            FROM dbguard.audit_log l
            WHERE ($1 IS NULL OR l.at >= $1) AND ($2 IS NULL OR l.at < $2) AND ($3 IS NULL OR l.lineage = $3)
            ORDER BY l.id";
        if of_ours(c"audit_log").is_none() {
            return Err(record::no_log());
        }
        // a table the log does not know has no lines
        let lineage = relation.map(|oid| Ok::<_, Error>(lineage_of(oid)?.unwrap_or(0))).transpose()?;
        let cursor = Spi::connect(|client| {
            client.open_cursor(LINES, &[since.into(), until.into(), lineage.into()]).detach_into_name()
        });
        Ok(Lines { cursor: Some(cursor), fetched: VecDeque::new() })
    }

    fn fetch(&mut self) -> Result<()> {
        let Some(name) = self.cursor.take() else { return Ok(()) };
        // each connection frees what it fetched
        let (rows, left) = Spi::connect(|client| -> std::result::Result<_, pgrx::spi::Error> {
            let mut cursor = client.find_cursor(&name)?;
            let rows: Vec<Option<String>> = cursor
                .fetch(AT_ONCE)?
                .map(|row| row.get::<String>(1))
                .collect::<std::result::Result<_, _>>()?;
            let left = (rows.len() as i64 == AT_ONCE).then(|| cursor.detach_into_name());
            Ok((rows, left))
        })?;
        self.cursor = left;
        self.fetched.extend(rows.into_iter().flatten());
        Ok(())
    }
}

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.fetched.is_empty() {
            if let Err(e) = self.fetch() {
                e.raise();
            }
        }
        self.fetched.pop_front()
    }
}

fn lineage_of(relation: Oid) -> Result<Option<i32>> {
    let table = catalog::relation(relation)?;
    let log = of_ours(c"audit_relation").ok_or_else(record::no_log)?;
    let owner = catalog::relation(log)?.owner;
    as_role(owner, Fence::Local, || lineage::of(&table, &audited::home(&table)))
}
