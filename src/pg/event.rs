//! The statement an event trigger was fired for.

use pgrx::pg_sys::{self, NodeTag};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statement {
    /// ALTER ... SET SCHEMA
    SetSchema,
    /// ALTER TABLE ... ATTACH PARTITION
    Attach,
    /// ALTER TABLE ... DETACH PARTITION
    Detach,
    /// CREATE TABLE, also as a part of CREATE SCHEMA
    Create,
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
            NodeTag::T_CreateStmt | NodeTag::T_CreateSchemaStmt => Statement::Create,
            NodeTag::T_AlterTableStmt => of_alter_table(tree.cast()),
            _ => Statement::Other,
        }
    }
}

/// # Safety
/// `tree` must be a whole ALTER TABLE statement.
unsafe fn of_alter_table(tree: *mut pg_sys::AlterTableStmt) -> Statement {
    // SAFETY: as promised; the list is of AlterTableCmd. Either of the two stands alone.
    unsafe {
        let list = (*tree).cmds;
        if list.is_null() || (*list).length == 0 {
            return Statement::Other;
        }
        let command = (*(*list).elements).ptr_value.cast::<pg_sys::AlterTableCmd>();
        match (*command).subtype {
            pg_sys::AlterTableType::AT_AttachPartition => Statement::Attach,
            pg_sys::AlterTableType::AT_DetachPartition => Statement::Detach,
            _ => Statement::Other,
        }
    }
}
