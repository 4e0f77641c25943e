//! What a trigger does to the statement that fired it, beyond the row it returns.

use super::compat;
use super::trigger::TriggerCall;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, Datum, NodeTag};
use std::ffi::CStr;

impl TriggerCall<'_> {
    /// Updates the row that a BEFORE DELETE trigger is called for, as an UPDATE of that one column would: with BEFORE
    /// and AFTER ROW triggers, generated columns, constraints and indexes; AFTER triggers fire at the end of the
    /// statement. Nobody's privileges are asked: who may delete the row may have this done instead. The row is locked
    /// by then, so that nobody else can change it on the way. False if a BEFORE UPDATE trigger has said no.
    ///
    /// As the apply worker of logical replication does it (worker.c); the relation must be an ordinary table.
    pub fn update_instead(&self, attnum: i16, value: Option<Datum>) -> bool {
        let (mut number, mut null) = (i32::from(attnum), value.is_none());
        let mut value = value.unwrap_or(Datum::null());
        // SAFETY: the relation is open and locked by the statement; all that is made here lives in the memory of
        // this executor, or of the call, and is closed before the call ends. An error unwinds, and the
        // (sub)transaction's abort closes it.
        unsafe {
            let (relation, old) = (self.relation(), self.tuples().0);
            let executor = pg_sys::CreateExecutorState();
            let column = i32::from(attnum) - pg_sys::FirstLowInvalidHeapAttributeNumber;
            let columns = pg_sys::bms_make_singleton(column);
            compat::init_range_table(executor, relation, columns);
            (*executor).es_output_cid = pg_sys::GetCurrentCommandId(true);
            (*executor).es_snapshot = pg_sys::GetActiveSnapshot();
            let result = pgrx::PgBox::<pg_sys::ResultRelInfo>::alloc_node(NodeTag::T_ResultRelInfo).into_pg();
            pg_sys::InitResultRelInfo(result, relation, 1, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(result, false);
            let mut recheck = std::mem::zeroed::<pg_sys::EPQState>();
            compat::init_recheck(&mut recheck, executor);
            let before = pg_sys::table_slot_create(relation, &mut (*executor).es_tupleTable);
            pg_sys::ExecForceStoreHeapTuple(old, before, false);
            (*before).tts_tid = (*old).t_self;
            let after = pg_sys::table_slot_create(relation, &mut (*executor).es_tupleTable);
            let new = pg_sys::heap_modify_tuple_by_cols(
                old,
                self.descriptor(),
                1,
                &mut number,
                &mut value,
                &mut null,
            );
            pg_sys::ExecForceStoreHeapTuple(new, after, false);
            (*after).tts_tid = (*old).t_self;
            pg_sys::ExecSimpleRelationUpdate(result, executor, &mut recheck, before, after);
            // the new row has a place of its own; one that was not made has none, or still that of the old one
            let place = &(*after).tts_tid;
            let done = place.ip_posid != 0 && !same_place(place, &(*old).t_self);
            pg_sys::EvalPlanQualEnd(&mut recheck);
            pg_sys::ExecResetTupleTable((*executor).es_tupleTable, false);
            pg_sys::ExecCloseIndices(result);
            pg_sys::ExecCloseResultRelations(executor);
            pg_sys::FreeExecutorState(executor);
            done
        }
    }

    /// Whether this transaction had the old row locked as for a DELETE when it was updated: nobody can refer to it anew.
    pub fn was_locked_to_delete(&self) -> bool {
        // SAFETY: UPDATE row triggers have the old row, as it was read from the table.
        unsafe { u32::from((*(*self.tuples().0).t_data).t_infomask2) & pg_sys::HEAP_KEYS_UPDATED != 0 }
    }

    /// Where the new row of an UPDATE is, as an argument of a statement.
    pub fn new_place(&self) -> DatumWithOid<'_> {
        // SAFETY: AFTER UPDATE row triggers have the new row; it lives as long as the call.
        unsafe { DatumWithOid::new(Datum::from(&raw const (*self.tuples().1).t_self), pg_sys::TIDOID) }
    }

    /// Where the row is that the trigger is called for.
    pub fn place(&self) -> pg_sys::ItemPointerData {
        // SAFETY: row triggers always have it.
        unsafe { (*self.tuples().0).t_self }
    }
}

pub fn same_place(a: &pg_sys::ItemPointerData, b: &pg_sys::ItemPointerData) -> bool {
    (a.ip_posid, a.ip_blkid.bi_hi, a.ip_blkid.bi_lo) == (b.ip_posid, b.ip_blkid.bi_hi, b.ip_blkid.bi_lo)
}

/// Lets the DELETE or MERGE that has fired a BEFORE trigger count the row, though the trigger keeps it from being
/// deleted: the client is told of a row that is no longer there. To be called first of all by the trigger function.
///
/// A trigger is not told of the executor's state; but it is called in the memory of the executor, which begins with
/// that very state (CreateExecutorState of execUtils.c). What is found there is taken for it only if it says of
/// itself that this memory is its own; else the row is not counted, and nothing else is lost.
pub struct Statement(Option<*mut pg_sys::EState>);

impl Statement {
    pub fn of_trigger() -> Statement {
        // SAFETY: a memory context that the server made starts a block of 8 kB at least, so that the places looked
        // at are within; a state that names this context as its own is one.
        unsafe {
            let row = pg_sys::CurrentMemoryContext;
            let own = if row.is_null() { row } else { (*row).parent };
            let set = NodeTag::T_AllocSetContext;
            if own.is_null() || (*own).type_ != set || CStr::from_ptr((*own).name) != c"ExecutorState" {
                return Statement(None);
            }
            let words = (0..MOST_HEADERS).step_by(size_of::<usize>());
            let found = words.map(|at| own.cast::<u8>().add(at).cast::<pg_sys::EState>()).find(|state| {
                (**state).type_ == NodeTag::T_EState && (**state).es_query_cxt == own && {
                    let rows = (**state).es_per_tuple_exprcontext;
                    !rows.is_null() && (*rows).ecxt_per_tuple_memory == row
                }
            });
            Statement(found)
        }
    }

    /// Whether it is a DELETE. One that is a part of another statement (WITH) is not told.
    pub fn deletes(&self) -> bool {
        // SAFETY: as for `count_row`.
        self.0.is_some_and(|state| unsafe {
            let plan = (*state).es_plannedstmt;
            !plan.is_null() && (*plan).commandType == pg_sys::CmdType::CMD_DELETE
        })
    }

    /// Adds a row to what the statement reports. Not if it has parts that change rows by themselves (WITH): they
    /// report nothing, and it is not known whether this row is of such a part.
    pub fn count_row(&self) {
        let Some(state) = self.0 else { return };
        // SAFETY: found by `of_trigger`, whose call has not ended; the planned statement lives as long.
        unsafe {
            let plan = (*state).es_plannedstmt;
            let deletes = !plan.is_null()
                && !(*plan).hasModifyingCTE
                && matches!((*plan).commandType, pg_sys::CmdType::CMD_DELETE | pg_sys::CmdType::CMD_MERGE);
            if deletes {
                (*state).es_processed += 1;
            }
        }
    }
}

/// The headers of a context, a block and a chunk take less.
const MOST_HEADERS: usize = 512;
