//! Partition bounds as the catalog stores them: read without a lock, whatever DateStyle says.

use dbguard_core::partition::{Micros, Range, DAY};
use pgrx::pg_sys;
use std::ffi::CString;

/// The range in `relpartbound` (as text) of a partition whose parent has one range key of type
/// date, timestamp or timestamptz. `None` for a DEFAULT partition.
pub fn range(node: &str) -> Option<Range> {
    let node = CString::new(node).ok()?;
    // SAFETY: the text comes from pg_class, where only the server writes it, so it is a bound spec;
    // what it points to lives in the current memory context.
    unsafe {
        let spec = pg_sys::stringToNode(node.as_ptr()).cast::<pg_sys::PartitionBoundSpec>();
        if spec.is_null() || (*spec).is_default {
            return None;
        }
        Some(Range { from: point((*spec).lowerdatums)?, to: point((*spec).upperdatums)? })
    }
}

/// # Safety
/// `datums` must be the list of one side of a range bound.
unsafe fn point(datums: *mut pg_sys::List) -> Option<Micros> {
    // SAFETY: as the caller promises; a bound that is a value is a Const of the key's type.
    unsafe {
        if datums.is_null() || (*datums).length != 1 {
            return None;
        }
        let datum = (*(*datums).elements).ptr_value.cast::<pg_sys::PartitionRangeDatum>();
        match (*datum).kind {
            pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => Some(Micros::MIN),
            pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MAXVALUE => Some(Micros::MAX),
            _ => {
                let value = (*datum).value.cast::<pg_sys::Const>();
                let stored = (*value).constvalue.value();
                if (*value).consttype == pg_sys::DATEOID {
                    // days; the infinities, and dates no timestamp reaches, become ours
                    Some(Micros::from(stored as i32).saturating_mul(DAY))
                } else {
                    Some(stored as Micros)
                }
            }
        }
    }
}
