//! The life of one row in the log: all changes under its key, and under the keys it had before and
//! after, as long as they were its own.

use crate::error::Result;
use crate::pg::snapshot::fresh;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::BTreeMap;

/// A change of that life.
pub struct Change {
    pub id: i64,
    pub at: TimestampWithTimeZone,
    xact: String,
    /// As audit_change has it.
    op: char,
    pub table: String,
    key: Option<String>,
    old_key: Option<String>,
    /// The pack it is in.
    pub pack: Option<i64>,
    pub digest: Vec<u8>,
    /// Which of the columns asked for have a value in it.
    pub columns: Vec<String>,
}

macro_rules! changes {
    ($condition:literal) => {
        concat!(
            "SELECT c.id, c.at, c.op::text, format('%I.%I', r.schema_name, r.table_name), c.key, c.old_key, c.pack, c.digest,
                    dbguard._audit_redactable(c.old, c.new, $2), c.xact::text
             FROM dbguard.audit_record c JOIN dbguard.audit_relation r ON r.id = c.relation
             WHERE r.lineage = $1 AND ",
            $condition,
            " ORDER BY max(c.id) OVER (PARTITION BY c.xact), c.at, c.id"
        )
    };
}

const BY_KEY: &str = changes!("(c.key = $3 OR c.old_key = $3)");
const BY_VALUES: &str = changes!("(c.old @> $3::jsonb OR c.new @> $3::jsonb)");
const BY_TENANT: &str = changes!("c.tenant = $3");

/// `key` as the log holds it.
pub fn of_key(lineage: i32, key: &str, columns: &[String]) -> Result<Vec<Change>> {
    let mut life = BTreeMap::new();
    let mut open = vec![];
    let changes = by_key(lineage, key, columns)?;
    for change in changes {
        open.extend(change.neighbours(key));
        life.insert(change.id, change);
    }
    while let Some(side) = open.pop() {
        let mut changes = by_key(lineage, side.key(), columns)?;
        match &side {
            Side::Before { pivot, .. } => {
                changes.retain(|c| c.is_before(pivot));
                changes.reverse();
            }
            Side::After { pivot, .. } => changes.retain(|c| !c.is_before(pivot) && c.id != pivot.id),
        }
        for change in changes {
            let (mine, last) = side.reads(&change);
            if mine {
                if last {
                    open.extend(change.neighbours(side.key()).into_iter().filter(|next| next.goes_on(&side)));
                }
                life.insert(change.id, change);
            }
            if last {
                break;
            }
        }
    }
    Ok(life.into_values().collect())
}

/// For a table without a key: the changes whose row, before or after, holds these values.
pub fn of_values(lineage: i32, values: &str, columns: &[String]) -> Result<Vec<Change>> {
    select(BY_VALUES, lineage, values, columns)
}

/// The changes that carry a tenant.
pub fn of_tenant(lineage: i32, tenant: &str, columns: &[String]) -> Result<Vec<Change>> {
    select(BY_TENANT, lineage, tenant, columns)
}

fn by_key(lineage: i32, key: &str, columns: &[String]) -> Result<Vec<Change>> {
    select(BY_KEY, lineage, key, columns)
}

/// A key the row had before, or after, a change.
enum Side {
    Before { key: String, pivot: Pivot },
    After { key: String, pivot: Pivot },
}

/// A change, as others are put in order with it.
struct Pivot {
    id: i64,
    xact: String,
    at: TimestampWithTimeZone,
}

impl Side {
    fn key(&self) -> &str {
        match self {
            Side::Before { key, .. } | Side::After { key, .. } => key,
        }
    }

    fn goes_on(&self, other: &Side) -> bool {
        matches!(
            (self, other),
            (Side::Before { .. }, Side::Before { .. }) | (Side::After { .. }, Side::After { .. })
        )
    }

    /// Reading away from where the row is known: whether a change is of this row still, and whether
    /// it is where the row got the key, or lost it.
    fn reads(&self, change: &Change) -> (bool, bool) {
        let key = Some(self.key());
        let moved = change.old_key.is_some();
        let begins = change.key.as_deref() == key && (change.op == 'I' || moved);
        let ends = (change.key.as_deref() == key && change.op == 'D') || change.old_key.as_deref() == key;
        match self {
            Side::Before { .. } => (begins || !ends, begins || ends),
            Side::After { .. } => (ends || !begins, begins || ends),
        }
    }
}

impl Change {
    fn pivot(&self) -> Pivot {
        Pivot { id: self.id, xact: self.xact.clone(), at: self.at }
    }

    /// Transactions came to a row in the order of their ids, which are drawn with the row locked; within
    /// one, a trigger's changes may have lower ids than those of the statement that fired it.
    fn is_before(&self, pivot: &Pivot) -> bool {
        if self.xact == pivot.xact {
            (self.at, self.id) < (pivot.at, pivot.id)
        } else {
            self.id < pivot.id
        }
    }

    /// Where the row goes on from here under another key than `key`.
    fn neighbours(&self, key: &str) -> Vec<Side> {
        match (&self.key, &self.old_key) {
            (Some(new), Some(old)) if new == key => {
                vec![Side::Before { key: old.clone(), pivot: self.pivot() }]
            }
            (Some(new), Some(old)) if old == key => {
                vec![Side::After { key: new.clone(), pivot: self.pivot() }]
            }
            _ => vec![],
        }
    }
}

fn select(query: &str, lineage: i32, wanted: &str, columns: &[String]) -> Result<Vec<Change>> {
    // what was committed while we waited for the lock is seen
    let read = |client: &SpiClient| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let args: [DatumWithOid; 3] = [lineage.into(), columns.to_vec().into(), wanted.into()];
        let change = |row: pgrx::spi::SpiHeapTupleData| {
            Ok(row.get(2)?.map(|at| -> std::result::Result<Change, pgrx::spi::Error> {
                Ok(Change {
                    id: row.get(1)?.unwrap_or_default(),
                    at,
                    op: row.get::<String>(3)?.and_then(|op| op.chars().next()).unwrap_or('X'),
                    table: row.get(4)?.unwrap_or_default(),
                    key: row.get(5)?,
                    old_key: row.get(6)?,
                    pack: row.get(7)?,
                    digest: row.get(8)?.unwrap_or_default(),
                    columns: row.get(9)?.unwrap_or_default(),
                    xact: row.get(10)?.unwrap_or_default(),
                })
            }))
        };
        client.select(query, None, &args)?.map(change).collect()
    };
    let rows = fresh(|| Spi::connect(read))?;
    Ok(rows.into_iter().flatten().collect::<std::result::Result<_, _>>()?)
}

impl Change {
    /// As the log's view says it.
    pub fn op_word(&self) -> &'static str {
        match self.op {
            'I' => "INSERT",
            'U' => "UPDATE",
            'D' => "DELETE",
            'T' => "TRUNCATE",
            'S' => "SOFT DELETE",
            'B' => "RESTORE",
            'P' => "PAUSE",
            'R' => "RESUME",
            _ => "UNREADABLE",
        }
    }

    pub fn key(&self) -> Option<String> {
        self.key.clone()
    }
}
