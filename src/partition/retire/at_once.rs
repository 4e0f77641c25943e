//! Dropping partitions while nobody uses the table: one statement each, some in a transaction. It costs a
//! fraction of detaching them concurrently, which builds the list of all partitions anew for each.

use super::{named, Named, Step};
use crate::ddl::{as_owner, retire as ddl};
use crate::error::{Error, Result};
use crate::partition::set::Set;
use crate::pg::subxact::subtransaction;
use crate::pg::{guc, lock};
use std::ffi::CStr;
use std::time::{Duration, Instant};

/// Whoever comes while we try waits as long. Then the table is in use.
const TRY: &CStr = c"1ms";

/// How long the table is kept from others.
const HOLD: Duration = Duration::from_millis(20);

/// Drops partitions one after another until one cannot be, or the table was held long enough: those that are
/// gone, and the one that could not be. What is wrong with that one shows when it is detached.
pub fn drop<'a>(set: &Set, steps: &'a [Step]) -> (Vec<&'a Step>, Option<&'a Step>) {
    let began = Instant::now();
    let mut gone = vec![];
    for step in steps {
        if began.elapsed() >= HOLD {
            break;
        }
        let one = || subtransaction(|| one(set, step));
        if guc::with(&[(c"lock_timeout", TRY)], one).is_err() {
            return (gone, Some(step));
        }
        gone.push(step);
    }
    (gone, None)
}

/// Under the lock of the table it is looked at once more: who detached the partition a moment ago wants to keep
/// it.
fn one(set: &Set, step: &Step) -> Result<()> {
    lock::access_exclusive(set.parent);
    match named(set, step.partition.oid)? {
        Some(Named { schema, name, .. }) if (&*schema, &*name) == step.table() => {
            let statement = match step.is_foreign {
                true => ddl::drop_foreign(step.table()),
                false => ddl::drop(step.table()),
            };
            as_owner(set.owner, &statement)
        }
        _ => Err(Error::not_in_state("another session has changed the partition")),
    }
}
