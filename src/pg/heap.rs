//! Rows put straight into a leaf of a partitioned table and its indexes: no SQL, no executor.
//!
//! What an INSERT does besides (privileges, row security, CHECK constraints, triggers, defaults) does
//! not happen here. So only a table of exactly the shape we made is written to this way; `Leaf::resolve`
//! says when it is not, and the caller sends an ordinary INSERT.

use super::leaf::{Index, Leaf, NO_LOCK, WRITE_LOCK};
use pgrx::pg_sys::{self, Datum};

/// Rows to append: `width` values each, row after row. What they point to must live until then.
pub struct Rows {
    pub width: usize,
    pub values: Vec<Datum>,
    pub nulls: Vec<bool>,
}

impl Rows {
    pub fn new(width: usize, count: usize) -> Rows {
        let capacity = width * count;
        Rows { width, values: Vec::with_capacity(capacity), nulls: Vec::with_capacity(capacity) }
    }

    /// The next value of the row at hand; None is NULL.
    pub fn push(&mut self, value: Option<Datum>) {
        self.values.push(value.unwrap_or(Datum::null()));
        self.nulls.push(value.is_none());
    }
}

/// What came of an attempt to append.
#[derive(PartialEq, Eq)]
pub enum Appended {
    Done,
    /// The table changed while we waited for it: resolve anew. Nothing was written.
    Stale,
}

impl Leaf {
    /// Appends all rows, in order. An error of the server ends the (sub)transaction, as of an INSERT.
    pub fn append(&self, rows: &Rows) -> Appended {
        let count = rows.values.len() / rows.width;
        // SAFETY: the lock an INSERT into the leaf takes (whatever takes the leaf from its parent locks
        // the leaf as well); then, with our caches known to be right, the raw calls in one guarded
        // frame, which holds nothing that would have to be dropped.
        unsafe {
            pg_sys::LockRelationOid(self.oid, WRITE_LOCK);
            if !self.valid.get() {
                // to look anew is to lock the parent first, as whoever changes both does
                pg_sys::UnlockRelationOid(self.oid, WRITE_LOCK);
                return Appended::Stale;
            }
            self.have_slots(if count > 1 { count } else { 0 });
            let slots = self.slots.borrow_mut().as_mut_ptr();
            crate::ffi::pg_guard_ffi_boundary(|| {
                let old = raw::switch_to(self.batch);
                let relation = raw::table_open(self.oid, NO_LOCK);
                if count == 1 {
                    self.put_one(relation, rows);
                } else {
                    self.put_many(relation, rows, slots, count);
                }
                raw::table_close(relation, NO_LOCK);
                raw::switch_to(old);
                raw::MemoryContextReset(self.batch);
            });
        }
        Appended::Done
    }

    fn have_slots(&self, count: usize) {
        let mut slots = self.slots.borrow_mut();
        // SAFETY: slots live in our own context, on our own copy of the descriptor.
        unsafe {
            let old = pg_sys::MemoryContextSwitchTo(self.memory);
            while slots.len() < count {
                slots.push(pg_sys::MakeSingleTupleTableSlot(self.desc, &raw const pg_sys::TTSOpsVirtual));
            }
            pg_sys::MemoryContextSwitchTo(old);
        }
    }

    /// # Safety
    /// Of this and what follows: inside a guarded frame, with the leaf locked and open, in the batch
    /// context, with rows of the leaf's shape.
    unsafe fn put_one(&self, relation: pg_sys::Relation, rows: &Rows) {
        // SAFETY: as promised.
        unsafe {
            let (values, nulls) = (rows.values.as_ptr().cast_mut(), rows.nulls.as_ptr().cast_mut());
            let tuple = raw::heap_form_tuple(self.desc, values, nulls);
            raw::heap_insert(relation, tuple, raw::GetCurrentCommandId(true), 0, std::ptr::null_mut());
            for index in self.indexes.iter().filter(|index| index.takes(nulls)) {
                let open = raw::index_open(index.oid, WRITE_LOCK);
                let mut info = index.info();
                index.put(open, relation, &mut info, values, nulls, &raw mut (*tuple).t_self);
                super::compat::index_insert_cleanup(open, &mut info);
                raw::index_close(open, NO_LOCK);
            }
        }
    }

    /// # Safety
    /// As put_one; `slots` are at least `count`.
    unsafe fn put_many(
        &self,
        relation: pg_sys::Relation,
        rows: &Rows,
        slots: *mut *mut pg_sys::TupleTableSlot,
        count: usize,
    ) {
        // SAFETY: as promised; a slot has room for one value a column.
        unsafe {
            for i in 0..count {
                let slot = *slots.add(i);
                (*slot).tts_flags |= pg_sys::TTS_FLAG_EMPTY as u16;
                let (values, nulls) = (&rows.values[i * rows.width], &rows.nulls[i * rows.width]);
                std::ptr::copy_nonoverlapping(values, (*slot).tts_values, rows.width);
                std::ptr::copy_nonoverlapping(nulls, (*slot).tts_isnull, rows.width);
                raw::ExecStoreVirtualTuple(slot);
            }
            let command = raw::GetCurrentCommandId(true);
            raw::heap_multi_insert(relation, slots, count as i32, command, 0, std::ptr::null_mut());
            // index by index: its upper pages stay in the cache
            for index in &self.indexes {
                if !rows.nulls.chunks(rows.width).any(|nulls| index.takes(nulls.as_ptr())) {
                    continue;
                }
                let open = raw::index_open(index.oid, WRITE_LOCK);
                let mut info = index.info();
                for i in 0..count {
                    let slot = *slots.add(i);
                    if !index.takes((*slot).tts_isnull) {
                        continue;
                    }
                    let tid = &raw mut (*slot).tts_tid;
                    if index.minmax && i > 0 && i + 1 < count && same_block_around(slots, i, &index.columns) {
                        continue;
                    }
                    index.put(open, relation, &mut info, (*slot).tts_values, (*slot).tts_isnull, tid);
                }
                super::compat::index_insert_cleanup(open, &mut info);
                raw::index_close(open, NO_LOCK);
            }
            for i in 0..count {
                (*(*slots.add(i))).tts_flags |= pg_sys::TTS_FLAG_EMPTY as u16;
            }
        }
    }
}
impl Index {
    /// A copy for one batch: what an access method keeps in it (BRIN) is of the relation as it is
    /// open now.
    fn info(&self) -> pg_sys::IndexInfo {
        // SAFETY: built by resolve; the copy points to the same lists.
        let mut info = unsafe { *self.info };
        info.ii_AmCache = std::ptr::null_mut();
        // SAFETY: reads a variable of the backend: the batch context.
        info.ii_Context = unsafe { pg_sys::CurrentMemoryContext };
        info
    }

    /// Whether a row with these nulls has an entry.
    ///
    /// # Safety
    /// As put_one.
    unsafe fn takes(&self, nulls: *const bool) -> bool {
        // SAFETY: as promised; the column is within the row.
        self.unless_null.is_none_or(|column| unsafe { !*nulls.add(column) })
    }

    /// # Safety
    /// As put_one.
    unsafe fn put(
        &self,
        index: pg_sys::Relation,
        heap: pg_sys::Relation,
        info: &mut pg_sys::IndexInfo,
        values: *const Datum,
        nulls: *const bool,
        tid: pg_sys::ItemPointer,
    ) {
        let mut key = [Datum::null(); pg_sys::INDEX_MAX_KEYS as usize];
        let mut null = [false; pg_sys::INDEX_MAX_KEYS as usize];
        // SAFETY: as promised; columns are within the row.
        unsafe {
            for (i, column) in self.columns.iter().enumerate() {
                (key[i], null[i]) = (*values.add(*column), *nulls.add(*column));
            }
            let unique = if self.unique {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES
            } else {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO
            };
            raw::index_insert(index, key.as_mut_ptr(), null.as_mut_ptr(), tid, heap, unique, false, info);
        }
    }
}

/// Whether row i lies between its neighbours in their block, and its values between theirs. Compares
/// values that are passed by value as unsigned, which is right for what is never negative, as in our
/// own columns.
///
/// # Safety
/// The slots hold i - 1, i and i + 1.
unsafe fn same_block_around(slots: *mut *mut pg_sys::TupleTableSlot, i: usize, columns: &[usize]) -> bool {
    // SAFETY: as promised.
    unsafe {
        let (before, this, after) = (*slots.add(i - 1), *slots.add(i), *slots.add(i + 1));
        let block = |slot: *mut pg_sys::TupleTableSlot| {
            let id = (*slot).tts_tid.ip_blkid;
            (id.bi_hi, id.bi_lo)
        };
        let value = |slot: *mut pg_sys::TupleTableSlot, column: usize| {
            (!*(*slot).tts_isnull.add(column)).then(|| (*(*slot).tts_values.add(column)).value())
        };
        let by_value = |column: usize| {
            (*super::compat::tuple_desc_attr((*this).tts_tupleDescriptor, column as i32)).attbyval
        };
        let between = |column: usize| {
            let (low, mid, high) = (value(before, column), value(this, column), value(after, column));
            by_value(column) && low.is_some() && low <= mid && mid <= high
        };
        block(before) == block(this) && block(this) == block(after) && columns.iter().all(|c| between(*c))
    }
}
/// The server's functions as they are: pgrx guards each call, which costs more than some of them.
/// For use inside one guarded frame only.
mod raw {
    use pgrx::pg_sys::*;

    unsafe extern "C-unwind" {
        pub fn table_open(relid: Oid, lock: LOCKMODE) -> Relation;
        pub fn table_close(relation: Relation, lock: LOCKMODE);
        pub fn index_open(relid: Oid, lock: LOCKMODE) -> Relation;
        pub fn index_close(relation: Relation, lock: LOCKMODE);
        pub fn heap_form_tuple(desc: TupleDesc, values: *mut Datum, nulls: *mut bool) -> HeapTuple;
        pub fn heap_insert(
            relation: Relation,
            tuple: HeapTuple,
            command: CommandId,
            options: i32,
            state: BulkInsertState,
        );
        pub fn heap_multi_insert(
            relation: Relation,
            slots: *mut *mut TupleTableSlot,
            count: i32,
            command: CommandId,
            options: i32,
            state: BulkInsertState,
        );
        pub fn index_insert(
            index: Relation,
            values: *mut Datum,
            nulls: *mut bool,
            tid: ItemPointer,
            heap: Relation,
            unique: IndexUniqueCheck::Type,
            unchanged: bool,
            info: *mut IndexInfo,
        ) -> bool;
        pub fn ExecStoreVirtualTuple(slot: *mut TupleTableSlot) -> *mut TupleTableSlot;
        pub fn GetCurrentCommandId(used: bool) -> CommandId;
        pub fn MemoryContextReset(context: MemoryContext);
    }

    /// # Safety
    /// `context` is a memory context.
    pub unsafe fn switch_to(context: MemoryContext) -> MemoryContext {
        // SAFETY: the variable of the backend, as MemoryContextSwitchTo sets it.
        unsafe {
            let old = CurrentMemoryContext;
            CurrentMemoryContext = context;
            old
        }
    }
}
