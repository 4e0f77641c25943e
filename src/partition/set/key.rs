//! What a set is partitioned by.

use super::Options;
use crate::error::{Error, Result};
use dbguard_core::partition::bound::Unit;
use dbguard_core::partition::Key;
use pgrx::pg_sys;
use pgrx::spi::SpiHeapTupleData;

/// The type of the partition key, if it is one we can make ranges of.
pub fn key(row: &SpiHeapTupleData, name: &str, options: &Options) -> Result<Key> {
    const WANTED: &str =
        "Create the table with PARTITION BY RANGE on one column of type date, timestamp, timestamptz, \
                          bigint, uuid, or text COLLATE \"C\".";
    let Some(strategy) = row.get_by_name::<String, _>("partstrat")? else {
        return Err(Error::wrong_object_type(format!("\"{name}\" is not partitioned")).hint(WANTED));
    };
    let refuse = |what: String| Err(Error::unsupported(what).hint(WANTED));
    match strategy.as_str() {
        "r" => {}
        "l" => return refuse(format!("\"{name}\" is partitioned by list")),
        _ => return refuse(format!("\"{name}\" is partitioned by hash")),
    }
    if row.get_by_name::<i32, _>("partnatts")? != Some(1) {
        return refuse(format!("\"{name}\" has more than one partition key column"));
    }
    let Some(column) = row.get_by_name::<String, _>("attname")? else {
        return refuse(format!("the partition key of \"{name}\" is an expression"));
    };
    let kind = row.get_by_name::<String, _>("type")?.unwrap_or_default();
    let of_type = format!("partition key column \"{column}\" of \"{name}\" is of type {kind}");
    let key = match row.get_by_name::<pg_sys::Oid, _>("atttypid")? {
        Some(pg_sys::DATEOID) => Key::Date,
        Some(pg_sys::TIMESTAMPOID) => Key::Timestamp,
        Some(pg_sys::TIMESTAMPTZOID) => Key::Timestamptz,
        Some(pg_sys::INT8OID) => return unit(options, of_type).map(Key::Epoch),
        Some(pg_sys::UUIDOID) => Key::Uuid,
        Some(pg_sys::TEXTOID | pg_sys::VARCHAROID) => {
            if row.get_by_name::<pg_sys::Oid, _>("partcollation")? != Some(C_COLLATION) {
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
pub const C_COLLATION: pg_sys::Oid = pg_sys::Oid::from_u32(950);

/// What a bigint key counts.
pub fn unit(options: &Options, of_type: String) -> Result<Unit> {
    const UNITS: &str = "Give key_unit => 's', 'ms', 'us' or 'ns': what the key counts since 1970.";
    let Some(name) = &options.key_unit else {
        return Err(Error::invalid_parameter(of_type).hint(UNITS));
    };
    Unit::named(name).ok_or_else(|| {
        Error::invalid_parameter(format!("invalid value for \"key_unit\": \"{name}\"")).hint(UNITS)
    })
}
