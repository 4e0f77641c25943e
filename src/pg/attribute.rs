//! An attribute of a relation: how to compare two of its values and to read one from text; `json` shows them.

mod json;

use super::trigger::{Row, TriggerCall};
use super::varlena::{image_by_reference, same_by_reference};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::{c_char, CStr, CString};

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
    /// The type under domains, and its modifier.
    pub base: Oid,
    pub base_typmod: i32,
    typmod: i32,
    collation: Oid,
    by_value: bool,
    length: i16,
    form: Form,
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
        let (base, base_typmod) = unsafe {
            let mut typmod = form.atttypmod;
            (pg_sys::getBaseTypeAndTypmod(form.atttypid, &mut typmod), typmod)
        };
        result.push(Attribute {
            number: form.attnum,
            name,
            type_oid: form.atttypid,
            generated: form.attgenerated != 0,
            base,
            base_typmod,
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

fn is_built_in(type_oid: Oid) -> bool {
    type_oid.to_u32() < pg_sys::FirstNormalObjectId
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
        unsafe { same_by_reference(x, y, self.length) }
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

    /// The same as an argument of a statement.
    pub fn argument(&self, text: &CStr) -> DatumWithOid<'static> {
        let value = self.parse(text);
        // SAFETY: the value is of this type, and lives as long as the memory it was read in: that of the caller, who
        // runs the statement there.
        unsafe { DatumWithOid::new(value, self.type_oid) }
    }

    /// What writing a value into a column of a domain does not: raises 23502 or 23514 if the domain takes none such.
    pub fn check_domain(&self, value: Option<Datum>) {
        if self.base == self.type_oid {
            return;
        }
        let (datum, null) = (value.unwrap_or(Datum::null()), value.is_none());
        // SAFETY: the value is of the domain's base type; nothing is to be kept between calls.
        unsafe {
            pg_sys::domain_check(datum, null, self.type_oid, std::ptr::null_mut(), std::ptr::null_mut())
        }
    }

    pub fn is_integer(&self) -> bool {
        matches!(self.form, Form::Int2 | Form::Int4 | Form::Int8)
    }

    /// The value of an integer attribute.
    pub fn as_integer(&self, row: &Row) -> Option<i64> {
        let value = (!row.is_null(self.number)).then(|| row.datum(self.number).value())?;
        Some(match self.form {
            Form::Int2 => i64::from(value as i16),
            Form::Int4 => i64::from(value as i32),
            _ => value as i64,
        })
    }

    /// In bytes; negative where it varies.
    pub fn length(&self) -> i16 {
        self.length
    }

    /// A value of an integer attribute; None if it has no place there.
    pub fn integer(&self, value: i64) -> Option<Datum> {
        match self.form {
            Form::Int2 => i16::try_from(value).ok().map(Datum::from),
            Form::Int4 => i32::try_from(value).ok().map(Datum::from),
            Form::Int8 => Some(Datum::from(value)),
            _ => None,
        }
    }

    /// The bytes of a value, without the length that they may be stored with; out of line, those that say where.
    pub fn image(&self, value: Datum) -> Vec<u8> {
        if self.by_value {
            return value.value().to_ne_bytes().to_vec();
        }
        // SAFETY: a value of this attribute's type.
        unsafe { image_by_reference(value, self.length) }.to_vec()
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
