//! How sessions come in: lines of pg_hba.conf.

#[derive(Debug, Clone)]
pub struct Doors {
    /// The server listens to the network at all.
    pub listens: bool,
    /// Not only on the usual addresses of the machine itself.
    pub beyond: bool,
    /// The lines, or why they cannot be read.
    pub lines: Result<Vec<Door>, String>,
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
