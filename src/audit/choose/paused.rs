//! A pause, as the trigger's arguments keep it: it goes through dump and restore with the disabled
//! trigger, so that a trigger somebody disabled otherwise can be told from it.

use serde_json::{json, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    /// When, as people write it, in UTC.
    pub since: String,
    /// The role that called audit_pause.
    pub by: String,
    pub reason: String,
    /// Whether the triggers fired under session_replication_role = replica, too.
    pub always: bool,
}

impl Paused {
    pub fn parse(arg: &str) -> Option<Paused> {
        let value: Value = serde_json::from_str(arg).ok()?;
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        Some(Paused {
            since: text("since")?,
            by: text("by")?,
            reason: text("reason")?,
            always: value.get("always")?.as_bool()?,
        })
    }

    pub fn to_arg(&self) -> String {
        json!({ "since": self.since, "by": self.by, "reason": self.reason, "always": self.always })
            .to_string()
    }

    /// For audit_status.
    pub fn told(&self) -> String {
        format!("paused since {} by {}: {}", self.since, self.by, self.reason)
    }
}
