//! Statements of the log of commands.

use dbguard_core::quote::{ident, literal};

pub fn create_event_trigger(name: &str, event: &str, function: &str, tags: &[&str]) -> String {
    let tags: Vec<String> = tags.iter().map(|tag| literal(tag)).collect();
    let when = if tags.is_empty() { String::new() } else { format!(" WHEN TAG IN ({})", tags.join(", ")) };
    format!("CREATE EVENT TRIGGER {} ON {event}{when} EXECUTE FUNCTION dbguard.{function}()", ident(name))
}

/// In sessions with session_replication_role = replica, too.
pub fn enable_always(name: &str) -> String {
    format!("ALTER EVENT TRIGGER {} ENABLE ALWAYS", ident(name))
}

pub fn drop_event_trigger(name: &str) -> String {
    format!("DROP EVENT TRIGGER IF EXISTS {}", ident(name))
}
