//! What a set of pg_partman is in our terms: its options, and the grid on which its partitions lie.

use super::source::Theirs;
use super::template;
use crate::error::{Error, Result};
use crate::partition::enable;
use crate::partition::extra::Extra;
use crate::partition::set::Options;
use crate::pg::relation::Relation;
use dbguard_core::partition::fit::{fit, Fit};
use dbguard_core::partition::partman::{self, Config, Kind};
use dbguard_core::partition::zone::Zone;
use dbguard_core::partition::Key;
use pgrx::datum::Interval;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// How a set is to be registered.
pub struct Plan {
    pub config: Config,
    pub options: Options,
    pub extra: Extra,
    /// Partitions there are; how many of them have a bound off the grid.
    pub existing: usize,
    pub off: usize,
}

/// What the set is, or why it cannot be taken over. `zone`: where its days begin, if the caller says so.
pub fn of(table: &Relation, theirs: &Theirs, zone: Option<&str>) -> Result<Plan> {
    let name = &table.name;
    let refused = |message: &str| Error::unsupported(format!("\"{name}\" cannot be taken over: {message}"));
    if theirs.has_subpartitions {
        return Err(refused("pg_partman partitions its partitions").hint(
            "Partitions made by dbguard would hold rows themselves, or be split by hash (sub_by of \
             dbguard.partition_enable). Its partitions that are sets of their own, by another column, can be taken \
             over; leave the set itself to pg_partman, or call dbguard.partition_enable.",
        ));
    }
    let mut config =
        partman::read(&theirs.row).map_err(|refusal| refused(&refusal.message).hint(refusal.hint))?;
    let (key_type, is_slice) = key(table.oid)?;
    if is_slice {
        return Err(refused("it is a partition of a set by the same column").hint(
            "It ends with its own bounds, so that it needs no partitions ahead. Leave it to pg_partman.",
        ));
    }
    if config.key == Kind::Time && matches!(key_type.as_str(), "smallint" | "integer" | "bigint" | "numeric")
    {
        return Err(refused("it is partitioned by number, not by time")
            .hint("Leave it to pg_partman. If its key counts time since 1970, call dbguard.partition_enable with key_unit."));
    }
    let every = interval(&config.every)?;
    let options = Options {
        every,
        ahead: config.ahead,
        zone: zone.unwrap_or("UTC").to_owned(),
        anchor: None,
        key_unit: config.key.unit().map(str::to_owned),
    };
    let (fit, zones, existing) =
        enable::preview(table.oid, &table.schema, name, &options, &Extra::default(), |set| {
            let zones = zones(set.grid.key, zone)?;
            let tried: Vec<Zone> = zones.iter().filter_map(|name| Zone::named(name).ok()).collect();
            let found = fit(set.grid.key, set.grid.width, &tried, &set.ranges(), zone.is_some());
            Ok((found, zones, set.partitions.len()))
        })?;
    let fit = match (fit, zone) {
        (Some(fit), None) if fit.off > 0 => {
            return Err(off_the_grid(name, &config.every, &zones, Some(fit.off)))
        }
        (None, None) => return Err(off_the_grid(name, &config.every, &zones, None)),
        (Some(fit), _) => fit,
        (None, Some(_)) => Fit { zone: 0, anchor: None, off: existing },
    };
    let options = Options {
        zone: zones.into_iter().nth(fit.zone).unwrap_or(options.zone),
        anchor: fit.anchor,
        ..options
    };
    let extra = match config.template.clone() {
        Some(template) => template::of(table.oid, &template, &mut config.notes)?,
        None => Extra::default(),
    };
    Ok(Plan { config, options, extra, existing, off: fit.off })
}

fn off_the_grid(name: &str, every: &str, zones: &[String], off: Option<usize>) -> Error {
    let detail = match off {
        Some(off) => format!("Of its partitions, {off} have a bound that is off the grid of the newest."),
        None => "Not even the newest partition does.".to_owned(),
    };
    let zones = zones.join(", ");
    Error::not_in_state(format!("the partitions of \"{name}\" do not lie on a grid of {every} in time zone {zones}"))
        .detail(detail)
        .hint("Say in which zone pg_partman made them: zone => 'Europe/Berlin'. What lies off the grid of that zone then stays as it is, and a shorter or longer partition bridges it.")
}

/// The type of the key, and whether the table is a partition of one that is partitioned by the same column.
fn key(table: Oid) -> Result<(String, bool)> {
    const KEY: &str = "
        SELECT format_type(a.atttypid, NULL),
               EXISTS (SELECT FROM pg_inherits i
                       JOIN pg_partitioned_table o ON o.partrelid = i.inhparent AND o.partstrat = 'r'
                       JOIN pg_attribute b ON b.attrelid = o.partrelid AND b.attnum = o.partattrs[0]
                       WHERE i.inhrelid = p.partrelid AND b.attname = a.attname)
        FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
        WHERE p.partrelid = $1";
    Spi::connect(|client| {
        let row = client.select(KEY, Some(1), &[table.into()])?.first();
        if row.is_empty() {
            return Ok((String::new(), false));
        }
        let (kind, is_slice) = row.get_two::<String, bool>()?;
        Ok((kind.unwrap_or_default(), is_slice.unwrap_or(false)))
    })
}

/// As the server reads it; its own error where it does not.
pub fn interval(text: &str) -> Result<Interval> {
    let read = Spi::get_one_with_args::<Interval>("SELECT $1::interval", &[text.into()])?;
    read.ok_or_else(|| Error::internal("an interval is null"))
}

/// The zones in which sessions of pg_partman may have computed bounds: that of the caller's choice alone, or
/// UTC and what is set for the server, this database and roles. The bounds of a date or timestamp tell no
/// zone: then the server's comes first, by whose clock pg_partman told what is now.
fn zones(key: Key, zone: Option<&str>) -> Result<Vec<String>> {
    const ZONES: &str = "
        SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'
        UNION ALL
        (SELECT DISTINCT split_part(c, '=', 2) FROM pg_db_role_setting s, unnest(s.setconfig) c
         WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
           AND lower(split_part(c, '=', 1)) = 'timezone'
         ORDER BY 1)";
    if let Some(zone) = zone {
        return Ok(vec![zone.to_owned()]);
    }
    let mut zones = vec!["UTC".to_owned()];
    Spi::connect(|client| {
        for row in client.select(ZONES, None, &[])? {
            zones.extend(row.get::<String>(1)?);
        }
        Ok::<_, pgrx::spi::Error>(())
    })?;
    if !key.is_moment() {
        zones.rotate_left(1);
    }
    let mut known: Vec<String> = Vec::new();
    for zone in zones {
        if Zone::named(&zone).is_ok() && !known.iter().any(|other| other.eq_ignore_ascii_case(&zone)) {
            known.push(zone);
        }
    }
    Ok(known)
}
