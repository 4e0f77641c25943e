//! Whether a row of the log that something kept in memory relies on is there: a rolled back
//! (sub)transaction takes it along, a committed one makes it sure.

use crate::pg::xact;
use pgrx::pg_sys::TransactionId;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[derive(Clone, Copy)]
enum State {
    Sure,
    /// Written by this (sub)transaction, which has not ended.
    By(TransactionId),
    Gone,
}

/// A row's.
pub struct Pledge(Cell<State>);

thread_local! {
    /// Those that the end of the transaction decides about.
    static OPEN: RefCell<Vec<Rc<Pledge>>> = const { RefCell::new(Vec::new()) };
}

impl Pledge {
    /// For a row that was committed, or written by `by` of this transaction.
    pub fn new(by: Option<TransactionId>) -> Rc<Pledge> {
        let pledge = Rc::new(Pledge(Cell::new(by.map_or(State::Sure, State::By))));
        if by.is_some() {
            OPEN.with_borrow_mut(|open| open.push(pledge.clone()));
        }
        pledge
    }

    pub fn holds(&self) -> bool {
        match self.0.get() {
            State::Sure => true,
            State::By(xid) => xact::stands(xid),
            State::Gone => false,
        }
    }
}

/// Before the transaction commits: its subtransactions are still told apart.
pub fn before_commit() {
    OPEN.with_borrow_mut(|open| {
        open.retain(|pledge| {
            let holds = pledge.holds();
            if !holds {
                pledge.0.set(State::Gone);
            }
            holds
        })
    });
}

/// What was prepared counts as gone: nobody tells us how it ends.
pub fn transaction_over(committed: bool) {
    OPEN.with_borrow_mut(|open| {
        for pledge in open.drain(..) {
            pledge.0.set(if committed { State::Sure } else { State::Gone });
        }
    });
}
