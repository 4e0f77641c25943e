//! The names that an error is about, for programs to read: schema, table, column, data type and constraint. What
//! makes a value of an error of the server leaves them behind, so they are read while the server raises the error,
//! and given to the error again where it is raised again. Callbacks for an error's context can do both.

use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_void, CStr, CString};

/// Each with its letter in the protocol.
#[derive(Debug, Default)]
pub struct Names(Vec<(u8, CString)>);

/// An error that the server raised.
#[derive(Default)]
struct Raised {
    message: CString,
    names: Names,
}

thread_local! {
    /// The last that was raised while somebody listened.
    static LAST: Cell<Raised> = Cell::default();
    /// For the error that is raised next.
    static NEXT: RefCell<Names> = RefCell::default();
}

/// Runs `f` and listens to the errors that are raised meanwhile. `f` must return, whatever happens.
pub(super) fn listening<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: the stack of callbacks is left as it was found, and the one of ours lives until then.
    unsafe {
        let outer = pg_sys::error_context_stack;
        let mut listener = pg_sys::ErrorContextCallback {
            previous: outer,
            callback: Some(listen),
            arg: std::ptr::null_mut(),
        };
        pg_sys::error_context_stack = &raw mut listener;
        let result = f();
        pg_sys::error_context_stack = outer;
        result
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn listen(_arg: *mut c_void) {
    // SAFETY: called while the server raises an error or sends a notice; what is copied must not lie in the
    // context for errors, and is freed here.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let error = pg_sys::CopyErrorData();
        pg_sys::MemoryContextSwitchTo(before);
        if (*error).elevel >= pg_sys::PGERROR as i32 {
            LAST.set(raised(&*error));
        }
        pg_sys::FreeErrorData(error);
    }
}

/// # Safety
/// An error as the server copies it.
unsafe fn raised(error: &pg_sys::ErrorData) -> Raised {
    // SAFETY: its texts are C strings or null.
    let text = |text: *const c_char| (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned());
    let names = [
        (pg_sys::PG_DIAG_SCHEMA_NAME, error.schema_name),
        (pg_sys::PG_DIAG_TABLE_NAME, error.table_name),
        (pg_sys::PG_DIAG_COLUMN_NAME, error.column_name),
        (pg_sys::PG_DIAG_DATATYPE_NAME, error.datatype_name),
        (pg_sys::PG_DIAG_CONSTRAINT_NAME, error.constraint_name),
    ];
    Raised {
        message: text(error.message).unwrap_or_default(),
        names: Names(names.into_iter().filter_map(|(field, name)| Some((field, text(name)?))).collect()),
    }
}

impl Names {
    /// Those of the error that was caught just now. One that a handler raises again is not heard again: then the
    /// last one heard may be another, which the handler survived.
    pub fn of_caught(message: &str) -> Names {
        let last = LAST.take();
        if last.message.to_string_lossy() == message {
            last.names
        } else {
            Names::default()
        }
    }

    /// Gives them to the error that is raised now.
    pub fn give(self) {
        if self.0.is_empty() {
            return;
        }
        NEXT.set(self);
        // SAFETY: whoever catches the error, of the server or `listening`, takes the callback off the stack again,
        // before the memory of the transaction goes.
        unsafe {
            let giver = pg_sys::MemoryContextAllocZero(
                pg_sys::TopTransactionContext,
                size_of::<pg_sys::ErrorContextCallback>(),
            )
            .cast::<pg_sys::ErrorContextCallback>();
            (*giver).previous = pg_sys::error_context_stack;
            (*giver).callback = Some(give);
            pg_sys::error_context_stack = giver;
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn give(_arg: *mut c_void) {
    for (field, name) in NEXT.take().0 {
        // SAFETY: called while the error is raised; the server copies the name.
        unsafe {
            pg_sys::err_generic_string(field.into(), name.as_ptr());
        }
    }
}
