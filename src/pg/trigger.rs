//! A call of a trigger function, and the rows it was called for.

use super::query::Param;
use crate::error::{Error, Result};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use std::ffi::CStr;
use std::marker::PhantomData;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    Insert,
    Update,
    Delete,
    Truncate,
}

/// One call of a trigger function; lives as long as the call.
pub struct TriggerCall<'a> {
    data: *mut pg_sys::TriggerData,
    call: PhantomData<&'a ()>,
}

/// A row taken apart into its attributes, by attribute number less one.
#[derive(Default)]
pub struct Row<'a> {
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    call: PhantomData<&'a ()>,
}

impl<'a> TriggerCall<'a> {
    /// `function` is only for the message when it was not called as a trigger (39P01).
    pub fn new(fcinfo: pg_sys::FunctionCallInfo, function: &str) -> Result<TriggerCall<'a>> {
        // SAFETY: the server gives a valid fcinfo, whose context is a node or null.
        unsafe {
            let context = (*fcinfo).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return Err(Error::trigger_protocol(format!(
                    "function \"{function}\" was not called by trigger manager"
                ))
                .hint("It is a trigger function: name it in CREATE TRIGGER."));
            }
            Ok(TriggerCall { data: context.cast(), call: PhantomData })
        }
    }

    fn flags(&self) -> u32 {
        // SAFETY: `data` was checked in new().
        unsafe { (*self.data).tg_event }
    }

    pub fn event(&self) -> Event {
        match self.flags() & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => Event::Insert,
            pg_sys::TRIGGER_EVENT_UPDATE => Event::Update,
            pg_sys::TRIGGER_EVENT_DELETE => Event::Delete,
            _ => Event::Truncate,
        }
    }

    pub fn for_each_row(&self) -> bool {
        self.flags() & pg_sys::TRIGGER_EVENT_ROW != 0
    }

    pub fn before(&self) -> bool {
        self.flags() & pg_sys::TRIGGER_EVENT_TIMINGMASK == pg_sys::TRIGGER_EVENT_BEFORE
    }

    pub fn after(&self) -> bool {
        self.flags() & pg_sys::TRIGGER_EVENT_TIMINGMASK == pg_sys::TRIGGER_EVENT_AFTER
    }

    pub fn relation_oid(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open and locked for the length of the call.
        unsafe { (*(*self.data).tg_relation).rd_id }
    }

    pub fn relation_name(&self) -> String {
        // SAFETY: as above; relname is a NUL-terminated NameData.
        unsafe {
            let class = (*(*self.data).tg_relation).rd_rel;
            CStr::from_ptr((*class).relname.data.as_ptr()).to_string_lossy().into_owned()
        }
    }

    /// pg_class.relkind of the relation, and whether it is a partition.
    pub fn kind(&self) -> (char, bool) {
        // SAFETY: the relation is open and locked for the length of the call.
        unsafe {
            let class = (*(*self.data).tg_relation).rd_rel;
            ((*class).relkind as u8 as char, (*class).relispartition)
        }
    }

    /// Whether the trigger is fired by UPDATE, too.
    pub fn made_for_update(&self) -> bool {
        // SAFETY: the trigger belongs to the open relation.
        unsafe { (*(*self.data).tg_trigger).tgtype & pg_sys::TRIGGER_TYPE_UPDATE as i16 != 0 }
    }

    /// Who owns the relation.
    pub fn owner(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open and locked for the length of the call.
        unsafe { (*(*(*self.data).tg_relation).rd_rel).relowner }
    }

    /// An attribute of a row of this call as an argument of a statement; NULL if there is no such.
    pub fn argument<'r>(&self, row: &Row<'r>, attnum: i16) -> DatumWithOid<'r> {
        // SAFETY: the datum is of the type that the relation says; it lives as long as the call.
        unsafe {
            let type_oid = pg_sys::SPI_gettypeid(self.descriptor(), i32::from(attnum));
            match row.is_null(attnum) {
                true => DatumWithOid::null_oid(type_oid),
                false => DatumWithOid::new(row.datum(attnum), type_oid),
            }
        }
    }

    /// The same for `query::each`.
    pub fn param(&self, row: &Row, attnum: i16) -> Param {
        // SAFETY: reads the relation's descriptor.
        let type_oid = unsafe { pg_sys::SPI_gettypeid(self.descriptor(), i32::from(attnum)) };
        (type_oid, (!row.is_null(attnum)).then(|| row.datum(attnum)))
    }

    pub fn trigger_oid(&self) -> pg_sys::Oid {
        // SAFETY: the trigger belongs to the open relation.
        unsafe { (*(*self.data).tg_trigger).tgoid }
    }

    /// The arguments in CREATE TRIGGER.
    pub fn args(&self) -> Vec<String> {
        // SAFETY: tgargs holds tgnargs C strings.
        unsafe {
            let trigger = (*self.data).tg_trigger;
            (0..(*trigger).tgnargs as usize)
                .map(|i| CStr::from_ptr(*(*trigger).tgargs.add(i)).to_string_lossy().into_owned())
                .collect()
        }
    }

    pub(super) fn relation(&self) -> pg_sys::Relation {
        // SAFETY: the relation is open and locked for the length of the call.
        unsafe { (*self.data).tg_relation }
    }

    /// The row's shape: the relation's tuple descriptor.
    pub(super) fn descriptor(&self) -> pg_sys::TupleDesc {
        // SAFETY: the relation is open and locked for the length of the call.
        unsafe { (*(*self.data).tg_relation).rd_att }
    }

    /// The row before the event (UPDATE, DELETE) or the inserted one.
    pub fn first(&self) -> Row<'a> {
        let mut row = Row::default();
        self.first_into(&mut row);
        row
    }

    /// The row an UPDATE makes.
    pub fn second(&self) -> Row<'a> {
        let mut row = Row::default();
        self.second_into(&mut row);
        row
    }

    /// The same into a row that was used before: no memory to ask for.
    pub fn first_into(&self, row: &mut Row<'a>) {
        // SAFETY: row triggers always have it.
        self.deform(unsafe { (*self.data).tg_trigtuple }, row)
    }

    pub fn second_into(&self, row: &mut Row<'a>) {
        // SAFETY: UPDATE row triggers always have it.
        self.deform(unsafe { (*self.data).tg_newtuple }, row)
    }

    fn deform(&self, tuple: pg_sys::HeapTuple, row: &mut Row<'a>) {
        // SAFETY: the tuple has the relation's shape; the arrays have one place an attribute.
        unsafe {
            let desc = self.descriptor();
            let natts = (*desc).natts as usize;
            row.values.resize(natts, pg_sys::Datum::null());
            row.nulls.resize(natts, true);
            if tuple.is_null() {
                row.nulls.fill(true);
            } else {
                pg_sys::heap_deform_tuple(tuple, desc, row.values.as_mut_ptr(), row.nulls.as_mut_ptr());
            }
        }
    }

    /// The command of this transaction that made the change an AFTER ROW trigger is fired for.
    pub fn command(&self) -> pg_sys::CommandId {
        // SAFETY: row triggers always have their tuples, as they are on the page; the transaction at
        // hand has made the new one, or deleted the old one.
        unsafe {
            match self.event() {
                Event::Insert => pg_sys::HeapTupleHeaderGetCmin((*(*self.data).tg_trigtuple).t_data),
                Event::Update => pg_sys::HeapTupleHeaderGetCmin((*(*self.data).tg_newtuple).t_data),
                _ => pg_sys::HeapTupleHeaderGetCmax((*(*self.data).tg_trigtuple).t_data),
            }
        }
    }

    /// The command of this transaction that changed the row again, or deleted it, since the change that an AFTER ROW
    /// trigger is fired for.
    pub fn changed_again_by(&self) -> Option<pg_sys::CommandId> {
        // SAFETY: as for `command`; of a row on its page, the header says who has changed it since.
        unsafe {
            let row = match self.event() {
                Event::Insert => (*(*self.data).tg_trigtuple).t_data,
                Event::Update => (*(*self.data).tg_newtuple).t_data,
                _ => return None,
            };
            let says = u32::from((*row).t_infomask);
            if says & (pg_sys::HEAP_XMAX_INVALID | pg_sys::HEAP_XMAX_LOCK_ONLY) != 0 {
                return None;
            }
            let by = match says & pg_sys::HEAP_XMAX_IS_MULTI {
                0 => (*row).t_choice.t_heap.t_xmax,
                _ => pg_sys::HeapTupleGetUpdateXid(row),
            };
            super::xact::stands(by).then(|| pg_sys::HeapTupleHeaderGetCmax(row))
        }
    }

    /// Whether the row that an AFTER ROW trigger is fired for was made in this very transaction, before the change.
    pub fn changes_again(&self) -> bool {
        if self.event() == Event::Insert {
            return false;
        }
        // SAFETY: as for `command`.
        unsafe {
            let row = (*(*self.data).tg_trigtuple).t_data;
            u32::from((*row).t_infomask) & pg_sys::HEAP_XMIN_COMMITTED == 0
                && super::xact::stands((*row).t_choice.t_heap.t_xmin)
        }
    }

    /// Whether a DELETE is the first half of a move to another partition: the row then says so
    /// itself (ItemPointerIndicatesMovedPartitions of itemptr.h). The second half is the INSERT that
    /// comes next.
    pub fn moves_on(&self) -> bool {
        // SAFETY: row triggers always have the tuple, as it is on its page.
        unsafe {
            let tuple = (*self.data).tg_trigtuple;
            let next = (*(*tuple).t_data).t_ctid;
            next.ip_posid == 0xfffd && next.ip_blkid.bi_hi == 0xffff && next.ip_blkid.bi_lo == 0xffff
        }
    }

    /// Both rows of an UPDATE.
    pub(super) fn tuples(&self) -> (pg_sys::HeapTuple, pg_sys::HeapTuple) {
        // SAFETY: reads pointers of the call.
        unsafe { ((*self.data).tg_trigtuple, (*self.data).tg_newtuple) }
    }

    /// The row as it is to be written: what a BEFORE ROW trigger may return to let it through as it is.
    fn written(&self) -> pg_sys::HeapTuple {
        // SAFETY: reads pointers of the call.
        unsafe {
            match self.event() {
                Event::Update => (*self.data).tg_newtuple,
                _ => (*self.data).tg_trigtuple,
            }
        }
    }

    pub fn keep_new(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.written())
    }

    /// What a BEFORE INSERT or UPDATE trigger returns to let the row through with one attribute replaced. `value`
    /// must be of the attribute's type.
    pub fn replace_in_new(&self, attnum: i16, value: pg_sys::Datum) -> pg_sys::Datum {
        self.set_in_new(attnum, Some(value))
    }

    /// The same with a value or NULL.
    pub fn set_in_new(&self, attnum: i16, value: Option<pg_sys::Datum>) -> pg_sys::Datum {
        let (mut attnum, mut null) = (i32::from(attnum), value.is_none());
        let mut value = value.unwrap_or(pg_sys::Datum::null());
        // SAFETY: the row has the relation's shape; one column is replaced.
        unsafe {
            let tuple = pg_sys::heap_modify_tuple_by_cols(
                self.written(),
                self.descriptor(),
                1,
                &mut attnum,
                &mut value,
                &mut null,
            );
            pg_sys::Datum::from(tuple)
        }
    }

    /// The same with what another row of this call has.
    pub fn replace_by(&self, attnum: i16, row: &Row) -> pg_sys::Datum {
        self.set_in_new(attnum, row.get(attnum))
    }
}

impl<'a> Row<'a> {
    /// The same places in memory, for rows of another call.
    pub fn reuse<'b>(mut self) -> Row<'b> {
        self.values.clear();
        self.nulls.clear();
        Row { values: self.values, nulls: self.nulls, call: PhantomData }
    }

    pub fn is_null(&self, attnum: i16) -> bool {
        self.nulls.get(attnum as usize - 1).copied().unwrap_or(true)
    }

    /// A value of the row; None if it is NULL.
    pub fn get(&self, attnum: i16) -> Option<pg_sys::Datum> {
        (!self.is_null(attnum)).then(|| self.datum(attnum))
    }

    pub(super) fn datum(&self, attnum: i16) -> pg_sys::Datum {
        self.values.get(attnum as usize - 1).copied().unwrap_or(pg_sys::Datum::null())
    }

    /// A row of the caller's own, with these attributes set and all others null.
    pub(super) fn from_parts(values: Vec<pg_sys::Datum>, nulls: Vec<bool>) -> Row<'a> {
        Row { values, nulls, call: PhantomData }
    }
}
