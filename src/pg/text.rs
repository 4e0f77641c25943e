//! Text in the database's encoding.

use pgrx::pg_sys;

/// Whether these bytes may be a text: no NUL among them, and nothing the encoding does not know.
pub fn is_text(bytes: &[u8]) -> bool {
    // every encoding a database may have keeps ASCII as it is, and most text is nothing else
    if bytes.iter().all(|b| matches!(b, 1..=0x7F)) {
        return true;
    }
    let Ok(length) = i32::try_from(bytes.len()) else { return false };
    // SAFETY: reads these bytes and no others; told to raise no error, it returns false instead.
    unsafe { pg_sys::pg_verify_mbstr(pg_sys::GetDatabaseEncoding(), bytes.as_ptr().cast(), length, true) }
}
