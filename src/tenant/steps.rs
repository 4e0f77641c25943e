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

    /// What becomes of a table that cannot be guarded.
    pub fn failed(table: Oid, why: String) -> Step {
        Step { table, step: "failed", at_once: false, statement: None, lock: None, reason: why }
    }

    /// The same of one that has all it needs.
    pub fn nothing(table: Oid) -> Step {
        let reason = "it is guarded".to_owned();
        Step { table, step: "nothing", at_once: false, statement: None, lock: None, reason }
    }

    pub fn action(&self) -> &'static str {
        match (self.at_once, self.step) {
            (true, _) => "at once",
            (false, "failed" | "nothing") => "none",
            (false, _) => "by hand",
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
