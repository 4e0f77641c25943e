//! The sets: what was registered, and what the catalogs say of it now.

mod key;
mod load;

pub use key::{unit, C_COLLATION};
pub use load::{every, live, load, of, stored, KNOWN};

use super::extra::Extra;
use super::retention::{Retention, Retire};
use crate::error::{Error, Result};
use crate::pg::relation::Relation;
use dbguard_core::partition::{self, civil, grid::Grid, plan, zone::Zone, Micros, Range};
use pgrx::datum::Interval;
use pgrx::pg_sys;

/// A row of dbguard.partition_set.
pub struct Registered {
    pub schema: String,
    pub name: String,
    pub options: Options,
    pub extra: Extra,
    /// The table goes by another name, or is another, than is stored.
    pub moved: bool,
    pub state: State,
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
    pub partitions: Vec<Partition>,
    /// How many there are, with the default partition.
    pub children: i64,
    pub has_default: bool,
    /// now() or the rehearsal's clock, in UTC
    pub now: Micros,
    /// now() in any case
    pub real: Micros,
    /// What ends at or before this is not kept, on the key's clock.
    pub cutoff: Option<Micros>,
    pub retention: Retention,
    pub extra: Extra,
    /// All it was read from but the partitions, as one text.
    print: String,
}

/// A partition that is there; not the default partition.
#[derive(Clone, Copy)]
pub struct Partition {
    pub oid: pg_sys::Oid,
    pub range: Range,
}

impl Set {
    /// A table as if it were a set, for what is asked before it is one.
    pub fn unregistered(
        table: &Relation,
        grid: Grid,
        ahead: u32,
        now: Micros,
        partitions: Vec<Partition>,
        extra: Extra,
    ) -> Set {
        Set {
            parent: table.oid,
            schema: table.schema.clone(),
            name: table.name.clone(),
            owner: table.owner,
            grid,
            ahead,
            children: partitions.len() as i64,
            has_default: false,
            partitions,
            now,
            real: now,
            cutoff: None,
            retention: Retention {
                retain: None,
                most_bytes: None,
                at_least: 0,
                retire: Retire::Detach,
                schema: None,
                grace: None,
                archive: None,
            },
            extra,
            print: String::new(),
        }
    }

    /// Whether it still is as it was read: nobody else has changed its options or its table, made a partition
    /// or taken one. To be asked under `lock`.
    pub fn is_current(&self) -> Result<bool> {
        Ok(load::print(self.parent)?
            .is_some_and(|(print, children)| print == self.print && children == self.children))
    }

    /// For what cannot be taken back: the clock of a rehearsal brings no partition's end before its time.
    pub fn be_no_later_than_now(&mut self) -> Result<()> {
        if self.now > self.real {
            self.now = self.real;
            self.cutoff = load::cutoff(&self.grid, &self.retention, self.now)?;
        }
        Ok(())
    }

    pub fn ranges(&self) -> Vec<Range> {
        self.partitions.iter().map(|partition| partition.range).collect()
    }

    /// The ranges to make, ascending: none only to be retired at once.
    pub fn missing(&self) -> Result<Vec<Range>> {
        self.missing_since(0)
    }

    /// The same when so many ranges before the one that holds now are to exist.
    pub fn missing_since(&self, behind: u32) -> Result<Vec<Range>> {
        let mut missing = plan::missing_since(&self.grid, self.now, behind, self.ahead, &self.ranges())?;
        missing.retain(|range| self.cutoff.is_none_or(|cutoff| range.to > cutoff));
        Ok(missing)
    }
}

pub fn zone(name: &str) -> Result<Zone> {
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
