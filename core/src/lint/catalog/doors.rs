//! How sessions come in: lines of pg_hba.conf, and who is connected.

use crate::lint::catalog::Oid;

#[derive(Debug, Clone)]
pub struct Doors {
    /// The server listens to the network at all.
    pub listens: bool,
    /// Not only on the usual addresses of the machine itself.
    pub beyond: bool,
    /// The lines, or why they cannot be read.
    pub lines: Result<Vec<Door>, String>,
    /// Of this database, but for our own.
    pub sessions: Vec<Session>,
}

#[derive(Debug, Clone, Default)]
pub struct Door {
    pub line: i32,
    /// local, host, hostssl ...
    pub kind: String,
    pub databases: Vec<String>,
    pub users: Vec<String>,
    pub address: String,
    pub netmask: String,
    pub method: String,
    pub options: Vec<String>,
}

/// Sessions of a role that tell the same application_name.
#[derive(Debug, Clone, Default)]
pub struct Session {
    pub role: Oid,
    pub application: String,
    pub count: i64,
}
