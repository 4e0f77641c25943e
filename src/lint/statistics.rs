//! The part of the snapshot that the server counted, read when a rule asks for it.

use crate::error::{Error, Result};
use crate::lint::read::rows;
use crate::pg::{compat, guc};
use dbguard_core::lint::catalog::statistics::{
    DatabaseCounters, IndexCounters, Limits, Statistics, TableCounters, Width,
};
use dbguard_core::lint::catalog::CollationVersion;
use pgrx::pg_sys::Oid;
use std::collections::HashMap;
use std::ffi::CStr;

pub fn take() -> Result<Statistics> {
    let mut statistics = database()?;
    if let Some(made) = database_made()? {
        statistics.since = statistics.since.max(made);
    }
    statistics.tables = tables()?;
    statistics.indexes = indexes()?;
    statistics.widths = widths()?;
    Ok(statistics)
}

fn database() -> Result<Statistics> {
    let one = rows(include_str!("sql/statistics_database.sql"), |r| {
        Ok(Statistics {
            since: r.get(1)?,
            standby: r.get(2)?,
            standbys: r.get(3)?,
            database: DatabaseCounters {
                blocks_read: r.get(4)?,
                blocks_hit: r.get(5)?,
                temp_files: r.get(6)?,
                temp_bytes: r.get(7)?,
                deadlocks: r.get(8)?,
            },
            autovacuum: Limits {
                vacuum: (r.get(9)?, r.get(10)?),
                insert: (r.get(11)?, r.get(12)?),
                analyze: (r.get(13)?, r.get(14)?),
            },
            ..Statistics::default()
        })
    })?;
    one.into_iter().next().ok_or_else(|| Error::internal("no statistics of this database"))
}

/// When the database was made, if the role may look at the server's files.
fn database_made() -> Result<Option<i64>> {
    let may = rows(
        "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_stat_file(text, boolean)', 'EXECUTE')",
        |r| r.get::<bool>(1),
    )?;
    if may != [true] {
        return Ok(None);
    }
    Ok(rows(include_str!("sql/database_made.sql"), |r| r.get(1))?.into_iter().next())
}

fn tables() -> Result<HashMap<u32, TableCounters>> {
    let sql = include_str!("sql/statistics_tables.sql").replace("{last_scan}", compat::LAST_SCAN);
    let tables = rows(&sql, |r| {
        let counters = TableCounters {
            seq_scans: r.get(2)?,
            seq_rows: r.get(3)?,
            inserted: r.get(4)?,
            updated: r.get(5)?,
            deleted: r.get(6)?,
            live: r.get(7)?,
            dead: r.get(8)?,
            changed_since_analyze: r.get(9)?,
            inserted_since_vacuum: r.get(10)?,
            last_vacuum: r.maybe(11)?,
            last_analyze: r.maybe(12)?,
            last_seq_scan: r.maybe(13)?,
        };
        Ok((r.oid(1)?, counters))
    })?;
    Ok(tables.into_iter().collect())
}

fn indexes() -> Result<HashMap<u32, IndexCounters>> {
    let sql = include_str!("sql/statistics_indexes.sql").replace("{last_scan}", compat::LAST_SCAN);
    let indexes = rows(&sql, |r| {
        let parent = r.maybe::<Oid>(5)?.map(|o| o.to_u32());
        Ok((
            r.oid(1)?,
            IndexCounters {
                table: r.oid(2)?,
                scans: r.get(3)?,
                last_scan: r.maybe(4)?,
                parent,
                pages: r.get(6)?,
            },
        ))
    })?;
    Ok(indexes.into_iter().collect())
}

/// For queries of pg_stats, joined as the view has them: else the planner asks for the privilege on each column of
/// each index and catalog before it looks which have statistics.
pub const AS_WRITTEN: &[(&CStr, &CStr)] = &[(c"join_collapse_limit", c"1")];

fn widths() -> Result<HashMap<u32, Width>> {
    let widths = || {
        rows(include_str!("sql/statistics_widths.sql"), |r| {
            Ok((r.oid(1)?, Width { bytes: r.get(2)?, nulls: r.get(3)?, columns: r.get(4)? }))
        })
    };
    let widths = guc::with(AS_WRITTEN, widths)?;
    Ok(widths.into_iter().collect())
}

pub fn collations() -> Result<HashMap<u32, CollationVersion>> {
    let versions = rows(include_str!("sql/collations.sql"), |r| {
        let actual: Option<String> = r.maybe(5)?;
        let version = |actual| -> Result<CollationVersion> {
            Ok(CollationVersion { schema: r.get(2)?, name: r.get(3)?, recorded: r.get(4)?, actual })
        };
        Ok((r.oid(1)?, actual.map(version).transpose()?))
    })?;
    Ok(versions.into_iter().filter_map(|(oid, v)| Some((oid, v?))).collect())
}
