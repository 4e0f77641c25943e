//! What a trigger knows of its relation, kept between calls and forgotten when the relation changes.

use crate::error::Result;
use crate::pg::inval;
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

struct Entry<T> {
    value: Rc<T>,
    /// The relations whose change spoils it besides its own.
    depends: Vec<Oid>,
}

/// By relation and trigger. Not dropped at exit: the server's memory is gone by then.
pub struct TriggerCache<T> {
    entries: ManuallyDrop<RefCell<HashMap<(Oid, Oid), Entry<T>>>>,
    changes: Cell<u64>,
}

impl<T> TriggerCache<T> {
    pub fn new() -> Self {
        TriggerCache { entries: ManuallyDrop::new(RefCell::default()), changes: Cell::new(0) }
    }

    /// The value for a relation and its trigger if there is one and `valid` says it still holds;
    /// else what `build` makes, with the relations it depends on. `forget` must call this cache's
    /// `forget`: the server's callbacks know functions only.
    pub fn get(
        &self,
        key: (Oid, Oid),
        forget: inval::Forget,
        valid: impl Fn(&T) -> bool,
        build: impl FnOnce() -> Result<(T, Vec<Oid>)>,
    ) -> Result<Rc<T>> {
        let known = self.entries.borrow().get(&key).map(|entry| entry.value.clone());
        if let Some(value) = known.filter(|value| valid(value)) {
            return Ok(value);
        }
        inval::on_change(forget);
        let before = self.changes.get();
        let (value, depends) = build()?;
        let value = Rc::new(value);
        // what changed while it was built may be missing from it: good for this row, not for the next
        if self.changes.get() == before {
            self.entries.borrow_mut().insert(key, Entry { value: value.clone(), depends });
        }
        Ok(value)
    }

    /// Runs in the middle of catalog access: only lets go of Rust data. A value in use lives on
    /// until its row is done.
    pub fn forget(&self, relid: Option<Oid>) {
        self.changes.set(self.changes.get().wrapping_add(1));
        if let Ok(mut entries) = self.entries.try_borrow_mut() {
            match relid {
                Some(relid) => {
                    entries.retain(|(own, _), entry| *own != relid && !entry.depends.contains(&relid))
                }
                None => entries.clear(),
            }
        }
    }
}
