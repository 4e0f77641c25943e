//! A row that an UPDATE moves to another partition is updated where it was and inserted where it goes: no new row for
//! those who keep what a row was made with. It is known by what the column was left with.

use super::kept::{Keeper, Kept};
use crate::pg::trigger::TriggerCall;
use crate::pg::xact;
use pgrx::pg_sys::{Datum, Oid};
use std::cell::RefCell;

struct Left {
    function: &'static str,
    /// The partitioned table at the top.
    root: Oid,
    /// Transaction and command.
    moment: (i64, u32),
    value: Option<Vec<u8>>,
}

thread_local! {
    /// The last row that each function has let go from a partition.
    static LEFT: RefCell<Vec<Left>> = const { RefCell::new(vec![]) };
}

fn moment() -> (i64, u32) {
    (xact::start_timestamp(), xact::command())
}

/// An UPDATE of a partition leaves this in the column.
pub fn leaves(kept: &Kept, keeper: &'static Keeper, value: Option<Datum>) {
    let Some(root) = kept.root else { return };
    let left = Left {
        function: keeper.function,
        root,
        moment: moment(),
        value: value.map(|v| kept.column.image(v)),
    };
    LEFT.with_borrow_mut(|all| {
        all.retain(|l| l.function != keeper.function);
        all.push(left);
    });
}

/// Whether an INSERT into a partition is such a row's arrival.
pub fn arrives(call: &TriggerCall, kept: &Kept, keeper: &Keeper) -> bool {
    let Some(root) = kept.root else { return false };
    let value = call.first().get(kept.column.number).map(|v| kept.column.image(v));
    LEFT.with_borrow_mut(|all| {
        let at = all.iter().position(|l| l.function == keeper.function);
        let left = at.map(|at| all.swap_remove(at));
        left.is_some_and(|l| l.root == root && l.moment == moment() && l.value == value)
    })
}
