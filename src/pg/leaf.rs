//! The leaf of a partitioned table that takes rows of a span of time: found, and known to be of exactly
//! the shape we made, so that `heap` may put rows straight into it.

use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::{Cell, RefCell};
use std::ffi::CStr;

/// A column as we made it.
pub struct Column {
    pub name: &'static CStr,
    pub type_oid: Oid,
    /// Whether our rows may lack it.
    pub null: bool,
}

/// Where rows of a span of time go.
pub struct Leaf {
    pub parent: Oid,
    pub oid: Oid,
    /// The times it takes: from the first to before the second.
    pub(super) from: i64,
    pub(super) to: i64,
    /// Cleared when anything about it may have changed.
    pub(super) valid: Cell<bool>,
    pub(super) indexes: Vec<Index>,
    /// Lives as long as this; holds what the server's structures below point to.
    pub(super) memory: pg_sys::MemoryContext,
    /// Emptied after each batch.
    pub(super) batch: pg_sys::MemoryContext,
    pub(super) desc: pg_sys::TupleDesc,
    pub(super) slots: RefCell<Vec<*mut pg_sys::TupleTableSlot>>,
}

pub(super) struct Index {
    pub(super) oid: Oid,
    pub(super) info: *mut pg_sys::IndexInfo,
    /// Attribute numbers of the heap, less one.
    pub(super) columns: Vec<usize>,
    /// A partial index on `column IS NOT NULL`.
    pub(super) unless_null: Option<usize>,
    pub(super) unique: bool,
    /// BRIN that keeps the least and the greatest value: what lies between adds nothing.
    pub(super) minmax: bool,
}
pub(super) const NO_LOCK: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;
pub(super) const WRITE_LOCK: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;

impl Leaf {
    /// The leaf of `parent` that takes a row of time `at`, which is its column `key`. None if it, or
    /// the way to it, is not as `columns` say and nothing else.
    pub fn resolve(parent: Oid, key: i16, at: i64, columns: &[Column]) -> Option<Leaf> {
        // SAFETY: relations are opened under the lock an INSERT takes and closed keeping it; all that
        // is kept is copied into contexts of our own.
        unsafe {
            pg_sys::LockRelationOid(parent, WRITE_LOCK);
            let told = super::inval::told();
            let open = pg_sys::RelationIdGetRelation(parent);
            if open.is_null() {
                return None;
            }
            let found = if fit(open, columns) { place(open, key, at) } else { None };
            pg_sys::RelationClose(open);
            let (oid, from, to) = found?;
            pg_sys::LockRelationOid(oid, WRITE_LOCK);
            let leaf = pg_sys::RelationIdGetRelation(oid);
            if leaf.is_null() {
                return None;
            }
            let heap = (*(*leaf).rd_rel).relkind as u8 == b'r'
                && (*leaf).rd_tableam == pg_sys::GetHeapamTableAmRoutine();
            let made = if heap && fit(leaf, columns) { describe(leaf, parent, from, to) } else { None };
            pg_sys::RelationClose(leaf);
            // an index of it may have been marked dead meanwhile (REINDEX CONCURRENTLY waits only for
            // those who were there before): who writes by this must look again
            if let Some(leaf) = made.as_ref().filter(|_| super::inval::told() != told) {
                leaf.valid.set(false);
            }
            made
        }
    }

    /// Whether a row of this time goes here.
    pub fn takes(&self, at: i64) -> bool {
        self.valid.get() && (self.from..self.to).contains(&at)
    }

    /// Called when a relation changed, or all may have.
    pub fn forget(&self, relid: Option<Oid>) {
        let ours =
            |relid| relid == self.oid || relid == self.parent || self.indexes.iter().any(|i| i.oid == relid);
        if relid.is_none_or(ours) {
            self.valid.set(false);
        }
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        // SAFETY: both contexts are ours alone, and what points into them goes with us.
        unsafe { pg_sys::MemoryContextDelete(self.memory) }
    }
}
/// Whether the relation has these columns and nothing that an INSERT would have to heed.
///
/// # Safety
/// `open` is an open relation.
unsafe fn fit(open: pg_sys::Relation, columns: &[Column]) -> bool {
    // SAFETY: as promised; attributes are counted by natts.
    unsafe {
        let (class, desc, triggers) = (&*(*open).rd_rel, (*open).rd_att, (*open).trigdesc);
        let inserts = !triggers.is_null()
            && ((*triggers).trig_insert_before_row
                || (*triggers).trig_insert_after_row
                || (*triggers).trig_insert_before_statement
                || (*triggers).trig_insert_after_statement);
        let constraints = (*desc).constr;
        let checked =
            !constraints.is_null() && ((*constraints).num_check > 0 || (*constraints).has_generated_stored);
        if inserts
            || checked
            || class.relrowsecurity
            || class.relhasrules
            || class.relpersistence as u8 != b'p'
        {
            return false;
        }
        (*desc).natts as usize == columns.len()
            && columns.iter().enumerate().all(|(i, column)| {
                let form = &*super::compat::tuple_desc_attr(desc, i as i32);
                !form.attisdropped
                    && form.atttypid == column.type_oid
                    && form.attgenerated == 0
                    && CStr::from_ptr(form.attname.data.as_ptr()) == column.name
                    && !(form.attnotnull && column.null)
            })
    }
}

/// The partition that takes `at`, and the times it takes. Mirrors get_partition_for_tuple of
/// execPartition.c for one key of a type that compares as an integer.
///
/// # Safety
/// `open` is an open relation.
unsafe fn place(open: pg_sys::Relation, key: i16, at: i64) -> Option<(Oid, i64, i64)> {
    // SAFETY: the descriptor belongs to the open relation; a range bound has ndatums points and one
    // index more.
    unsafe {
        if (*(*open).rd_rel).relkind as u8 != b'p' || !is_key((*open).rd_id, key) {
            return None;
        }
        let desc = pg_sys::RelationGetPartitionDesc(open, true);
        if (*desc).nparts == 0 {
            return None;
        }
        let bounds = &*(*desc).boundinfo;
        if bounds.strategy as u32 != u32::from(b'r') {
            return None;
        }
        let point = |i: usize| match **bounds.kind.add(i) {
            pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => i64::MIN,
            pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MAXVALUE => i64::MAX,
            _ => (**bounds.datums.add(i)).value() as i64,
        };
        let count = bounds.ndatums as usize;
        let above = (0..count).find(|i| point(*i) > at).unwrap_or(count);
        let mut partition = *bounds.indexes.add(above);
        if partition < 0 {
            partition = bounds.default_index;
        }
        if partition < 0 || !*(*desc).is_leaf.add(partition as usize) {
            return None;
        }
        let from = if above == 0 { i64::MIN } else { point(above - 1) };
        let to = if above == count { i64::MAX } else { point(above) };
        Some((*(*desc).oids.add(partition as usize), from, to))
    }
}

/// Whether attribute `key` alone is what the relation is partitioned by.
fn is_key(relid: Oid, key: i16) -> bool {
    /// Numbers of the columns of pg_partitioned_table.
    const PARTNATTS: i16 = 3;
    const PARTATTRS: i16 = 5;
    let cache = pg_sys::SysCacheIdentifier::PARTRELID as i32;
    // SAFETY: a syscache entry is read between look-up and release; both columns are never null.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(cache, Datum::from(relid));
        if tuple.is_null() {
            return false;
        }
        let mut null = false;
        let natts = pg_sys::SysCacheGetAttr(cache, tuple, PARTNATTS, &mut null).value() as i16;
        let attrs = pg_sys::SysCacheGetAttr(cache, tuple, PARTATTRS, &mut null);
        let first = *(*attrs.cast_mut_ptr::<pg_sys::int2vector>()).values.as_ptr();
        pg_sys::ReleaseSysCache(tuple);
        natts == 1 && first == key
    }
}

/// # Safety
/// `open` is an open relation, locked for writing.
unsafe fn describe(open: pg_sys::Relation, parent: Oid, from: i64, to: i64) -> Option<Leaf> {
    // SAFETY: as promised; what is built goes into a context of our own.
    unsafe {
        let memory = context(pg_sys::CacheMemoryContext, c"dbguard leaf");
        let old = pg_sys::MemoryContextSwitchTo(memory);
        let mut leaf = Leaf {
            parent,
            oid: (*open).rd_id,
            from,
            to,
            valid: Cell::new(true),
            indexes: vec![],
            memory,
            batch: context(memory, c"dbguard batch"),
            desc: pg_sys::CreateTupleDescCopy((*open).rd_att),
            slots: RefCell::default(),
        };
        let list = pg_sys::RelationGetIndexList(open);
        let count = if list.is_null() { 0 } else { (*list).length as usize };
        for i in 0..count {
            let index = pg_sys::index_open((*(*list).elements.add(i)).oid_value, WRITE_LOCK);
            let described = index_of(index);
            pg_sys::index_close(index, NO_LOCK);
            match described {
                Some(index) => leaf.indexes.push(index),
                None => {
                    pg_sys::MemoryContextSwitchTo(old);
                    return None;
                }
            }
        }
        pg_sys::MemoryContextSwitchTo(old);
        Some(leaf)
    }
}

/// None for an index that needs more than the values of columns.
///
/// # Safety
/// `open` is an open index; the current context lives as long as the result.
unsafe fn index_of(open: pg_sys::Relation) -> Option<Index> {
    // SAFETY: as promised.
    unsafe {
        let info = pg_sys::BuildIndexInfo(open);
        let form = &*(*open).rd_index;
        let brin = (*(*open).rd_rel).relam == pg_sys::BRIN_AM_OID;
        let simple = (brin || (*(*open).rd_rel).relam == pg_sys::BTREE_AM_OID)
            && (*info).ii_Expressions.is_null()
            && (*info).ii_ExclusionOps.is_null()
            && (*info).ii_ReadyForInserts
            && form.indimmediate;
        let predicate = (*info).ii_Predicate;
        let unless_null = match predicate.as_ref() {
            None => None,
            Some(list) if list.length == 1 => Some(not_null_test((*list.elements).ptr_value.cast())?),
            Some(_) => return None,
        };
        let count = (*info).ii_NumIndexAttrs as usize;
        let of_minmax = |i: usize| {
            pg_sys::index_getprocid(open, i as i16 + 1, 1) == Oid::from(pg_sys::F_BRIN_MINMAX_OPCINFO)
        };
        let numbers = &(*info).ii_IndexAttrNumbers;
        let columns = numbers[..count].iter();
        let columns: Option<Vec<usize>> = columns.map(|number| usize::try_from(number - 1).ok()).collect();
        let index = Index {
            oid: (*open).rd_id,
            info,
            columns: columns?,
            unless_null,
            unique: form.indisunique,
            minmax: brin && (0..count).all(of_minmax),
        };
        simple.then_some(index)
    }
}

/// The column of `column IS NOT NULL`, by attribute number less one.
///
/// # Safety
/// `node` is an expression node.
unsafe fn not_null_test(node: *mut pg_sys::Node) -> Option<usize> {
    // SAFETY: as promised; a node's tag says which structure it is.
    unsafe {
        if (*node).type_ != pg_sys::NodeTag::T_NullTest {
            return None;
        }
        let test = &*node.cast::<pg_sys::NullTest>();
        let argument = test.arg.cast::<pg_sys::Var>();
        let is_column = (*argument.cast::<pg_sys::Node>()).type_ == pg_sys::NodeTag::T_Var;
        let fits = is_column && !test.argisrow && test.nulltesttype == pg_sys::NullTestType::IS_NOT_NULL;
        if fits {
            usize::try_from((*argument).varattno - 1).ok()
        } else {
            None
        }
    }
}

/// # Safety
/// `parent` is a memory context.
unsafe fn context(parent: pg_sys::MemoryContext, name: &'static CStr) -> pg_sys::MemoryContext {
    // SAFETY: as promised; sizes of ALLOCSET_DEFAULT_SIZES.
    unsafe { pg_sys::AllocSetContextCreateInternal(parent, name.as_ptr(), 0, 8 * 1024, 8 * 1024 * 1024) }
}
