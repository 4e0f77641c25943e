//! Values of variable length: their bytes, fetched and decompressed if need be, and what some of them say.

use pgrx::pg_sys::{self, Datum};
use std::ffi::{c_int, CStr};

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

/// The bytes of a varlena without its header, fetched and decompressed if need be.
pub fn detoasted<'r>(datum: Datum) -> &'r [u8] {
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
pub unsafe fn plain(p: *const pg_sys::varlena) -> bool {
    // SAFETY: as promised.
    unsafe { pgrx::varatt_is_4b_u(p) }
}

/// A value with the 1-byte header, which is never compressed, nor a pointer to one out of line.
///
/// # Safety
/// `p` is a varlena.
pub unsafe fn short(p: *const pg_sys::varlena) -> bool {
    // SAFETY: as promised.
    unsafe { pgrx::varatt_is_1b(p) && !pgrx::varatt_is_1b_e(p) }
}

/// SAFETY of callers: `p` must point to `n` bytes that live for 'r.
pub unsafe fn bytes<'r>(p: *const u8, n: usize) -> &'r [u8] {
    // SAFETY: as promised.
    unsafe { std::slice::from_raw_parts(p, n) }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    // utils/datum.h, which pgrx does not bind
    fn datum_image_eq(value1: Datum, value2: Datum, by_value: bool, length: c_int) -> bool;
}

/// Whether both hold the very same value. Bytes first: a value that was not touched keeps its TOAST pointer and is
/// never fetched.
///
/// # Safety
/// Both are whole varlenas.
pub unsafe fn same_varlena(p: *const pg_sys::varlena, q: *const pg_sys::varlena) -> bool {
    // SAFETY: as promised.
    unsafe {
        let (m, n) = (pgrx::varsize_any(p), pgrx::varsize_any(q));
        if m == n && bytes(p.cast(), m) == bytes(q.cast(), n) {
            return true;
        }
        if (plain(p) && plain(q)) || (short(p) && short(q)) {
            return false;
        }
        datum_image_eq(Datum::from(p.cast_mut()), Datum::from(q.cast_mut()), false, -1)
    }
}

/// The same for values of any type that are not kept in the datum itself.
///
/// # Safety
/// Both are values of a type of this length.
pub unsafe fn same_by_reference(x: Datum, y: Datum, length: i16) -> bool {
    // SAFETY: as promised.
    unsafe {
        match usize::try_from(length) {
            Ok(n) => bytes(x.cast_mut_ptr(), n) == bytes(y.cast_mut_ptr(), n),
            Err(_) if length == -1 => same_varlena(x.cast_mut_ptr(), y.cast_mut_ptr()),
            Err(_) => datum_image_eq(x, y, false, c_int::from(length)),
        }
    }
}

/// The bytes of such a value, without a length word.
///
/// # Safety
/// It is a value of a type of this length, and outlives the result.
pub unsafe fn image_by_reference<'r>(value: Datum, length: i16) -> &'r [u8] {
    // SAFETY: as promised.
    unsafe {
        match usize::try_from(length) {
            Ok(n) => bytes(value.cast_mut_ptr(), n),
            Err(_) if length == -1 => {
                let p = value.cast_mut_ptr();
                match plain(p) || short(p) {
                    true => bytes(pgrx::vardata_any(p).cast(), pgrx::varsize_any_exhdr(p)),
                    false => bytes(p.cast(), pgrx::varsize_any(p)),
                }
            }
            Err(_) => CStr::from_ptr(value.cast_mut_ptr()).to_bytes(),
        }
    }
}
