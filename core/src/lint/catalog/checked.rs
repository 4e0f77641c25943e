//! What plpgsql_check says of PL/pgSQL functions.

use crate::lint::catalog::Oid;

#[derive(Debug, Clone)]
pub struct Checked {
    pub function: Oid,
    /// The table whose trigger it was checked as; 0 for what is no trigger function.
    pub relation: Oid,
    /// Its errors, or why it could not be checked.
    pub outcome: Result<Vec<BodyError>, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BodyError {
    pub line: i32,
    pub sqlstate: String,
    pub message: String,
}
