//! Statements prepared once a backend and run with datums, without the cost of pgrx's conversions.

use crate::error::{Error, Result};
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::Cell;
use std::ffi::{c_char, CStr};

/// An argument of a kept plan, by its SQL type.
pub enum Arg<'a> {
    Null,
    Int4(i32),
    Int8(i64),
    Xid8(u64),
    Timestamptz(i64),
    Char(u8),
    Text(&'a [u8]),
    Name(Oid),
}

/// A statement, its parameter types, and its plan once there is one.
pub struct KeptPlan {
    sql: &'static CStr,
    types: &'static [Oid],
    plan: Cell<pg_sys::SPIPlanPtr>,
}

impl KeptPlan {
    /// `sql` must qualify every name it uses: it runs under the user's search_path.
    pub const fn new(sql: &'static CStr, types: &'static [Oid]) -> Self {
        KeptPlan { sql, types, plan: Cell::new(std::ptr::null_mut()) }
    }

    /// Runs the statement. Returns the first column of the first row as bigint, if there is one.
    pub fn run(&self, args: &[Arg]) -> Result<Option<i64>> {
        if args.len() != self.types.len() {
            return Err(Error::internal("wrong number of arguments for a kept plan"));
        }
        let values: Vec<Datum> = args.iter().map(datum).collect();
        let nulls: Vec<bool> = args.iter().map(|a| matches!(a, Arg::Null)).collect();
        self.run_datums(&values, &nulls)
    }

    /// The same with datums of the parameters' types.
    pub fn run_datums(&self, values: &[Datum], nulls: &[bool]) -> Result<Option<i64>> {
        let mut values = values.to_vec();
        let nulls: Vec<c_char> = nulls.iter().map(|n| if *n { b'n' } else { b' ' } as c_char).collect();
        // SAFETY: SPI's own order of calls; an error unwinds and the (sub)transaction's abort ends SPI.
        unsafe {
            if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
                return Err(Error::internal("SPI_connect failed"));
            }
            let rc = pg_sys::SPI_execute_plan(self.plan()?, values.as_mut_ptr(), nulls.as_ptr(), false, 0);
            if rc < 0 {
                return Err(Error::internal(format!("SPI_execute_plan failed: {rc}")));
            }
            let mut first = None;
            let table = pg_sys::SPI_tuptable;
            if pg_sys::SPI_processed > 0 && !table.is_null() {
                let mut null = false;
                let value = pg_sys::SPI_getbinval(*(*table).vals, (*table).tupdesc, 1, &mut null);
                first = (!null).then_some(value.value() as i64);
            }
            pg_sys::SPI_finish();
            Ok(first)
        }
    }

    /// SAFETY of callers: SPI must be connected.
    unsafe fn plan(&self) -> Result<pg_sys::SPIPlanPtr> {
        if self.plan.get().is_null() {
            let mut types = self.types.to_vec();
            // SAFETY: a static statement; the plan is kept for the life of the backend. A generic
            // plan, because the values decide nothing in an INSERT.
            unsafe {
                let plan = pg_sys::SPI_prepare_cursor(
                    self.sql.as_ptr(),
                    types.len() as i32,
                    types.as_mut_ptr(),
                    pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
                );
                if plan.is_null() || pg_sys::SPI_keepplan(plan) != 0 {
                    return Err(Error::internal("SPI_prepare failed"));
                }
                self.plan.set(plan);
            }
        }
        Ok(self.plan.get())
    }
}

fn datum(arg: &Arg) -> Datum {
    match arg {
        Arg::Null => Datum::null(),
        Arg::Int4(n) => Datum::from(*n),
        Arg::Int8(n) | Arg::Timestamptz(n) => Datum::from(*n),
        Arg::Xid8(n) => Datum::from(*n),
        Arg::Char(c) => Datum::from(*c),
        Arg::Text(bytes) => super::varlena::varlena(bytes),
        Arg::Name(role) => {
            // SAFETY: a role's name as text, in the current memory context; unknown roles give NULL,
            // which cannot be for a current user.
            unsafe {
                let name = pg_sys::GetUserNameFromId(*role, true);
                let bytes = if name.is_null() { &b""[..] } else { CStr::from_ptr(name).to_bytes() };
                super::varlena::varlena(bytes)
            }
        }
    }
}
