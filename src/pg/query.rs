//! Queries that see what the statement around them sees, read a batch at a time or handed on as the
//! result of a set-returning function, without a conversion of their values.

#![allow(non_snake_case, reason = "the server's names")]

use crate::error::{Error, Result};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};
use serde::de::DeserializeOwned;
use std::ffi::{c_char, CString};

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    // executor/tstoreReceiver.h, which pgrx does not bind
    fn SetTuplestoreDestReceiverParams(
        receiver: *mut pg_sys::DestReceiver,
        store: *mut pg_sys::Tuplestorestate,
        context: pg_sys::MemoryContext,
        detoast: bool,
        target: pg_sys::TupleDesc,
        map_failure: *const c_char,
    );
}

/// An argument of a query: its type, and its value unless it is NULL.
pub type Param = (Oid, Option<Datum>);

pub fn param<T: pgrx::IntoDatum>(value: T) -> Param {
    (T::type_oid(), value.into_datum())
}

/// Text as the server holds it, in its own encoding.
pub fn text_param(bytes: &[u8]) -> Param {
    (pg_sys::TEXTOID, Some(super::varlena::varlena(bytes)))
}

/// A jsonb from its text; raises the server's error if it is none.
pub fn jsonb_param(text: &str) -> Param {
    let value = CString::new(text).ok().and_then(|text| {
        // SAFETY: jsonb_in of a C string; the result lives in the current memory context.
        unsafe {
            let text = Datum::from(text.as_ptr());
            pgrx::fcinfo::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text)])
        }
    });
    (pg_sys::JSONBOID, value)
}

/// A row of a result; its values live until the next batch.
pub struct Row<'a> {
    values: &'a [Datum],
    nulls: &'a [bool],
}

impl<'a> Row<'a> {
    fn datum(&self, i: usize) -> Option<Datum> {
        (!*self.nulls.get(i)?).then(|| self.values[i])
    }

    pub fn int8(&self, i: usize) -> Option<i64> {
        self.datum(i).map(|d| d.value() as i64)
    }

    pub fn int4(&self, i: usize) -> Option<i32> {
        self.datum(i).map(|d| d.value() as i32)
    }

    /// A "char".
    pub fn letter(&self, i: usize) -> Option<u8> {
        self.datum(i).map(|d| d.value() as u8)
    }

    /// The bytes of a text, or the body of a jsonb; the caller knows which it is.
    pub fn bytes(&self, i: usize) -> Option<&'a [u8]> {
        self.datum(i).map(super::varlena::detoasted)
    }
}

/// How many rows are held at a time.
const BATCH: i64 = 1000;

/// Reads the rows of a query one by one.
pub fn each(sql: &str, params: &[Param], mut take: impl FnMut(&Row) -> Result<()>) -> Result<()> {
    let sql = c_string(sql)?;
    // SAFETY: SPI's own order of calls; what is read from a batch is used before it is freed. An error
    // unwinds, and the (sub)transaction's abort ends SPI and its portal.
    unsafe {
        connect()?;
        let options = pg_sys::SPIParseOpenOptions {
            params: param_list(params),
            cursorOptions: pg_sys::CURSOR_OPT_NO_SCROLL as i32,
            read_only: true,
        };
        let portal = pg_sys::SPI_cursor_parse_open(std::ptr::null(), sql.as_ptr(), &options);
        let batch = pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            c"dbguard batch".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        loop {
            pg_sys::SPI_cursor_fetch(portal, true, BATCH);
            let (table, rows) = (pg_sys::SPI_tuptable, pg_sys::SPI_processed as usize);
            if rows == 0 || table.is_null() {
                break;
            }
            let width = (*(*table).tupdesc).natts as usize;
            let (mut values, mut nulls) = (vec![Datum::null(); width], vec![true; width]);
            let outside = pg_sys::MemoryContextSwitchTo(batch);
            for i in 0..rows {
                let tuple = *(*table).vals.add(i);
                pg_sys::heap_deform_tuple(tuple, (*table).tupdesc, values.as_mut_ptr(), nulls.as_mut_ptr());
                take(&Row { values: &values, nulls: &nulls })?;
            }
            pg_sys::MemoryContextSwitchTo(outside);
            pg_sys::MemoryContextReset(batch);
            pg_sys::SPI_freetuptable(table);
        }
        pg_sys::SPI_cursor_close(portal);
        pg_sys::SPI_finish();
    }
    Ok(())
}

/// The rows of a query that gives each as a JSON array. Of what is committed none is missed, whatever snapshot the
/// transaction has.
pub fn each_fresh<T: DeserializeOwned>(sql: &str, params: &[Param], mut take: impl FnMut(T)) -> Result<()> {
    super::snapshot::fresh(|| {
        each(sql, params, |row| {
            let json = row.bytes(0).unwrap_or_default();
            take(serde_json::from_slice(json).map_err(|e| Error::internal(e.to_string()))?);
            Ok(())
        })
    })
}

/// The call of a function that returns a set of rows, whose result is put together here.
pub struct SetCall {
    fcinfo: FunctionCallInfo,
}

impl SetCall {
    pub fn new(fcinfo: FunctionCallInfo) -> Self {
        SetCall { fcinfo }
    }

    /// An argument as it came, with the type it is declared to have in this call.
    pub fn arg(&self, i: usize) -> Param {
        // SAFETY: within the arguments of the call; what is beyond them is NULL.
        unsafe {
            let call = &*self.fcinfo;
            let type_oid = pg_sys::get_fn_expr_argtype(call.flinfo, i as i32);
            if i >= call.nargs as usize {
                return (type_oid, None);
            }
            let arg = &*call.args.as_ptr().add(i);
            (type_oid, (!arg.isnull).then_some(arg.value))
        }
    }

    pub fn oid(&self, i: usize) -> Option<Oid> {
        self.arg(i).1.map(|d| Oid::from_u32(d.value() as u32))
    }

    /// A timestamptz, in microseconds since 2000-01-01 UTC.
    pub fn timestamptz(&self, i: usize) -> Option<i64> {
        self.arg(i).1.map(|d| d.value() as i64)
    }

    pub fn text(&self, i: usize) -> Option<String> {
        self.arg(i).1.map(|d| String::from_utf8_lossy(super::varlena::detoasted(d)).into_owned())
    }

    /// Begins the result, which is empty so far. To be called once.
    pub fn begin(&self) {
        // SAFETY: the server's own preparation; it raises an error where a set is not accepted.
        unsafe { pg_sys::InitMaterializedSRF(self.fcinfo, 0) };
    }

    fn info(&self) -> &pg_sys::ReturnSetInfo {
        // SAFETY: begin() has checked that it is one, and it outlives the call.
        unsafe { &*(*self.fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>() }
    }

    /// Appends all rows of a query, matched to the result's columns by position; how many there were.
    pub fn append_query(&self, sql: &str, params: &[Param]) -> Result<u64> {
        let sql = c_string(sql)?;
        let info = self.info();
        // SAFETY: SPI's own order of calls; the store belongs to the caller's query and outlives this.
        unsafe {
            connect()?;
            let receiver = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestTuplestore);
            SetTuplestoreDestReceiverParams(
                receiver,
                info.setResult,
                (*info.econtext).ecxt_per_query_memory,
                false,
                info.setDesc,
                c"structure of query does not match function result type".as_ptr(),
            );
            let options = pg_sys::SPIExecuteOptions {
                params: param_list(params),
                read_only: true,
                must_return_tuples: true,
                dest: receiver,
                ..Default::default()
            };
            let rc = pg_sys::SPI_execute_extended(sql.as_ptr(), &options);
            if rc < 0 {
                return Err(Error::internal(format!("SPI_execute_extended failed: {rc}")));
            }
            let rows = pg_sys::SPI_processed;
            if let Some(destroy) = (*receiver).rDestroy {
                destroy(receiver);
            }
            pg_sys::SPI_finish();
            Ok(rows)
        }
    }

    /// Appends one row.
    pub fn append_row(&self, values: &[Option<Datum>]) {
        let info = self.info();
        let mut datums: Vec<Datum> = values.iter().map(|v| v.unwrap_or(Datum::null())).collect();
        let mut nulls: Vec<bool> = values.iter().map(Option::is_none).collect();
        // SAFETY: as many values as the result has columns; they are copied.
        unsafe {
            pg_sys::tuplestore_putvalues(
                info.setResult,
                info.setDesc,
                datums.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    }
}

fn connect() -> Result<()> {
    // SAFETY: every way out either calls SPI_finish or unwinds to an abort that does.
    match unsafe { pg_sys::SPI_connect() } {
        rc if rc == pg_sys::SPI_OK_CONNECT as i32 => Ok(()),
        rc => Err(Error::internal(format!("SPI_connect failed: {rc}"))),
    }
}

fn c_string(sql: &str) -> Result<CString> {
    CString::new(sql).map_err(|_| Error::invalid_parameter("a query cannot contain a NUL character"))
}

/// The values as constants: the planner sees them.
fn param_list(params: &[Param]) -> pg_sys::ParamListInfo {
    // SAFETY: a list of just this length, in the current memory context.
    unsafe {
        let list = pg_sys::makeParamList(params.len() as i32);
        for (i, (type_oid, value)) in params.iter().enumerate() {
            let slot = (*list).params.as_mut_ptr().add(i);
            (*slot).value = value.unwrap_or(Datum::null());
            (*slot).isnull = value.is_none();
            (*slot).pflags = pg_sys::PARAM_FLAG_CONST as u16;
            (*slot).ptype = *type_oid;
        }
        list
    }
}
