//! The statement an event trigger was fired for.

use crate::error::{Error, Result};
use pgrx::pg_sys::{self, NodeTag};
use std::ffi::CStr;

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

/// What an event trigger is told; None if the call is none of one.
fn told(fcinfo: pg_sys::FunctionCallInfo) -> Option<*mut pg_sys::EventTriggerData> {
    // SAFETY: the server gives a valid fcinfo; its context, if any, is a node that says what it is.
    unsafe {
        let context = (*fcinfo).context;
        let is = !context.is_null() && pgrx::is_a(context, NodeTag::T_EventTriggerData);
        is.then_some(context.cast())
    }
}

pub fn statement(fcinfo: pg_sys::FunctionCallInfo) -> Statement {
    let Some(told) = told(fcinfo) else { return Statement::Other };
    // SAFETY: what it points to lives as long as the call.
    unsafe {
        let tree = (*told).parsetree;
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

/// Tables that may lack the policies of a parent.
pub enum Unguarded {
    None,
    /// Partitions of this name, of which one was attached: the path by which it was found is not known any more.
    Attached(String),
    /// What the command tells of, and what inherits from that.
    All,
}

/// Whether the statement makes a table, lets one inherit (ATTACH PARTITION, INHERIT), or changes who is bound by row-level
/// security. Not ENABLE: a dump has that for each table apart, before the policies of the next.
pub fn may_lack_policies(fcinfo: pg_sys::FunctionCallInfo) -> Unguarded {
    use pg_sys::AlterTableType as At;
    let Some(told) = told(fcinfo) else { return Unguarded::None };
    // SAFETY: as for `statement`; the list is of AlterTableCmd, and ATTACH PARTITION has a PartitionCmd.
    unsafe {
        let tree = (*told).parsetree;
        if tree.is_null() || (*tree).type_ != NodeTag::T_AlterTableStmt {
            return Unguarded::All;
        }
        let list = (*tree.cast::<pg_sys::AlterTableStmt>()).cmds;
        let length = if list.is_null() { 0 } else { (*list).length as usize };
        for i in 0..length {
            let command = (*(*list).elements.add(i)).ptr_value.cast::<pg_sys::AlterTableCmd>();
            match (*command).subtype {
                // it stands alone
                At::AT_AttachPartition => {
                    let name = (*(*command).def.cast::<pg_sys::PartitionCmd>()).name;
                    let name = CStr::from_ptr((*name).relname).to_string_lossy();
                    return Unguarded::Attached(name.into_owned());
                }
                At::AT_AddInherit
                | At::AT_DisableRowSecurity
                | At::AT_ForceRowSecurity
                | At::AT_NoForceRowSecurity => return Unguarded::All,
                _ => {}
            }
        }
        Unguarded::None
    }
}

/// The tag of the command, such as CREATE TABLE.
pub fn tag(fcinfo: pg_sys::FunctionCallInfo) -> Result<Vec<u8>> {
    let told = told(fcinfo).ok_or_else(|| Error::trigger_protocol("not called by an event trigger"))?;
    // SAFETY: as for `statement`; the name of a tag is a constant of the server.
    unsafe {
        let name = pg_sys::GetCommandTagName((*told).tag);
        Ok(CStr::from_ptr(name).to_bytes().to_vec())
    }
}

/// What the client sent: the text of all its statements.
pub fn client_text() -> Vec<u8> {
    // SAFETY: the server's string is copied before anything else runs.
    unsafe {
        let text = pg_sys::debug_query_string;
        if text.is_null() {
            return vec![];
        }
        CStr::from_ptr(text).to_bytes().to_vec()
    }
}

/// Whether the script of an extension is running.
pub fn in_extension_script() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::creating_extension }
}
