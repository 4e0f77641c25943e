//! A time limit for a part of a statement: the server's own timeouts count whole statements only.

#![allow(non_snake_case, reason = "the server's names")]

use pgrx::pg_sys;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    // utils/timeout.h, which pgrx does not bind
    fn RegisterTimeout(id: c_int, handler: Option<unsafe extern "C-unwind" fn()>) -> c_int;
    fn enable_timeout_every(id: c_int, first: pg_sys::TimestampTz, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
    fn get_timeout_active(id: c_int) -> bool;
}

/// The same in all versions.
const STATEMENT_TIMEOUT: c_int = 3;

/// Beyond the timeouts that the server names: it then gives the first free one.
const ANY: c_int = 20;

/// The timeout of this backend; 0 before it has one.
static TIMEOUT: AtomicI32 = AtomicI32::new(0);
static RAN_OUT: AtomicBool = AtomicBool::new(false);
static RUNS: AtomicBool = AtomicBool::new(false);

/// Asks for what a cancel request asks for. It runs within a signal handler.
unsafe extern "C-unwind" fn run_out() {
    RAN_OUT.store(true, Ordering::Relaxed);
    // SAFETY: flags of the backend, set as the server's handler of cancel requests sets them. What sleeps
    // is woken by the server, which does that for every timeout.
    unsafe {
        pg_sys::InterruptPending = 1;
        pg_sys::QueryCancelPending = 1;
    }
}

struct Running(c_int);

impl Drop for Running {
    fn drop(&mut self) {
        RUNS.store(false, Ordering::Relaxed);
        // SAFETY: a timeout that RegisterTimeout gave; one that is not running may be stopped.
        unsafe { disable_timeout(self.0, false) }
    }
}

/// Runs `f` and cancels it when the time is over, as a user would: with 57014. Also says whether that was so, and
/// not the time of the whole statement that ran out. Within another, the other's time holds.
pub fn within<T>(limit: Duration, f: impl FnOnce() -> T) -> (T, bool) {
    if RUNS.load(Ordering::Relaxed) {
        return (f(), false);
    }
    let micros = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX / 4).clamp(1000, i64::MAX / 4);
    RAN_OUT.store(false, Ordering::Relaxed);
    let counts_down = statement_counts_down();
    let result = {
        // SAFETY: registered once a backend; the handler only sets flags, as one must.
        let running = unsafe {
            if TIMEOUT.load(Ordering::Relaxed) == 0 {
                TIMEOUT.store(RegisterTimeout(ANY, Some(run_out)), Ordering::Relaxed);
            }
            Running(TIMEOUT.load(Ordering::Relaxed))
        };
        RUNS.store(true, Ordering::Relaxed);
        // SAFETY: as above. Once more every second: what it calls may catch the first.
        unsafe {
            let first = pg_sys::GetCurrentTimestamp().saturating_add(micros);
            enable_timeout_every(running.0, first, 1000);
        }
        f()
    };
    let ours = RAN_OUT.swap(false, Ordering::Relaxed) && counts_down == statement_counts_down();
    if ours {
        // SAFETY: a variable of the backend. It came too late: nothing else shall be cancelled by it.
        unsafe { pg_sys::QueryCancelPending = 0 };
    }
    (result, ours)
}

/// Whether statement_timeout is set and not over.
fn statement_counts_down() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { get_timeout_active(STATEMENT_TIMEOUT) }
}
