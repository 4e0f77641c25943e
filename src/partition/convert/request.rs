//! What was asked for, made out on the table: its key's grid, and the bound below which all its rows lie.

use super::table::Table;
use crate::catalog::{self, hold};
use crate::ddl::convert as ddl;
use crate::error::{Error, Result};
use crate::partition::extra::Extra;
use crate::partition::set::{self, Options, Set};
use crate::pg::relation::Relation;
use crate::pg::user::{as_role, Fence};
use crate::pg::{clock, xact};
use crate::settings::PARTITION_CLOCK;
use dbguard_core::partition::{civil, grid::Grid, width::Width, Key, Micros, Range, DAY};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

pub struct Request {
    pub relation: Oid,
    pub key: String,
    pub options: Options,
    pub extra: Extra,
    pub extend_keys: bool,
}

/// A table that may be asked about: the caller's, ordinary, with a key of a type that is a time.
pub struct Asked {
    /// As if it were a set already, with no partitions.
    pub set: Set,
    pub key: String,
    /// How its type is written in SQL.
    key_type: &'static str,
}

/// Where the first partition ends.
pub enum Bound {
    At(String, Micros),
    /// Rows lie beyond what may be: the highest key, and the last bound that was tried.
    Beyond {
        key: String,
        last: String,
    },
}

impl Request {
    /// # Errors
    /// 42501 where the table is not the caller's, 42809 where it is no ordinary table, 42703 without such a
    /// column, 0A000 where that is of another type, 22023 for options that cannot be.
    pub fn look(&self) -> Result<Asked> {
        let table = catalog::own_table(self.relation)?;
        if table.kind != 'r' || table.is_partition {
            let what = if table.is_partition { "a partition" } else { "already partitioned" };
            return Err(Error::wrong_object_type(format!("\"{}\" is {what}", table.name)).hint(
                "Name an ordinary table. A partitioned one is enabled with dbguard.partition_enable.",
            ));
        }
        self.extra.check()?;
        let (key, key_type) = self.key(&table)?;
        let every = &self.options.every;
        let width = Width::new(key, every.months(), every.days(), every.micros())?;
        let grid = Grid::new(key, width, set::zone(&self.options.zone)?, self.options.anchor)?;
        super::super::enable::check_ahead(self.options.ahead)?;
        let now = clock::read(&PARTITION_CLOCK).unwrap_or_else(xact::start_timestamp);
        // the table's policies belong to it, and to what takes its place
        let extra = Extra { policies: true, ..Extra::default() };
        let set = Set::unregistered(&table, grid, self.options.ahead.unsigned_abs(), now, vec![], extra);
        Ok(Asked { set, key: self.key.clone(), key_type })
    }

    fn key(&self, table: &Relation) -> Result<(Key, &'static str)> {
        const COLUMN: &str = "SELECT atttypid, attcollation, format_type(atttypid, NULL) FROM pg_attribute
                              WHERE attrelid = $1 AND attname = $2 AND attnum > 0 AND NOT attisdropped";
        let found = Spi::connect(|client| {
            let args = [self.relation.into(), self.key.as_str().into()];
            let row = client.select(COLUMN, Some(1), &args)?.next();
            row.map_or(Ok(None), |row| {
                Ok::<_, Error>(Some((row.get::<Oid>(1)?, row.get::<Oid>(2)?, row.get::<String>(3)?)))
            })
        })?;
        let Some((kind, collation, shown)) = found else {
            return Err(Error::undefined_column(&self.key, &table.name));
        };
        let of_type =
            format!("column \"{}\" of \"{}\" is of type {}", self.key, table.name, shown.unwrap_or_default());
        if kind != Some(pg_sys::INT8OID) && self.options.key_unit.is_some() {
            return Err(Error::invalid_parameter("key_unit is for keys of type bigint")
                .detail(format!("The {of_type}."))
                .hint("Leave key_unit out."));
        }
        match kind {
            Some(pg_sys::DATEOID) => Ok((Key::Date, "date")),
            Some(pg_sys::TIMESTAMPOID) => Ok((Key::Timestamp, "timestamp")),
            Some(pg_sys::TIMESTAMPTZOID) => Ok((Key::Timestamptz, "timestamptz")),
            Some(pg_sys::INT8OID) => Ok((Key::Epoch(set::unit(&self.options, of_type)?), "int8")),
            Some(pg_sys::UUIDOID) => Ok((Key::Uuid, "uuid")),
            Some(pg_sys::TEXTOID | pg_sys::VARCHAROID) if collation == Some(set::C_COLLATION) => {
                Ok((Key::Ulid, "text"))
            }
            Some(pg_sys::TEXTOID | pg_sys::VARCHAROID) => {
                Err(Error::unsupported(format!("{of_type} and not in the order of its bytes"))
                    .hint("The column must have COLLATE \"C\"."))
            }
            _ => Err(Error::unsupported(of_type).hint(
                "Name a column of type date, timestamp, timestamptz, bigint, uuid, or text COLLATE \"C\".",
            )),
        }
    }
}

impl Asked {
    /// The bounds that may be: ends of cells, from the first that writes of now stay clear of to the horizon.
    fn bounds(&self) -> Result<Vec<Micros>> {
        let Set { grid, ahead, .. } = &self.set;
        let now = grid.clock(self.set.now)?;
        let mut cell: Range = grid.cell(now)?;
        let mut bounds = vec![];
        let mut number = 0;
        loop {
            cell = grid.cell(cell.to)?;
            number += 1;
            if cell.to - now >= DAY {
                bounds.push(cell.to);
                if number >= *ahead {
                    return Ok(bounds);
                }
            }
        }
    }

    /// The first of them above all rows. Reads the highest key only, by an index if there is one.
    pub fn bound(&self) -> Result<Bound> {
        let ends = self.bounds()?;
        let key = self.set.grid.key;
        let bounds =
            ends.iter().map(|at| civil::literal(key, *at)).collect::<std::result::Result<Vec<_>, _>>()?;
        let table = (self.set.schema.as_str(), self.set.name.as_str());
        let query = ddl::highest_key(table, &self.key, &bounds, self.key_type);
        hold(self.set.parent, table, self.set.owner)?;
        let found: Option<(Option<i64>, Option<String>)> =
            as_role(self.set.owner, Fence::RestrictedAllRows, || {
                Spi::connect(|client| {
                    let row = client.select(&query, Some(1), &[])?.next();
                    row.map_or(Ok(None), |row| Ok::<_, Error>(Some((row.get(1)?, row.get(2)?))))
                })
            })?;
        let at = match found {
            None => Some(1),
            Some((at, _)) => at,
        };
        let at = at.and_then(|at| usize::try_from(at - 1).ok());
        Ok(match at.and_then(|at| bounds.get(at).zip(ends.get(at))) {
            Some((bound, at)) => Bound::At(bound.clone(), *at),
            None => Bound::Beyond {
                key: found.and_then(|(_, key)| key).unwrap_or_default(),
                last: bounds.last().cloned().unwrap_or_default(),
            },
        })
    }

    /// Whether rows have no key at all.
    pub fn has_rows_without_key(&self, table: &Table) -> Result<bool> {
        if table.key_not_null {
            return Ok(false);
        }
        let query = ddl::lacks_key(table.id(), &self.key);
        hold(self.set.parent, table.id(), self.set.owner)?;
        let found = as_role(self.set.owner, Fence::RestrictedAllRows, || {
            Spi::connect(|client| client.select(&query, Some(1), &[])?.first().get_one::<bool>())
        })?;
        Ok(found.unwrap_or(true))
    }
}
