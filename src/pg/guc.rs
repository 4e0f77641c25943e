//! Settings at the level of the server.

use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// Refuses later `SET prefix.unknown`, and says which of those already set are unknown.
pub fn reserve_prefix(prefix: &'static CStr) {
    // SAFETY: a static C string; the server copies it.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) }
}

/// The value of any setting, as SHOW gives it; None if there is no such setting.
pub fn value(name: &CStr) -> Option<Vec<u8>> {
    // SAFETY: the server's string is copied before anything else runs.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_bytes().to_vec())
    }
}

/// The same of what the user may see; the server's error if he may not.
pub fn shown(name: &str) -> Option<Vec<u8>> {
    let name = CString::new(name).ok()?;
    // SAFETY: the server's string is copied before anything else runs.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, true);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_bytes().to_vec())
    }
}

/// Under which nobody but the server gives a name its meaning.
pub const SAFE_PATH: (&CStr, &CStr) = (c"search_path", c"pg_catalog, pg_temp");

/// Runs `f` with search_path pinned, as a function with SET search_path runs: for code that is
/// reached without such a function around it (triggers, procedures). An error inside needs no
/// clean-up here: aborting the (sub)transaction puts the setting back.
pub fn with_pinned_search_path<T>(f: impl FnOnce() -> T) -> T {
    with(&[SAFE_PATH], f)
}

/// Runs `f` with settings changed as `SET LOCAL` does and put back at the end; what `f` sets itself stays. An
/// error inside needs no clean-up here: aborting the (sub)transaction puts them back. Must not be held across a
/// COMMIT. Also settings of superusers may be named, since it is always us who choose name and value.
pub fn with<T>(settings: &[(&CStr, &CStr)], f: impl FnOnce() -> T) -> T {
    level(settings, true, f)
}

/// The same with one setting of an application.
pub fn set_within<T>(name: &str, value: &str, f: impl FnOnce() -> T) -> T {
    match (CString::new(name), CString::new(value)) {
        (Ok(name), Ok(value)) => level(&[(&name, &value)], true, f),
        // neither a name nor a value of the server's can hold a zero byte
        _ => f(),
    }
}

/// The same, and what `f` sets itself is forgotten, as after an index function that VACUUM has run.
pub fn forgotten<T>(settings: &[(&CStr, &CStr)], f: impl FnOnce() -> T) -> T {
    level(settings, false, f)
}

fn level<T>(settings: &[(&CStr, &CStr)], keep: bool, f: impl FnOnce() -> T) -> T {
    // SAFETY: the pair of calls that functions with a SET clause make; names and values are C
    // strings that outlive the calls.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        for (name, value) in settings {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
        let result = f();
        pg_sys::AtEOXact_GUC(keep, level);
        result
    }
}

/// Sets a setting as SET does: it stays when the transaction commits.
pub fn set(name: &CStr, value: &CStr) {
    // SAFETY: name and value are C strings that outlive the call.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SET,
            true,
            0,
            false,
        );
    }
}

/// Looks at the value of one of our own string settings without copying it; None if it is not set.
/// `f` must not call the server.
pub fn peek<T>(
    setting: &'static pgrx::GucSetting<Option<std::ffi::CString>>,
    f: impl FnOnce(Option<&[u8]>) -> T,
) -> T {
    // SAFETY: the server keeps a C string or null there, and changes it only in calls of its own.
    unsafe {
        let value = *setting.as_ptr();
        f((!value.is_null()).then(|| CStr::from_ptr(value).to_bytes()))
    }
}

/// The same for application_name.
pub fn application_name<T>(f: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: as above; null before the session has begun.
    unsafe {
        let name = pg_sys::application_name;
        f(if name.is_null() { b"" } else { CStr::from_ptr(name).to_bytes() })
    }
}

/// The same for the text of the command the client sent.
pub fn client_text<T>(f: impl FnOnce(Option<&[u8]>) -> T) -> T {
    // SAFETY: as above; null between commands.
    unsafe {
        let text = pg_sys::debug_query_string;
        f((!text.is_null()).then(|| CStr::from_ptr(text).to_bytes()))
    }
}

/// The value of one of our own string settings; None if it is not set.
pub fn string(setting: &'static pgrx::GucSetting<Option<std::ffi::CString>>) -> Option<Vec<u8>> {
    setting.get().map(std::ffi::CString::into_bytes)
}
