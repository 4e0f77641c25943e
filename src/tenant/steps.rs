//! The steps to a guarded table: what tenant_enable does itself, and what is left to a time when it does not hurt.

use crate::error::Result;
use crate::pg::relation::Relation;
use pgrx::pg_sys::Oid;

pub struct Step {
    pub table: Oid,
    pub step: &'static str,
    /// tenant_enable does it; else it is the user's.
    pub at_once: bool,
    /// None where there is no one statement for it.
    pub statement: Option<String>,
    pub lock: Option<&'static str>,
    pub reason: String,
}

/// Locks as PostgreSQL calls them, and how long they are held.
pub const EXCLUSIVE: &str = "ACCESS EXCLUSIVE, for a moment";
pub const SHARE: &str = "SHARE, for as long as the index takes";
pub const BUILD: &str = "SHARE UPDATE EXCLUSIVE: others read and write meanwhile";

impl Step {
    pub fn at_once(table: &Relation, step: &'static str, statement: String, reason: &str) -> Step {
        Step {
            table: table.oid,
            step,
            at_once: true,
            statement: Some(statement),
            lock: Some(EXCLUSIVE),
            reason: reason.to_owned(),
        }
    }

    pub fn by_hand(
        table: &Relation,
        step: &'static str,
        statement: String,
        lock: &'static str,
        reason: &str,
    ) -> Step {
        Step {
            table: table.oid,
            step,
            at_once: false,
            statement: Some(statement),
            lock: Some(lock),
            reason: reason.to_owned(),
        }
    }

    pub fn action(&self) -> &'static str {
        if self.at_once {
            "at once"
        } else {
            "by hand"
        }
    }

    /// Does it, if it is ours.
    pub fn take(&self) -> Result<()> {
        match &self.statement {
            Some(statement) if self.at_once => crate::ddl::run(statement),
            _ => Ok(()),
        }
    }
}
