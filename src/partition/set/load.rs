//! Reading the sets: what was registered, and what the catalogs say of it now.

use super::key::key;
use super::{zone, Options, Partition, Registered, Set, State};
use crate::error::{Error, Result};
use crate::partition::extra::Extra;
use crate::partition::retention::{Retention, Retire};
use crate::pg::kept::Kept;
use crate::pg::{clock, relation};
use crate::settings::PARTITION_CLOCK;
use dbguard_core::partition::retire::before;
use dbguard_core::partition::{grid::Grid, node, width::Width, Key, Micros};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

/// Which table each row means. A set is known by its OID, so that a rename does not lose it; in
/// another database than the one it was registered in by its name, since the OID is another's.
/// Materialized, lest each use of `found` looks anew. All sets, or those that may be table $2.
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
  WHERE $2 IS NULL OR s.parent = $2 OR s.home <> $1
)";

/// The arguments of KNOWN for all sets of the database `home`.
pub fn every(home: &str) -> [DatumWithOid<'_>; 2] {
    [home.into(), None::<pg_sys::Oid>.into()]
}

/// All sets, or the one of table $2. OFFSET 0 has the catalogs looked up by key for each set: the planner would
/// rather read all of pg_attribute once there are some sets.
const LOAD: &str = "
SELECT k.schema_name::text, k.table_name::text, k.every, k.ahead, k.zone, k.found,
       c.nspname::text, c.relname::text, c.relowner,
       p.partstrat::text, p.partnatts::int, p.partcollation[0] AS partcollation,
       a.attname::text, a.atttypid, format_type(a.atttypid, NULL) AS type,
       $3 AS clock, (extract(epoch FROM now() - '2000-01-01 00:00:00+00'::timestamptz) * 1000000)::int8 AS real,
       (extract(epoch FROM k.anchor - '2000-01-01 00:00:00'::timestamp) * 1000000)::int8 AS anchor, k.key_unit,
       k.retain, k.retain_bytes, k.retain_at_least, k.retire, k.retire_schema::text, k.grace,
       k.archive_schema::text, k.archive_name::text,
       k.storage_options, k.unique_on, k.policies, k.sub_by, k.sub_count,
       (k.schema_name, k.table_name, k.parent, k.home) IS DISTINCT FROM (c.nspname, c.relname, k.found, $1) AS moved,
       row(k, c, p, a)::text AS print";

const FROM: &str = "
FROM known k
LEFT JOIN LATERAL (SELECT n.nspname, r.relname, r.relowner, r.relkind
                   FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
                   WHERE r.oid = k.found OFFSET 0) c ON true
LEFT JOIN LATERAL (SELECT * FROM pg_partitioned_table WHERE partrelid = k.found OFFSET 0) p ON true
LEFT JOIN LATERAL (SELECT attname, atttypid FROM pg_attribute
                   WHERE attrelid = k.found AND attnum = p.partattrs[0] OFFSET 0) a ON true";

const CHOSEN: &str = "
WHERE $2 IS NULL OR k.found = $2
ORDER BY 1, 2";

/// Of about so many partitions the server may keep what it has looked up, some hundred bytes of each.
const CACHED: usize = 2000;

pub fn load(parent: Option<pg_sys::Oid>) -> Result<Vec<Registered>> {
    let home = crate::pg::identity::database();
    let now = clock::read(&PARTITION_CLOCK);
    Spi::connect(|client| {
        let mut sets = Vec::new();
        let mut cached = 0;
        let args = [home.as_str().into(), parent.into(), now.into()];
        for row in client.select(Kept(&format!("{KNOWN}{LOAD}{FROM}{CHOSEN}")), None, &args)? {
            if cached > CACHED {
                relation::forget_catalogs();
                cached = 0;
            }
            let registered = read(&row)?;
            if let State::Live(set) = &registered.state {
                cached += set.partitions.len();
            }
            sets.push(registered);
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
        let row = client.select(Kept(&format!("{KNOWN}{NAME}")), Some(1), &args)?.first();
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

/// `Set::print` as it is now, and how many partitions there are, the default one included: when both are as
/// before, nobody else has changed the set. Reading thousands of bounds anew would take longer than what is
/// done to one partition.
pub fn print(parent: pg_sys::Oid) -> Result<Option<(String, i64)>> {
    const PRINT: &str =
        "SELECT row(k, c, p, a)::text, (SELECT count(*) FROM pg_inherits WHERE inhparent = $2)";
    Spi::connect(|client| {
        let query = format!("{KNOWN}{PRINT}{FROM} WHERE k.found = $2");
        let args = [crate::pg::identity::database().into(), parent.into()];
        let Some(row) = client.select(Kept(&query), Some(1), &args)?.next() else { return Ok(None) };
        Ok(row.get::<String>(1)?.zip(row.get::<i64>(2)?))
    })
}

fn read(row: &SpiHeapTupleData) -> Result<Registered> {
    let lost = || Error::internal("a row of dbguard.partition_set is incomplete");
    let options = Options {
        every: row.get_by_name("every")?.ok_or_else(lost)?,
        ahead: row.get_by_name("ahead")?.ok_or_else(lost)?,
        zone: row.get_by_name("zone")?.ok_or_else(lost)?,
        anchor: row.get_by_name("anchor")?,
        key_unit: row.get_by_name("key_unit")?,
    };
    let extra = Extra {
        storage_options: row.get_by_name("storage_options")?.unwrap_or_default(),
        unique_on: row.get_by_name("unique_on")?.unwrap_or_default(),
        policies: row.get_by_name("policies")?.unwrap_or(false),
        sub_by: row.get_by_name("sub_by")?,
        sub_count: row.get_by_name("sub_count")?,
    };
    let state = match row.get_by_name::<pg_sys::Oid, _>("found")? {
        None => State::Gone,
        Some(parent) => match set(row, parent, &options, extra.clone()) {
            Ok(set) => State::Live(Box::new(set)),
            Err(error) => State::Broken(parent, error),
        },
    };
    Ok(Registered {
        schema: row.get_by_name("schema_name")?.ok_or_else(lost)?,
        name: row.get_by_name("table_name")?.ok_or_else(lost)?,
        options,
        extra,
        moved: row.get_by_name("moved")?.unwrap_or(false),
        state,
    })
}

fn set(row: &SpiHeapTupleData, parent: pg_sys::Oid, options: &Options, extra: Extra) -> Result<Set> {
    let lost = || Error::internal("a row of pg_class is incomplete");
    let name: String = row.get_by_name("relname")?.ok_or_else(lost)?;
    let key = key(row, &name, options)?;
    let every = &options.every;
    let width = Width::new(key, every.months(), every.days(), every.micros())?;
    let grid = Grid::new(key, width, zone(&options.zone)?, options.anchor)?;
    let children = relation::partitions(parent);
    let partitions = partitions(&children, key)?;
    let real: Micros = row.get_by_name("real")?.ok_or_else(lost)?;
    let now = row.get_by_name("clock")?.unwrap_or(real);
    let retention = retention(row)?;
    let cutoff = cutoff(&grid, &retention, now)?;
    Ok(Set {
        parent,
        schema: row.get_by_name("nspname")?.ok_or_else(lost)?,
        name,
        owner: row.get_by_name("relowner")?.ok_or_else(lost)?,
        grid,
        ahead: options.ahead.unsigned_abs(),
        has_default: partitions.len() < children.len(),
        partitions,
        children: children.len() as i64,
        now,
        real,
        cutoff,
        retention,
        print: row.get_by_name("print")?.ok_or_else(lost)?,
        extra,
    })
}

/// What ends at or before this is not kept, on the key's clock.
pub fn cutoff(grid: &Grid, retention: &Retention, now: Micros) -> Result<Option<Micros>> {
    let Some(retain) = &retention.retain else { return Ok(None) };
    let at = before(&grid.zone, now, retain.months(), retain.days(), retain.micros())?;
    Ok(Some(grid.clock(at)?))
}

fn retention(row: &SpiHeapTupleData) -> Result<Retention> {
    let archive = row.get_by_name::<String, _>("archive_schema")?.zip(row.get_by_name("archive_name")?);
    Ok(Retention {
        retain: row.get_by_name("retain")?,
        most_bytes: row.get_by_name("retain_bytes")?,
        at_least: row.get_by_name("retain_at_least")?.unwrap_or(0),
        retire: Retire::parse(row.get_by_name::<&str, _>("retire")?.unwrap_or("detach"))?,
        schema: row.get_by_name("retire_schema")?,
        grace: row.get_by_name("grace")?,
        archive,
    })
}

/// The partitions there are. One that cannot be told in time would make all others wrong.
fn partitions(children: &[pg_sys::Oid], key: Key) -> Result<Vec<Partition>> {
    let mut partitions = Vec::with_capacity(children.len());
    for oid in children {
        let Some(bounds) = relation::bound(*oid, node::range) else { continue };
        let Some(range) = key.range(&bounds) else {
            let sql = "SELECT relname::text FROM pg_class WHERE oid = $1";
            let name = Spi::connect(|client| {
                client.select(sql, Some(1), &[(*oid).into()])?.first().get_one::<String>()
            });
            let name = name?.unwrap_or_default();
            return Err(Error::not_in_state(format!("a bound of partition \"{name}\" is not a time"))
                .hint("Detach it, or attach it with bounds that are the first values of a time."));
        };
        partitions.push(Partition { oid: *oid, range });
    }
    Ok(partitions)
}
