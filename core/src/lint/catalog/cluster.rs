//! The server as a whole. Ages are in seconds, or in transactions where they say so.

use crate::lint::catalog::Oid;
use std::collections::HashMap;

#[derive(Debug, Clone, Default)]
pub struct Cluster {
    pub standby: bool,
    /// The caller may see other roles' sessions and the details of replication.
    pub sees_all: bool,
    /// Memory of the machine or of the container, in bytes, if the operating system says.
    pub memory: Option<i64>,
    /// Tables and indexes of this database, by the last VACUUM or ANALYZE, in bytes.
    pub database_bytes: i64,
    pub settings: HashMap<String, Setting>,
    pub roles: Vec<LoginRole>,
    pub sessions: Vec<Session>,
    pub waits: Vec<Wait>,
    pub prepared: Vec<Prepared>,
    pub senders: Vec<Sender>,
    pub slots: Vec<Slot>,
    /// On a standby: how old the last replayed transaction is, while there is more to replay.
    pub replay_delay: Option<f64>,
    pub databases: Vec<DatabaseAge>,
    /// The oldest of this database: name, transactions.
    pub oldest: Vec<(String, i64)>,
    pub archiver: Archiver,
    /// What pg_stat_statements says of itself, or why it cannot be asked here.
    pub statements: Option<Result<Statements, String>>,
}

#[derive(Debug, Clone, Default)]
pub struct Setting {
    pub value: String,
    pub unit: Option<String>,
    pub source: String,
}

/// A role that may log in and is no superuser.
#[derive(Debug, Clone, Default)]
pub struct LoginRole {
    pub oid: Oid,
    pub name: String,
    /// What ALTER ROLE and ALTER DATABASE set for it here, the stronger later.
    pub settings: Vec<String>,
    /// Roles whose rights it has or may take, through others too.
    pub member_of: Vec<Oid>,
}

/// Of a client.
#[derive(Debug, Clone, Default)]
pub struct Session {
    pub pid: i32,
    /// 0 while it is logging in.
    pub role_oid: Oid,
    pub role: Option<String>,
    pub application: String,
    pub state: String,
    /// First word of its last statement.
    pub command: String,
    /// In the database that is looked at.
    pub here: bool,
    pub transaction_age: Option<f64>,
    pub state_age: Option<f64>,
    /// Transactions since the oldest that it may still want to see.
    pub xmin_age: Option<i64>,
}

/// A session that waits for a lock.
#[derive(Debug, Clone, Default)]
pub struct Wait {
    pub pid: i32,
    pub seconds: f64,
    pub blockers: Vec<i32>,
}

#[derive(Debug, Clone, Default)]
pub struct Prepared {
    pub name: String,
    pub here: bool,
    pub seconds: f64,
    pub xid_age: i64,
}

/// A process that sends WAL to a standby or subscriber.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    pub name: String,
    pub state: String,
    pub lag: Option<f64>,
    pub lag_bytes: Option<i64>,
    pub xmin_age: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub struct Slot {
    pub name: String,
    pub logical: bool,
    pub active: bool,
    /// Of another database than the one that is looked at.
    pub elsewhere: bool,
    pub wal_status: String,
    pub retained: Option<i64>,
    pub xmin_age: Option<i64>,
    pub catalog_xmin_age: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub struct DatabaseAge {
    pub name: String,
    pub xids: i64,
    pub multixacts: i64,
}

/// Times are microseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Default)]
pub struct Archiver {
    pub failed: i64,
    pub last_archived: Option<i64>,
    pub last_failed: Option<i64>,
    pub failed_file: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Statements {
    /// How often entries were thrown away for want of room, and since when.
    pub evictions: i64,
    pub since: Option<i64>,
}

impl Cluster {
    pub fn value(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(|s| s.value.as_str())
    }

    /// What the server's own configuration says; None where this role, database or session has
    /// its own value and hides it.
    pub fn configured(&self, name: &str) -> Option<&str> {
        let own = ["database", "user", "database user", "global", "client", "session", "interactive", "test"];
        self.settings.get(name).filter(|s| !own.contains(&s.source.as_str())).map(|s| s.value.as_str())
    }

    pub fn is(&self, name: &str, value: &str) -> bool {
        self.configured(name) == Some(value)
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.value(name)?.parse().ok()
    }

    /// A setting of memory.
    pub fn bytes(&self, name: &str) -> Option<f64> {
        let unit = match self.settings.get(name)?.unit.as_deref() {
            Some("B") => 1.0,
            Some("kB") => 1024.0,
            Some("8kB") => 8192.0,
            Some("MB") => 1_048_576.0,
            _ => return None,
        };
        Some(self.number(name)? * unit)
    }

    pub fn session(&self, pid: i32) -> Option<&Session> {
        self.sessions.iter().find(|s| s.pid == pid)
    }
}
