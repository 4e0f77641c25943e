//! An attribute of a relation: how to compare two of its values, and how to show one as JSON.

use super::datetime;
use super::subxact::subtransaction;
use super::trigger::{Row, TriggerCall};
use dbguard_core::jsonb::{self, Value};
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_char, c_int, CStr, CString};

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    // utils/datum.h, which pgrx does not bind
    fn datum_image_eq(value1: Datum, value2: Datum, by_value: bool, length: c_int) -> bool;
}

/// How a value becomes JSON. What is not named here goes through the server's own to_jsonb.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    Text,
    Numeric,
    Jsonb,
    DateTime(Oid),
    Uuid,
    /// "char", one byte: PostgreSQL 15 shows one that is no letter of ASCII as it is, which is no text.
    Char,
    /// json as it is stored: text, which jsonb need not be able to hold.
    Json,
    Other,
    /// An enum or a range of the user's own, or an array of them: to_jsonb refuses it only if a cast of
    /// its (element) type to json does.
    Castable(Oid),
    /// Holds json inside, or runs somebody's own function: to_jsonb may refuse the value.
    Fragile,
}

/// What there is to know of one attribute, resolved once a relation.
pub struct Attribute {
    pub number: i16,
    pub name: String,
    pub type_oid: Oid,
    pub generated: bool,
    typmod: i32,
    collation: Oid,
    by_value: bool,
    length: i16,
    form: Form,
}

thread_local! {
    /// to_jsonb, told which type its argument is of; one a type, for the life of the backend.
    static TO_JSONB: RefCell<HashMap<Oid, *mut pg_sys::FmgrInfo>> = RefCell::new(HashMap::new());
}

/// The attributes that have a value in the row: neither dropped nor computed when read.
pub fn attributes_of_call(call: &TriggerCall) -> Vec<Attribute> {
    // SAFETY: the descriptor belongs to the relation the trigger has open.
    unsafe { attributes(call.descriptor()) }
}

/// The same for a relation by OID; the caller holds no lock and must tolerate a change right after.
pub fn attributes_of_relation(relid: Oid) -> Vec<Attribute> {
    // SAFETY: opens under a lock, reads the descriptor, closes.
    unsafe {
        let relation = pg_sys::relation_open(relid, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let result = attributes((*relation).rd_att);
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        result
    }
}

/// SAFETY of callers: `desc` must stay valid for the length of the call.
unsafe fn attributes(desc: pg_sys::TupleDesc) -> Vec<Attribute> {
    let mut result = vec![];
    // SAFETY: as promised by the caller; does not take over the reference count.
    let natts = unsafe { (*desc).natts };
    for i in 0..natts {
        // SAFETY: i is within natts.
        let form = unsafe { &*super::compat::tuple_desc_attr(desc, i) };
        if form.attisdropped || form.attgenerated == b'v' as c_char {
            continue;
        }
        // SAFETY: attname is a NUL-terminated NameData.
        let name = unsafe { CStr::from_ptr(form.attname.data.as_ptr()) }.to_string_lossy().into_owned();
        // SAFETY: a syscache look-up by the attribute's own type.
        let base = unsafe { pg_sys::getBaseType(form.atttypid) };
        result.push(Attribute {
            number: form.attnum,
            name,
            type_oid: form.atttypid,
            generated: form.attgenerated != 0,
            typmod: form.atttypmod,
            collation: form.attcollation,
            by_value: form.attbyval,
            length: form.attlen,
            form: form_of(base),
        });
    }
    result
}

fn form_of(base_type: Oid) -> Form {
    match base_type {
        pg_sys::BOOLOID => Form::Bool,
        pg_sys::INT2OID => Form::Int2,
        pg_sys::INT4OID => Form::Int4,
        pg_sys::INT8OID => Form::Int8,
        pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Form::Text,
        pg_sys::NUMERICOID => Form::Numeric,
        pg_sys::JSONBOID => Form::Jsonb,
        pg_sys::DATEOID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID => Form::DateTime(base_type),
        pg_sys::UUIDOID => Form::Uuid,
        pg_sys::CHAROID => Form::Char,
        pg_sys::JSONOID => Form::Json,
        _ => form_of_others(base_type),
    }
}

/// Composite types, arrays of them or of json, and types that may have a cast to json of their own.
fn form_of_others(base_type: Oid) -> Form {
    // SAFETY: syscache look-ups.
    let (element, plain) = unsafe {
        let element = pg_sys::get_base_element_type(base_type);
        let of = if element == pg_sys::InvalidOid { base_type } else { pg_sys::getBaseType(element) };
        (of, pg_sys::type_is_enum(of) || pg_sys::type_is_range(of) || pg_sys::type_is_multirange(of))
    };
    if element == pg_sys::JSONOID {
        Form::Fragile
    } else if is_built_in(element) {
        Form::Other
    } else if plain {
        Form::Castable(element)
    } else {
        Form::Fragile
    }
}

/// Asked for each value, as to_jsonb does: a cast may be made at any time.
fn has_cast_to_json(type_oid: Oid) -> bool {
    let cache = pg_sys::SysCacheIdentifier::CASTSOURCETARGET as i32;
    let (source, target) = (Datum::from(type_oid), Datum::from(pg_sys::JSONOID));
    // SAFETY: a syscache look-up.
    unsafe { pg_sys::SearchSysCacheExists(cache, source, target, Datum::null(), Datum::null()) }
}

fn is_built_in(type_oid: Oid) -> bool {
    type_oid.to_u32() < pg_sys::FirstNormalObjectId
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

impl Attribute {
    /// Whether both rows hold the very same value. Bytes first: a value that was not touched keeps
    /// its TOAST pointer and is never fetched.
    pub fn same(&self, a: &Row, b: &Row) -> bool {
        match (a.is_null(self.number), b.is_null(self.number)) {
            (true, true) => return true,
            (false, false) => {}
            _ => return false,
        }
        let (x, y) = (a.datum(self.number), b.datum(self.number));
        if self.by_value {
            return x == y;
        }
        // SAFETY: both datums are of this attribute's type and not null.
        unsafe {
            if self.length == -1 {
                let (p, q) = (x.cast_mut_ptr::<pg_sys::varlena>(), y.cast_mut_ptr::<pg_sys::varlena>());
                let (m, n) = (pgrx::varsize_any(p), pgrx::varsize_any(q));
                if m == n && bytes(p.cast(), m) == bytes(q.cast(), n) {
                    return true;
                }
                if (plain(p) && plain(q)) || (short(p) && short(q)) {
                    return false;
                }
            } else if self.length > 0 {
                let n = self.length as usize;
                return bytes(x.cast_mut_ptr(), n) == bytes(y.cast_mut_ptr(), n);
            }
            datum_image_eq(x, y, self.by_value, c_int::from(self.length))
        }
    }

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

    /// Whether the value's JSON depends on settings of the session.
    pub fn follows_settings(&self) -> bool {
        matches!(self.form, Form::Other | Form::Json | Form::Castable(_) | Form::Fragile)
    }

    /// Whether the type is jsonb, or a domain over it.
    pub fn is_jsonb(&self) -> bool {
        self.form == Form::Jsonb
    }

    /// Whether the type is numeric, or a domain over it.
    pub fn is_numeric(&self) -> bool {
        self.form == Form::Numeric
    }

    /// Whether two values can be equal, by the type's own operator, that read differently in a key. A
    /// numeric is written there without its trailing zeros.
    pub fn equal_may_read_otherwise(&self) -> bool {
        match self.form {
            Form::Bool | Form::Int2 | Form::Int4 | Form::Int8 | Form::Uuid | Form::Char => false,
            Form::DateTime(_) | Form::Numeric => false,
            // SAFETY: syscache look-ups of the column's own type and collation.
            Form::Text => unsafe {
                pg_sys::getBaseType(self.type_oid) == pg_sys::BPCHAROID
                    || !pg_sys::get_collation_isdeterministic(self.collation)
            },
            Form::Jsonb | Form::Json | Form::Other | Form::Castable(_) | Form::Fragile => true,
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

    /// Reads a value of this attribute's type from text, as a literal would be: raises the type's
    /// own error if it is none.
    pub fn parse(&self, text: &CStr) -> Datum {
        let mut input = pg_sys::InvalidOid;
        let mut param = pg_sys::InvalidOid;
        let mut buffer = CString::from(text).into_bytes_with_nul();
        // SAFETY: the input function of the attribute's type, given a C string.
        unsafe {
            pg_sys::getTypeInputInfo(self.type_oid, &mut input, &mut param);
            pg_sys::OidInputFunctionCall(input, buffer.as_mut_ptr().cast(), param, self.typmod)
        }
    }

    /// A row in which only these attributes are set, to show them as JSON.
    pub fn row_of(values: &[(&Attribute, Datum)]) -> Row<'static> {
        let natts = values.iter().map(|(a, _)| a.number as usize).max().unwrap_or(0);
        let (mut datums, mut nulls) = (vec![Datum::null(); natts], vec![true; natts]);
        for (attribute, datum) in values {
            datums[attribute.number as usize - 1] = *datum;
            nulls[attribute.number as usize - 1] = false;
        }
        Row::from_parts(datums, nulls)
    }
}

/// Text of a numeric's body, as numeric_out gives it.
pub fn numeric_text(body: &[u8]) -> String {
    let datum = varlena(body);
    // SAFETY: a whole numeric datum; numeric_out gives a C string in the current memory context.
    unsafe {
        let text = pgrx::fcinfo::direct_function_call_as_datum(pg_sys::numeric_out, &[Some(datum)]);
        text.map(|t| CStr::from_ptr(t.cast_mut_ptr()).to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// A numeric's body as trim_scale makes it.
pub fn without_trailing_zeros<'r>(body: &[u8]) -> &'r [u8] {
    let datum = varlena(body);
    // SAFETY: a whole numeric datum; the result lives in the current memory context.
    unsafe { pgrx::fcinfo::direct_function_call_as_datum(pg_sys::numeric_trim_scale, &[Some(datum)]) }
        .map(detoasted)
        .unwrap_or_default()
}

/// Text of a jsonb datum (length word included), as jsonb_out gives it.
pub fn jsonb_text(datum: &[u8]) -> String {
    let datum = varlena(datum.get(4..).unwrap_or_default());
    // SAFETY: a whole jsonb datum; jsonb_out gives a C string in the current memory context.
    unsafe {
        let text = pgrx::fcinfo::direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(datum)]);
        text.map(|t| CStr::from_ptr(t.cast_mut_ptr()).to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// A varlena datum with this body, in the current memory context.
pub fn varlena(body: &[u8]) -> Datum {
    // SAFETY: cstring_to_text_with_len copies exactly these bytes behind a length word.
    unsafe { Datum::from(pg_sys::cstring_to_text_with_len(body.as_ptr().cast(), body.len() as c_int)) }
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

/// The bytes of a varlena without its header, fetched and decompressed if need be.
pub(super) fn detoasted<'r>(datum: Datum) -> &'r [u8] {
    // SAFETY: a varlena that is not null; what is fetched lives in the current memory context, what
    // is not in the row itself.
    unsafe {
        let mut p = datum.cast_mut_ptr();
        if !plain(p) && !short(p) {
            p = pg_sys::pg_detoast_datum_packed(p);
        }
        bytes(pgrx::vardata_any(p).cast(), pgrx::varsize_any_exhdr(p))
    }
}

/// A value with the 4-byte header, neither compressed nor out of line.
///
/// # Safety
/// `p` is a varlena.
unsafe fn plain(p: *const pg_sys::varlena) -> bool {
    // SAFETY: as promised.
    unsafe { pgrx::varatt_is_4b_u(p) }
}

/// A value with the 1-byte header, which is never compressed, nor a pointer to one out of line.
///
/// # Safety
/// `p` is a varlena.
unsafe fn short(p: *const pg_sys::varlena) -> bool {
    // SAFETY: as promised.
    unsafe { pgrx::varatt_is_1b(p) && !pgrx::varatt_is_1b_e(p) }
}

/// SAFETY of callers: `p` must point to `n` bytes that live for 'r.
unsafe fn bytes<'r>(p: *const u8, n: usize) -> &'r [u8] {
    // SAFETY: as promised.
    unsafe { std::slice::from_raw_parts(p, n) }
}
