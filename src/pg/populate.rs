//! Rows of a table from jsonb, as jsonb_populate_record makes them, but with the rights of the table's
//! owner: reading a value may run the CHECK of a domain, which is whose it is and not the reader's.

use super::user::{as_role, Fence};
use pgrx::pg_sys::{self, Oid};
use std::cell::Cell;

thread_local! {
    /// The table whose rows are being read, and its owner.
    static READING: Cell<Option<(Oid, Oid)>> = const { Cell::new(None) };
}

struct Reset(Option<(Oid, Oid)>);

impl Drop for Reset {
    fn drop(&mut self) {
        READING.set(self.0);
    }
}

/// Lets `populate` make rows of `table` as its owner while `f` runs.
pub fn with_rows_of<T>(table: Oid, owner: Oid, f: impl FnOnce() -> T) -> T {
    let _reset = Reset(READING.replace(Some((table, owner))));
    f()
}

/// What a call of SQL's jsonb_populate_record(base, from) gives, with the same arguments; None for NULL.
/// The error is for a call that `with_rows_of` did not allow: anybody could make a table's owner run
/// what its types run.
pub fn populate(fcinfo: pg_sys::FunctionCallInfo) -> Result<Option<i64>, ()> {
    // SAFETY: the call's own arguments; the first is declared anyelement. jsonb_populate_record is given
    // the very call it would get from SQL, so it finds the type in it and keeps its own cache there.
    unsafe {
        let row_type = pg_sys::get_fn_expr_argtype((*fcinfo).flinfo, 0);
        let Some((table, owner)) = READING.get() else { return Err(()) };
        if pg_sys::get_typ_typrelid(row_type) != table {
            return Err(());
        }
        let row = as_role(owner, Fence::Restricted, || pg_sys::jsonb_populate_record(fcinfo));
        Ok((!(*fcinfo).isnull).then_some(row.value() as i64))
    }
}
