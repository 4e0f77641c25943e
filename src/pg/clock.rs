//! A setting that says what time it is.

use dbguard_core::partition::{civil, Micros};
use pgrx::{pg_guard, pg_sys, GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::{c_char, c_void, CStr, CString};

/// Defines the setting: for superusers, and refusing what is no time when it is set.
pub fn define(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<Option<CString>>,
) {
    // SAFETY: the hook is guarded, as every function the server calls must be.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            name,
            short,
            long,
            setting,
            GucContext::Suset,
            GucFlags::default(),
            Some(check),
            None,
            None,
        );
    }
}

/// What the setting says, in UTC; `None` when it is empty.
pub fn read(setting: &'static GucSetting<Option<CString>>) -> Option<Micros> {
    super::guc::peek(setting, |text| civil::moment(std::str::from_utf8(text?).ok()?))
}

/// # Safety
/// Called by the server with the value somebody wants to give the setting.
#[pg_guard]
unsafe extern "C-unwind" fn check(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: the server hands over a C string or null; the hint is read, never freed.
    unsafe {
        if (*value).is_null() {
            return true;
        }
        let text = CStr::from_ptr(*value).to_bytes();
        let is_time = |text| civil::moment(text).is_some();
        let good = text.is_empty() || std::str::from_utf8(text).is_ok_and(is_time);
        if !good {
            pg_sys::GUC_check_errhint_string = HINT.as_ptr().cast_mut();
        }
        good
    }
}

const HINT: &CStr = c"Give a date and time, in UTC unless with an offset, such as '2026-11-20 12:00:00+00'.";
