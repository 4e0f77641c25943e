//! What the server counted. Times are microseconds since 1970-01-01 UTC.

use crate::lint::catalog::Oid;
use std::collections::HashMap;

#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// From when on the counters of this database count.
    pub since: i64,
    /// This server is a standby: what it counted is only its own part of the work.
    pub standby: bool,
    /// Physical standbys that stream from this server, or have a slot on it.
    pub standbys: i64,
    pub database: DatabaseCounters,
    pub tables: HashMap<Oid, TableCounters>,
    pub indexes: HashMap<Oid, IndexCounters>,
    /// Large tables only: what ANALYZE says of the width of a row.
    pub widths: HashMap<Oid, Width>,
    pub autovacuum: Limits,
}

#[derive(Debug, Clone, Default)]
pub struct DatabaseCounters {
    pub blocks_read: i64,
    pub blocks_hit: i64,
    pub temp_files: i64,
    pub temp_bytes: i64,
    pub deadlocks: i64,
}

#[derive(Debug, Clone, Default)]
pub struct TableCounters {
    pub seq_scans: i64,
    pub seq_rows: i64,
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
    pub live: i64,
    pub dead: i64,
    pub changed_since_analyze: i64,
    pub inserted_since_vacuum: i64,
    /// By hand or by autovacuum, whichever came later.
    pub last_vacuum: Option<i64>,
    pub last_analyze: Option<i64>,
    /// Before 16 nobody knows.
    pub last_seq_scan: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub struct IndexCounters {
    pub table: Oid,
    pub scans: i64,
    /// Before 16 nobody knows.
    pub last_scan: Option<i64>,
    /// The index of the partitioned parent.
    pub parent: Option<Oid>,
    pub pages: i64,
}

#[derive(Debug, Clone, Default)]
pub struct Width {
    /// Of all columns together, NULLs counted as nothing.
    pub bytes: f64,
    pub nulls: bool,
    /// How many columns were analyzed.
    pub columns: i64,
}

/// When autovacuum steps in: so many rows, and such a share of the table.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub vacuum: (f64, f64),
    pub insert: (f64, f64),
    pub analyze: (f64, f64),
}

impl Statistics {
    pub fn days(&self, now: i64) -> f64 {
        days(self.since, now)
    }

    /// Scans of a table's indexes, by table.
    pub fn index_scans(&self) -> HashMap<Oid, i64> {
        let mut scans = HashMap::new();
        for i in self.indexes.values() {
            *scans.entry(i.table).or_default() += i.scans;
        }
        scans
    }
}

pub fn days(from: i64, to: i64) -> f64 {
    (to - from).max(0) as f64 / crate::lint::bounds::DAY as f64
}
