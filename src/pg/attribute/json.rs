//! A value as JSON, and as text.

use super::{Attribute, Form};
use crate::pg::datetime;
use crate::pg::subxact::subtransaction;
use crate::pg::trigger::Row;
use crate::pg::varlena::{bytes, detoasted};
use dbguard_core::jsonb::{self, Value};
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;

thread_local! {
    /// to_jsonb, told which type its argument is of; one a type, for the life of the backend.
    static TO_JSONB: RefCell<HashMap<Oid, *mut pg_sys::FmgrInfo>> = RefCell::new(HashMap::new());
}

impl Attribute {
    /// Shows `use_it` the value as `to_jsonb` gives it; as a string what jsonb cannot hold (json with
    /// \u0000 or a number beyond numeric), because a write must not fail for that. `utc` shows times
    /// in UTC whatever the session's zone (for keys, which must read the same from every session).
    pub fn with_json<T>(&self, row: &Row, utc: bool, use_it: impl FnOnce(&Value) -> T) -> T {
        if row.is_null(self.number) {
            return use_it(&Value::Null);
        }
        let datum = row.datum(self.number);
        match self.form {
            Form::Bool => use_it(&Value::Bool(datum.value() as u8 != 0)),
            Form::Int2 => use_it(&Value::Int(i64::from(datum.value() as i16))),
            Form::Int4 => use_it(&Value::Int(i64::from(datum.value() as i32))),
            Form::Int8 => use_it(&Value::Int(datum.value() as i64)),
            Form::Text => use_it(&Value::String(detoasted(datum))),
            Form::Numeric => use_it(&numeric(detoasted(datum))),
            Form::Jsonb => use_it(&jsonb::root(detoasted(datum)).unwrap_or(Value::Null)),
            Form::Uuid => {
                // SAFETY: a uuid is 16 bytes.
                let text = hyphenated(unsafe { bytes(datum.cast_mut_ptr(), 16) });
                use_it(&Value::String(&text))
            }
            Form::Char => match datum.value() as u8 {
                0 => use_it(&Value::String(b"")),
                byte @ 1..=0x7F => use_it(&Value::String(&[byte])),
                byte => use_it(&Value::String(format!("\\{byte:03o}").as_bytes())),
            },
            Form::DateTime(base) => {
                let mut buffer = datetime::Buffer::default();
                use_it(&Value::String(datetime::json(datum, base, utc, &mut buffer)))
            }
            Form::Other => use_it(&self.by_server(datum)),
            Form::Castable(source) if !has_cast_to_json(source) => use_it(&self.by_server(datum)),
            Form::Json if harmless(detoasted(datum)) => use_it(&self.by_server(datum)),
            Form::Json | Form::Castable(_) | Form::Fragile => {
                // where the text goes if need be must outlive the subtransaction's own memory
                match subtransaction(|| Ok(self.by_server(datum))) {
                    Ok(value) => use_it(&value),
                    Err(_) => use_it(&Value::String(self.printed(datum))),
                }
            }
        }
    }

    fn by_server<'r>(&self, datum: Datum) -> Value<'r> {
        let to_jsonb = to_jsonb_of(self.type_oid);
        // SAFETY: to_jsonb was told this very type; the result lives in the caller's memory context.
        let result = unsafe { pg_sys::FunctionCall1Coll(to_jsonb, pg_sys::InvalidOid, datum) };
        jsonb::root(detoasted(result)).unwrap_or(Value::Null)
    }

    /// The value as its type prints it under the settings there are.
    pub fn text(&self, datum: Datum) -> String {
        String::from_utf8_lossy(self.printed(datum)).into_owned()
    }

    /// The same of the row's value, which is not NULL.
    pub fn text_in(&self, row: &Row) -> String {
        self.text(row.datum(self.number))
    }

    fn printed<'r>(&self, datum: Datum) -> &'r [u8] {
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        // SAFETY: the output function of the attribute's type; the text lives in the caller's memory
        // context.
        unsafe {
            pg_sys::getTypeOutputInfo(self.type_oid, &mut output, &mut is_varlena);
            CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, datum)).to_bytes()
        }
    }
}

/// Asked for each value, as to_jsonb does: a cast may be made at any time.
fn has_cast_to_json(type_oid: Oid) -> bool {
    let cache = pg_sys::SysCacheIdentifier::CASTSOURCETARGET as i32;
    let (source, target) = (Datum::from(type_oid), Datum::from(pg_sys::JSONOID));
    // SAFETY: a syscache look-up.
    unsafe { pg_sys::SearchSysCacheExists(cache, source, target, Datum::null(), Datum::null()) }
}

/// to_jsonb reads its argument's type from the call expression, so each type needs one of its own.
fn to_jsonb_of(type_oid: Oid) -> *mut pg_sys::FmgrInfo {
    if let Some(known) = TO_JSONB.with_borrow(|known| known.get(&type_oid).copied()) {
        return known;
    }
    // SAFETY: everything is made in a context that lives as long as the backend.
    let info = unsafe {
        let old = pg_sys::MemoryContextSwitchTo(pg_sys::CacheMemoryContext);
        let info = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
        pg_sys::fmgr_info_cxt(Oid::from(pg_sys::F_TO_JSONB), info, pg_sys::CacheMemoryContext);
        let argument = pg_sys::makeNullConst(type_oid, -1, pg_sys::InvalidOid);
        let arguments = pg_sys::lappend(std::ptr::null_mut(), argument.cast());
        (*info).fn_expr = pg_sys::makeFuncExpr(
            Oid::from(pg_sys::F_TO_JSONB),
            pg_sys::JSONBOID,
            arguments,
            pg_sys::InvalidOid,
            pg_sys::InvalidOid,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        )
        .cast();
        pg_sys::MemoryContextSwitchTo(old);
        info
    };
    TO_JSONB.with_borrow_mut(|known| known.insert(type_oid, info));
    info
}

/// Whether jsonb surely takes this json: without a NUL character and without numbers that are huge.
fn harmless(json: &[u8]) -> bool {
    let exponent = |w: &[u8]| matches!(w[1], b'e' | b'E') && w[0].is_ascii_digit();
    json.len() < 100_000 && !json.windows(6).any(|w| w == b"\\u0000") && !json.windows(2).any(exponent)
}

fn numeric(body: &[u8]) -> Value<'_> {
    // NUMERIC_SPECIAL of numeric.c: JSON has no numbers for these
    match body.get(..2).map(|h| u16::from_ne_bytes([h[0], h[1]]) & 0xF000) {
        Some(0xC000) => Value::String(b"NaN"),
        Some(0xD000) => Value::String(b"Infinity"),
        Some(0xF000) => Value::String(b"-Infinity"),
        _ => Value::Numeric(body),
    }
}

/// A uuid as uuid_out shows it.
fn hyphenated(uuid: &[u8]) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (i, byte) in uuid.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text
}
