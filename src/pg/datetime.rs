//! Dates and times: as JSON shows them, as the session does, and the transaction's start.

use dbguard_core::datetime;
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_long, CStr};

/// Where the text of one value goes.
pub struct Buffer {
    own: [u8; datetime::LONGEST],
    server: [c_char; pg_sys::MAXDATELEN as usize + 1],
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer { own: [0; datetime::LONGEST], server: [0; pg_sys::MAXDATELEN as usize + 1] }
    }
}

/// A date, timestamp or timestamptz as to_jsonb shows it; `utc` in UTC whatever the session's zone.
/// Ours does the years 1 to 9999 in a tenth of the time, the server's the rest.
pub fn json(datum: Datum, base: Oid, utc: bool, buffer: &mut Buffer) -> &[u8] {
    let micros = datum.value() as i64;
    let length = match base {
        pg_sys::DATEOID => datetime::date(datum.value() as i32, &mut buffer.own),
        pg_sys::TIMESTAMPOID => datetime::timestamp(micros, None, &mut buffer.own),
        _ => offset(micros, utc).and_then(|o| datetime::timestamp(micros, Some(o), &mut buffer.own)),
    };
    if let Some(text) = length.and_then(|n| buffer.own.get(..n)) {
        return text;
    }
    let zone: c_int = 0;
    let tzp = if utc && base == pg_sys::TIMESTAMPTZOID { &raw const zone } else { std::ptr::null() };
    // SAFETY: the buffer is of the size the function asks for.
    unsafe {
        pg_sys::JsonEncodeDateTime(buffer.server.as_mut_ptr(), datum, base, tzp);
        CStr::from_ptr(buffer.server.as_ptr()).to_bytes()
    }
}

/// A stretch of time in which a zone's clocks are so many seconds ahead of UTC.
#[derive(Clone, Copy)]
struct Stretch {
    zone: *mut pg_sys::pg_tz,
    /// Seconds since 1970, from the first to before the second.
    from: i64,
    to: i64,
    offset: i32,
}

thread_local! {
    /// The last one looked up. The server keeps a zone it has loaded, at its place, for the life of
    /// the backend.
    static STRETCH: Cell<Option<Stretch>> = const { Cell::new(None) };
}

/// How far the session's clocks are ahead of UTC at this time, in seconds.
fn offset(micros: i64, utc: bool) -> Option<i32> {
    if utc {
        return Some(0);
    }
    let at = micros.div_euclid(1_000_000) + UNIX_TO_EPOCH;
    // SAFETY: reads a variable of the backend.
    let zone = unsafe { pg_sys::session_timezone };
    if let Some(known) = STRETCH.get().filter(|s| s.zone == zone && (s.from..s.to).contains(&at)) {
        return Some(known.offset);
    }
    // SAFETY: a zone of the server's.
    let found = unsafe { stretch(zone, at) }?;
    STRETCH.set(Some(found));
    Some(found.offset)
}

const UNIX_TO_EPOCH: i64 = 946_684_800;

/// The stretch that holds a time, as far back as 100 days, which more than one switch of the clocks
/// may lie in.
///
/// # Safety
/// `zone` is a zone the server has loaded.
unsafe fn stretch(zone: *mut pg_sys::pg_tz, at: i64) -> Option<Stretch> {
    let mut from = at.checked_sub(100 * 86_400)?;
    loop {
        let (mut offset, mut then): (c_long, c_long) = (0, 0);
        let (mut dst, mut then_dst): (c_int, c_int) = (0, 0);
        let mut boundary = 0;
        // SAFETY: as promised; the rest are places for the results.
        let found = unsafe {
            let (before, after) = (&raw mut offset, &raw mut then);
            pg_sys::pg_next_dst_boundary(&from, before, &mut dst, &mut boundary, after, &mut then_dst, zone)
        };
        let to = match found {
            0 => i64::MAX,
            1 if boundary > from => boundary,
            _ => return None,
        };
        if at < to {
            return Some(Stretch { zone, from, to, offset: offset.try_into().ok()? });
        }
        from = to;
    }
}

/// A timestamptz (microseconds since 2000-01-01 UTC) as the session shows it.
pub fn shown(at: i64) -> String {
    // SAFETY: timestamptz_out gives a C string in the current memory context.
    unsafe {
        let text =
            pgrx::fcinfo::direct_function_call_as_datum(pg_sys::timestamptz_out, &[Some(Datum::from(at))]);
        text.map(|t| CStr::from_ptr(t.cast_mut_ptr()).to_string_lossy().into_owned()).unwrap_or_default()
    }
}

pub fn is_time(base: Oid) -> bool {
    matches!(base, pg_sys::TIMESTAMPTZOID | pg_sys::TIMESTAMPOID | pg_sys::DATEOID)
}

/// A timestamptz (microseconds since 2000-01-01 UTC) as timestamptz, timestamp or date, in the session's zone and
/// rounded as the type's modifier says; None for any other type.
pub fn as_type(at: i64, base: Oid, typmod: i32) -> Option<Datum> {
    let at = Datum::from(at);
    // SAFETY: the server's own casts from timestamptz; by-value results.
    unsafe {
        match base {
            pg_sys::TIMESTAMPTZOID => Some(rounded(at, typmod)),
            pg_sys::TIMESTAMPOID => {
                pgrx::fcinfo::direct_function_call_as_datum(pg_sys::timestamptz_timestamp, &[Some(at)])
                    .map(|local| rounded(local, typmod))
            }
            pg_sys::DATEOID => {
                pgrx::fcinfo::direct_function_call_as_datum(pg_sys::timestamptz_date, &[Some(at)])
            }
            _ => None,
        }
    }
}

/// As AdjustTimestampForTypmod rounds, which not every version exports.
fn rounded(micros: Datum, typmod: i32) -> Datum {
    let Some(digits) = u32::try_from(typmod).ok().filter(|digits| *digits < 6) else { return micros };
    let (micros, scale) = (micros.value() as i64, 10_i64.pow(6 - digits));
    let up = micros.unsigned_abs().saturating_add(scale.unsigned_abs() / 2) as i64 / scale * scale;
    Datum::from(if micros < 0 { -up } else { up })
}
