//! Partition bounds as the catalog stores them: read without a lock, whatever DateStyle says.

use dbguard_core::partition::bound::Value;
use pgrx::{pg_sys, FromDatum, Uuid};
use std::ffi::CString;

/// The two bounds in `relpartbound` (as text) of a partition whose parent has one range key of a
/// type we know. `None` for a DEFAULT partition.
pub fn range(node: &str) -> Option<(Value, Value)> {
    let node = CString::new(node).ok()?;
    // SAFETY: the text comes from pg_class, where only the server writes it, so it is a bound spec. The
    // nodes live in a context of their own, as some kB for each of thousands of bounds would otherwise stay
    // until the caller's query is over; after an error it goes with its parent.
    unsafe {
        let context = pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            c"dbguard bound".as_ptr(),
            pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
            pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
            pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
        );
        let outer = pg_sys::MemoryContextSwitchTo(context);
        let range = both(pg_sys::stringToNode(node.as_ptr()).cast());
        pg_sys::MemoryContextSwitchTo(outer);
        pg_sys::MemoryContextDelete(context);
        range
    }
}

/// # Safety
/// `spec` must be a bound, or null.
unsafe fn both(spec: *mut pg_sys::PartitionBoundSpec) -> Option<(Value, Value)> {
    // SAFETY: as the caller promises.
    unsafe {
        if spec.is_null() || (*spec).is_default {
            return None;
        }
        Some((value((*spec).lowerdatums)?, value((*spec).upperdatums)?))
    }
}

/// # Safety
/// `datums` must be the list of one side of a range bound.
unsafe fn value(datums: *mut pg_sys::List) -> Option<Value> {
    // SAFETY: as the caller promises; a bound that is a value is a Const of the key's type, and not
    // null.
    unsafe {
        if datums.is_null() || (*datums).length != 1 {
            return None;
        }
        let datum = (*(*datums).elements).ptr_value.cast::<pg_sys::PartitionRangeDatum>();
        match (*datum).kind {
            pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => Some(Value::Lowest),
            pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MAXVALUE => Some(Value::Highest),
            _ => constant((*datum).value.cast::<pg_sys::Const>()),
        }
    }
}

/// # Safety
/// `value` must be a constant that is not null.
unsafe fn constant(value: *mut pg_sys::Const) -> Option<Value> {
    // SAFETY: as the caller promises; each datum is read as what its type says.
    unsafe {
        let stored = (*value).constvalue;
        match (*value).consttype {
            pg_sys::DATEOID => Some(Value::Number(date(stored.value() as i32))),
            pg_sys::UUIDOID => {
                Uuid::from_datum(stored, false).map(|uuid| Value::Uuid(u128::from_be_bytes(*uuid)))
            }
            pg_sys::TEXTOID | pg_sys::VARCHAROID => String::from_datum(stored, false).map(Value::Text),
            _ => Some(Value::Number(stored.value() as i64)),
        }
    }
}

/// Days; the infinities of a date are those of a number.
fn date(days: i32) -> i64 {
    match days {
        i32::MIN => i64::MIN,
        i32::MAX => i64::MAX,
        days => i64::from(days),
    }
}
