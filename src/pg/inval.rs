//! Being told when what was cached of the catalogs is no longer true.

use pgrx::pg_sys;
use std::cell::{Cell, RefCell};

/// Called with the relation that changed, or with None when anything may have. Runs in the middle of
/// catalog access: may only let go of Rust data, never call the server.
pub type Forget = fn(Option<pg_sys::Oid>);

thread_local! {
    static LISTENERS: RefCell<Vec<Forget>> = const { RefCell::new(Vec::new()) };
    static TOLD: Cell<u64> = const { Cell::new(0) };
}

/// How often anything was told so far. What is being built from the catalogs is not yet there to be
/// forgotten: whoever builds it compares this before and after. Needs a listener.
pub fn told() -> u64 {
    TOLD.get()
}

/// Adds a listener, once however often it is called. The server is asked only once a backend: it has
/// few places for such callbacks.
pub fn on_change(forget: Forget) {
    let first = LISTENERS.with_borrow_mut(|listeners| {
        let first = listeners.is_empty();
        if !listeners.iter().any(|l| std::ptr::fn_addr_eq(*l, forget)) {
            listeners.push(forget);
        }
        first
    });
    if !first {
        return;
    }
    // SAFETY: plain functions that live as long as the library, which is never unloaded.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null());
        // a schema that is renamed changes no relation
        pg_sys::CacheRegisterSyscacheCallback(
            pg_sys::SysCacheIdentifier::NAMESPACEOID as i32,
            Some(namespace_changed),
            pg_sys::Datum::null(),
        );
    }
}

fn tell(relid: Option<pg_sys::Oid>) {
    TOLD.set(TOLD.get().wrapping_add(1));
    LISTENERS.with_borrow(|listeners| listeners.iter().for_each(|forget| forget(relid)));
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn relation_changed(_arg: pg_sys::Datum, relid: pg_sys::Oid) {
    tell((relid != pg_sys::InvalidOid).then_some(relid));
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn namespace_changed(_arg: pg_sys::Datum, _cache: i32, _hash: u32) {
    tell(None);
}
