//! The sets: what was registered, and what the catalogs say of it now.

use crate::error::{Error, Result};
use dbguard_core::partition::retire::before;
use dbguard_core::partition::{grid::Grid, plan, width::Width, zone::Zone, Key, Micros, Range};
use pgrx::datum::Interval;
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

/// A row of dbguard.partition_set.
pub struct Registered {
    pub schema: String,
    pub name: String,
    pub options: Options,
    pub state: State,
}

/// What users choose.
#[derive(Clone)]
pub struct Options {
    pub every: Interval,
    pub ahead: i32,
    pub zone: String,
}

pub enum State {
    Live(Box<Set>),
    /// The table is no longer there.
    Gone,
    /// The table is there, but cannot be partitioned as registered.
    Broken(pg_sys::Oid, Error),
}

/// A set that can be worked on.
pub struct Set {
    pub parent: pg_sys::Oid,
    pub schema: String,
    pub name: String,
    pub owner: pg_sys::Oid,
    pub grid: Grid,
    pub ahead: u32,
    pub existing: Vec<Range>,
    /// now(), in UTC
    pub now: Micros,
    /// What ends at or before this is not kept, on the key's clock.
    pub cutoff: Option<Micros>,
}

impl Set {
    /// The ranges to make, ascending: none only to be retired at once.
    pub fn missing(&self) -> Result<Vec<Range>> {
        let mut missing = plan::missing(&self.grid, self.now, self.ahead, &self.existing)?;
        missing.retain(|range| self.cutoff.is_none_or(|cutoff| range.to > cutoff));
        Ok(missing)
    }
}

/// Which table each row means. A set is known by its OID, so that a rename does not lose it; in
/// another database than the one it was registered in by its name, since the OID is another's.
pub const KNOWN: &str = "
WITH known AS (
  SELECT s.*, coalesce(
           (SELECT c.oid FROM pg_class c WHERE c.oid = s.parent AND s.home = $1),
           (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = s.schema_name AND c.relname = s.table_name
              AND s.home <> $1 AND c.relkind = 'p'
              AND NOT EXISTS (SELECT FROM dbguard.partition_set o WHERE o.parent = c.oid AND o.home = $1))
         ) AS found
  FROM dbguard.partition_set s
)";

/// All sets, or the one of table $2. Bounds come as nodes: pg_get_expr would wait for whoever has
/// locked a partition.
const LOAD: &str = "
SELECT k.schema_name::text, k.table_name::text, k.every, k.ahead, k.zone, k.found,
       n.nspname::text, c.relname::text, c.relowner,
       p.partstrat::text, p.partnatts::int, a.attname::text, a.atttypid, format_type(a.atttypid, NULL),
       ARRAY(SELECT r.relpartbound::text
             FROM pg_inherits i JOIN pg_class r ON r.oid = i.inhrelid
             WHERE i.inhparent = k.found AND c.relkind = 'p'),
       (extract(epoch FROM now() - '2000-01-01 00:00:00+00'::timestamptz) * 1000000)::int8, k.retain
FROM known k
LEFT JOIN pg_class c ON c.oid = k.found
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_partitioned_table p ON p.partrelid = k.found
LEFT JOIN pg_attribute a ON a.attrelid = k.found AND a.attnum = p.partattrs[0]
WHERE $2 IS NULL OR k.found = $2
ORDER BY 1, 2";

pub fn load(parent: Option<pg_sys::Oid>) -> Result<Vec<Registered>> {
    let home = crate::pg::identity::database();
    Spi::connect(|client| {
        let mut sets = Vec::new();
        for row in client.select(format!("{KNOWN}{LOAD}").as_str(), None, &[home.into(), parent.into()])? {
            sets.push(read(&row)?);
        }
        Ok(sets)
    })
}

/// The set of one table, if it is registered.
pub fn of(parent: pg_sys::Oid) -> Result<Option<Registered>> {
    Ok(load(Some(parent))?.pop())
}

/// The set of one table; an error says why it cannot be worked on.
pub fn live(parent: pg_sys::Oid) -> Result<Set> {
    match of(parent)?.map(|registered| registered.state) {
        Some(State::Live(set)) => Ok(*set),
        Some(State::Broken(_, error)) => Err(error),
        Some(State::Gone) | None => Err(Error::internal("the set was removed by another session")),
    }
}

fn read(row: &SpiHeapTupleData) -> Result<Registered> {
    let lost = || Error::internal("a row of dbguard.partition_set is incomplete");
    let options = Options {
        every: row.get(3)?.ok_or_else(lost)?,
        ahead: row.get(4)?.ok_or_else(lost)?,
        zone: row.get(5)?.ok_or_else(lost)?,
    };
    let state = match row.get::<pg_sys::Oid>(6)? {
        None => State::Gone,
        Some(parent) => match set(row, parent, &options) {
            Ok(set) => State::Live(Box::new(set)),
            Err(error) => State::Broken(parent, error),
        },
    };
    Ok(Registered {
        schema: row.get(1)?.ok_or_else(lost)?,
        name: row.get(2)?.ok_or_else(lost)?,
        options,
        state,
    })
}

fn set(row: &SpiHeapTupleData, parent: pg_sys::Oid, options: &Options) -> Result<Set> {
    let lost = || Error::internal("a row of pg_class is incomplete");
    let name: String = row.get(8)?.ok_or_else(lost)?;
    let key = key(row, &name)?;
    let every = &options.every;
    let grid = Grid {
        key,
        width: Width::new(key, every.months(), every.days(), every.micros())?,
        zone: zone(&options.zone)?,
    };
    let texts: Vec<Option<String>> = row.get(15)?.unwrap_or_default();
    let mut existing = Vec::with_capacity(texts.len());
    for text in texts.iter().flatten() {
        existing.extend(crate::pg::bounds::range(text));
    }
    let now: Micros = row.get(16)?.ok_or_else(lost)?;
    let cutoff = row.get::<Interval>(17)?.map(|retain| -> Result<_> {
        let at = before(&grid.zone, now, retain.months(), retain.days(), retain.micros())?;
        Ok(grid.clock(at)?)
    });
    Ok(Set {
        parent,
        schema: row.get(7)?.ok_or_else(lost)?,
        name,
        owner: row.get(9)?.ok_or_else(lost)?,
        grid,
        ahead: options.ahead.unsigned_abs(),
        existing,
        now,
        cutoff: cutoff.transpose()?,
    })
}

fn zone(name: &str) -> Result<Zone> {
    Zone::named(name).map_err(|_| {
        Error::invalid_parameter(format!("time zone \"{name}\" not recognized"))
            .hint("Give the name of a region, such as 'Europe/Berlin', or 'UTC'. See pg_timezone_names.")
    })
}

/// The type of the partition key, if it is one we can make ranges of.
fn key(row: &SpiHeapTupleData, name: &str) -> Result<Key> {
    const WANTED: &str =
        "Create the table with PARTITION BY RANGE on one column of type date, timestamp or timestamptz.";
    let Some(strategy) = row.get::<String>(10)? else {
        return Err(Error::wrong_object_type(format!("\"{name}\" is not partitioned")).hint(WANTED));
    };
    let refuse = |what: String| Err(Error::unsupported(what).hint(WANTED));
    match strategy.as_str() {
        "r" => {}
        "l" => return refuse(format!("\"{name}\" is partitioned by list")),
        _ => return refuse(format!("\"{name}\" is partitioned by hash")),
    }
    if row.get::<i32>(11)? != Some(1) {
        return refuse(format!("\"{name}\" has more than one partition key column"));
    }
    let Some(column) = row.get::<String>(12)? else {
        return refuse(format!("the partition key of \"{name}\" is an expression"));
    };
    match row.get::<pg_sys::Oid>(13)? {
        Some(pg_sys::DATEOID) => Ok(Key::Date),
        Some(pg_sys::TIMESTAMPOID) => Ok(Key::Timestamp),
        Some(pg_sys::TIMESTAMPTZOID) => Ok(Key::Timestamptz),
        _ => {
            let kind = row.get::<String>(14)?.unwrap_or_default();
            refuse(format!("partition key column \"{column}\" of \"{name}\" is of type {kind}"))
        }
    }
}
