//! The sets: what was registered, and what the catalogs say of it now.

use super::extra::Extra;
use crate::error::{Error, Result};
use crate::pg::{bounds, clock};
use crate::settings::PARTITION_CLOCK;
use dbguard_core::partition::retire::before;
use dbguard_core::partition::{
    self, bound::Unit, civil, grid::Grid, plan, width::Width, zone::Zone, Key, Micros, Range,
};
use pgrx::datum::Interval;
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

/// A row of dbguard.partition_set.
pub struct Registered {
    pub schema: String,
    pub name: String,
    pub options: Options,
    /// The table goes by another name, or is another, than is stored.
    pub moved: bool,
    pub state: State,
}

impl Registered {
    /// Whether its partitions are made with exactly this.
    pub fn has(&self, extra: &Extra) -> bool {
        matches!(&self.state, State::Live(set) if set.extra == *extra)
    }
}

/// What users choose.
#[derive(Clone)]
pub struct Options {
    pub every: Interval,
    pub ahead: i32,
    pub zone: String,
    /// What the clock of the zone reads at a point of the grid, where it is not the calendar's.
    pub anchor: Option<Micros>,
    /// What a number key counts.
    pub key_unit: Option<String>,
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
    /// now() or the rehearsal's clock, in UTC
    pub now: Micros,
    /// What ends at or before this is not kept, on the key's clock.
    pub cutoff: Option<Micros>,
    pub extra: Extra,
}

impl Set {
    /// The ranges to make, ascending: none only to be retired at once.
    pub fn missing(&self) -> Result<Vec<Range>> {
        self.missing_since(0)
    }

    /// The same when so many ranges before the one that holds now are to exist.
    pub fn missing_since(&self, behind: u32) -> Result<Vec<Range>> {
        let mut missing = plan::missing_since(&self.grid, self.now, behind, self.ahead, &self.existing)?;
        missing.retain(|range| self.cutoff.is_none_or(|cutoff| range.to > cutoff));
        Ok(missing)
    }
}

/// Which table each row means. A set is known by its OID, so that a rename does not lose it; in
/// another database than the one it was registered in by its name, since the OID is another's.
/// Materialized, lest each use of `found` looks anew.
pub const KNOWN: &str = "
WITH known AS MATERIALIZED (
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
/// locked a partition. OFFSET 0 has the catalogs looked up by key for each set: the planner would
/// rather read all of pg_attribute once there are some sets.
const LOAD: &str = "
SELECT k.schema_name::text, k.table_name::text, k.every, k.ahead, k.zone, k.found,
       c.nspname::text, c.relname::text, c.relowner,
       p.partstrat::text, p.partnatts::int, a.attname::text, a.atttypid, format_type(a.atttypid, NULL),
       b.bounds,
       coalesce($3, (extract(epoch FROM now() - '2000-01-01 00:00:00+00'::timestamptz) * 1000000)::int8),
       (extract(epoch FROM k.anchor - '2000-01-01 00:00:00'::timestamp) * 1000000)::int8, k.key_unit,
       p.partcollation[0],
       b.partitions,
       k.retain, k.storage_options, k.unique_on, k.policies, k.sub_by, k.sub_count,
       (k.schema_name, k.table_name, k.parent, k.home) IS DISTINCT FROM (c.nspname, c.relname, k.found, $1)
FROM known k
LEFT JOIN LATERAL (SELECT n.nspname, r.relname, r.relowner, r.relkind
                   FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
                   WHERE r.oid = k.found OFFSET 0) c ON true
LEFT JOIN LATERAL (SELECT * FROM pg_partitioned_table WHERE partrelid = k.found OFFSET 0) p ON true
LEFT JOIN LATERAL (SELECT attname, atttypid FROM pg_attribute
                   WHERE attrelid = k.found AND attnum = p.partattrs[0] OFFSET 0) a ON true
LEFT JOIN LATERAL (SELECT array_agg(r.relpartbound::text) AS bounds, array_agg(r.oid) AS partitions
                   FROM pg_inherits i JOIN pg_class r ON r.oid = i.inhrelid
                   WHERE i.inhparent = k.found AND c.relkind = 'p') b ON true
WHERE $2 IS NULL OR k.found = $2
ORDER BY 1, 2";

pub fn load(parent: Option<pg_sys::Oid>) -> Result<Vec<Registered>> {
    let home = crate::pg::identity::database();
    let now = clock::read(&PARTITION_CLOCK);
    Spi::connect(|client| {
        let mut sets = Vec::new();
        let args = [home.into(), parent.into(), now.into()];
        for row in client.select(format!("{KNOWN}{LOAD}").as_str(), None, &args)? {
            sets.push(read(&row)?);
        }
        Ok(sets)
    })
}

/// The set of one table, if it is registered.
pub fn of(parent: pg_sys::Oid) -> Result<Option<Registered>> {
    Ok(load(Some(parent))?.pop())
}

/// The name under which a table is registered, if it is.
pub fn stored(parent: pg_sys::Oid) -> Result<Option<(String, String)>> {
    const NAME: &str = "SELECT schema_name::text, table_name::text FROM known WHERE found = $2";
    Spi::connect(|client| {
        let args = [crate::pg::identity::database().into(), parent.into()];
        let row = client.select(format!("{KNOWN}{NAME}").as_str(), Some(1), &args)?.first();
        if row.is_empty() {
            return Ok(None);
        }
        let (schema, name) = row.get_two()?;
        Ok(schema.zip(name))
    })
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
        anchor: row.get(17)?,
        key_unit: row.get(18)?,
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
        moved: row.get(27)?.unwrap_or(false),
        state,
    })
}

fn set(row: &SpiHeapTupleData, parent: pg_sys::Oid, options: &Options) -> Result<Set> {
    let lost = || Error::internal("a row of pg_class is incomplete");
    let name: String = row.get(8)?.ok_or_else(lost)?;
    let key = key(row, &name, options)?;
    let every = &options.every;
    let width = Width::new(key, every.months(), every.days(), every.micros())?;
    let grid = Grid::new(key, width, zone(&options.zone)?, options.anchor)?;
    let existing = existing(row, key)?;
    let now: Micros = row.get(16)?.ok_or_else(lost)?;
    let cutoff = row.get::<Interval>(21)?.map(|retain| -> Result<_> {
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
        extra: Extra {
            storage_options: row.get(22)?.unwrap_or_default(),
            unique_on: row.get(23)?.unwrap_or_default(),
            policies: row.get(24)?.unwrap_or(false),
            sub_by: row.get(25)?,
            sub_count: row.get(26)?,
        },
    })
}

/// The ranges there are. One that cannot be told in time would make all others wrong.
fn existing(row: &SpiHeapTupleData, key: Key) -> Result<Vec<Range>> {
    let texts: Vec<Option<String>> = row.get(15)?.unwrap_or_default();
    let partitions: Vec<Option<pg_sys::Oid>> = row.get(20)?.unwrap_or_default();
    let mut existing = Vec::with_capacity(texts.len());
    for (text, partition) in texts.iter().zip(partitions) {
        let Some(bounds) = text.as_deref().and_then(bounds::range) else { continue };
        let Some(range) = key.range(&bounds) else {
            let sql = "SELECT relname::text FROM pg_class WHERE oid = $1";
            let name = Spi::connect(|client| {
                client.select(sql, Some(1), &[partition.into()])?.first().get_one::<String>()
            });
            let name = name?.unwrap_or_default();
            return Err(Error::not_in_state(format!("a bound of partition \"{name}\" is not a time"))
                .hint("Detach it, or attach it with bounds that are the first values of a time."));
        };
        existing.push(range);
    }
    Ok(existing)
}

fn zone(name: &str) -> Result<Zone> {
    Zone::named(name).map_err(|_| {
        Error::invalid_parameter(format!("time zone \"{name}\" not recognized"))
            .hint("Give the name of a region, such as 'Europe/Berlin', or 'UTC'. See pg_timezone_names.")
    })
}

/// What users give as a point of the grid: what the zone's clock reads, or a moment.
pub fn anchor(text: &str, zone_name: &str) -> Result<Micros> {
    match civil::parse(text).ok_or(partition::Error::AnchorUnreadable)? {
        civil::Written::Reading(read) => Ok(read),
        civil::Written::Moment(at) => Ok(zone(zone_name)?.read(at)?),
    }
}

/// The type of the partition key, if it is one we can make ranges of.
fn key(row: &SpiHeapTupleData, name: &str, options: &Options) -> Result<Key> {
    const WANTED: &str =
        "Create the table with PARTITION BY RANGE on one column of type date, timestamp, timestamptz, \
                          bigint, uuid, or text COLLATE \"C\".";
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
    let kind = row.get::<String>(14)?.unwrap_or_default();
    let of_type = format!("partition key column \"{column}\" of \"{name}\" is of type {kind}");
    let key = match row.get::<pg_sys::Oid>(13)? {
        Some(pg_sys::DATEOID) => Key::Date,
        Some(pg_sys::TIMESTAMPOID) => Key::Timestamp,
        Some(pg_sys::TIMESTAMPTZOID) => Key::Timestamptz,
        Some(pg_sys::INT8OID) => return unit(options, of_type).map(Key::Epoch),
        Some(pg_sys::UUIDOID) => Key::Uuid,
        Some(pg_sys::TEXTOID | pg_sys::VARCHAROID) => {
            if row.get::<pg_sys::Oid>(19)? != Some(C_COLLATION) {
                return Err(Error::unsupported(format!("{of_type} and not in the order of its bytes"))
                    .hint("Create the column, or the partition key, with COLLATE \"C\"."));
            }
            Key::Ulid
        }
        _ => return refuse(of_type),
    };
    match options.key_unit {
        None => Ok(key),
        Some(_) => Err(Error::invalid_parameter("key_unit is for keys of type bigint")
            .detail(format!("The {of_type}."))
            .hint("Leave key_unit out.")),
    }
}

/// pg_collation's "C", which has the same OID everywhere.
const C_COLLATION: pg_sys::Oid = pg_sys::Oid::from_u32(950);

/// What a bigint key counts.
fn unit(options: &Options, of_type: String) -> Result<Unit> {
    const UNITS: &str = "Give key_unit => 's', 'ms', 'us' or 'ns': what the key counts since 1970.";
    let Some(name) = &options.key_unit else {
        return Err(Error::invalid_parameter(of_type).hint(UNITS));
    };
    Unit::named(name).ok_or_else(|| {
        Error::invalid_parameter(format!("invalid value for \"key_unit\": \"{name}\"")).hint(UNITS)
    })
}
