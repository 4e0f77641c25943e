//! How many changes of which table a transaction has written, for dbguard.audit_notify.

use super::buffer::Entry;
use super::target::Target;
use crate::audit::ship::notify::{self, Changed};
use crate::pg::{guc, xact};
use crate::settings;
use pgrx::pg_sys::TransactionId;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

struct Count {
    by: TransactionId,
    target: Rc<Target>,
    changes: u64,
}

thread_local! {
    static COUNTS: RefCell<Vec<Count>> = const { RefCell::new(Vec::new()) };
}

/// Notes what is being written, if anybody is to be told.
pub fn count(entries: &[Entry]) {
    if !guc::peek(&settings::AUDIT_NOTIFY, |channel| channel.is_some_and(|c| !c.is_empty())) {
        return;
    }
    let by = xact::current_id();
    COUNTS.with_borrow_mut(|counts| {
        for entry in entries {
            match counts.last_mut().filter(|c| c.by == by && Rc::ptr_eq(&c.target, &entry.target)) {
                Some(count) => count.changes += 1,
                None => counts.push(Count { by, target: entry.target.clone(), changes: 1 }),
            }
        }
    });
}

/// Tells it, before the transaction commits: without what savepoints took back.
pub fn announce() {
    let counts = COUNTS.take();
    if counts.is_empty() {
        return;
    }
    let mut tables: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for count in counts.iter().filter(|count| xact::stands(count.by)) {
        *tables.entry((&count.target.schema, &count.target.name)).or_default() += count.changes;
    }
    let tables: Vec<Changed> = tables
        .iter()
        .map(|((schema, table), changes)| Changed { schema, table, changes: *changes })
        .collect();
    notify::announce(&tables, xact::top_id());
}

pub fn transaction_over() {
    COUNTS.with_borrow_mut(Vec::clear);
}
