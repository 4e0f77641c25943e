//! The statement an event trigger was fired for.

use pgrx::pg_sys::{self, NodeTag};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statement {
    /// ALTER ... SET SCHEMA
    SetSchema,
    /// ALTER TABLE ... DETACH PARTITION, maybe beside other things.
    Detach,
    Other,
}

pub fn statement(fcinfo: pg_sys::FunctionCallInfo) -> Statement {
    // SAFETY: the server gives a valid fcinfo; its context, if any, is a node that says what it is; the
    // parse tree it points to lives as long as the call.
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || !pgrx::is_a(context, NodeTag::T_EventTriggerData) {
            return Statement::Other;
        }
        let tree = (*context.cast::<pg_sys::EventTriggerData>()).parsetree;
        if tree.is_null() {
            return Statement::Other;
        }
        match (*tree).type_ {
            NodeTag::T_AlterObjectSchemaStmt => Statement::SetSchema,
            NodeTag::T_AlterTableStmt if detaches(tree.cast()) => Statement::Detach,
            _ => Statement::Other,
        }
    }
}

/// # Safety
/// `tree` must be a whole ALTER TABLE statement.
unsafe fn detaches(tree: *mut pg_sys::AlterTableStmt) -> bool {
    // SAFETY: as promised; the list is of AlterTableCmd.
    unsafe {
        let list = (*tree).cmds;
        !list.is_null()
            && (0..(*list).length as usize).any(|i| {
                let command = (*(*list).elements.add(i)).ptr_value.cast::<pg_sys::AlterTableCmd>();
                (*command).subtype == pg_sys::AlterTableType::AT_DetachPartition
            })
    }
}
