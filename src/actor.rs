//! Who the application says is acting. A claim: it stands in the log and in columns, and gives no rights.

use crate::pg::guc;
use crate::settings;

/// The longest claim that is kept, in bytes.
pub const MAX_CLAIM: usize = 1000;

/// dbguard.actor, or else the setting the application already uses.
pub fn with_actor<T>(f: impl FnOnce(Option<&[u8]>) -> T) -> T {
    let set = guc::peek(&settings::ACTOR, |actor| claim(actor, MAX_CLAIM).is_some());
    if set {
        return guc::peek(&settings::ACTOR, |actor| f(claim(actor, MAX_CLAIM)));
    }
    let other = settings::ACTOR_SETTING.get().and_then(|name| guc::value(&name));
    f(claim(other.as_deref(), MAX_CLAIM))
}

/// A claim as it may be kept: nothing for an empty one (what a pooled SET LOCAL leaves behind), and
/// not longer than `max` bytes, cut between characters.
pub fn claim(value: Option<&[u8]>, max: usize) -> Option<&[u8]> {
    let value = value.filter(|v| !v.is_empty())?;
    if value.len() <= max {
        return Some(value);
    }
    let cut = (0..=max).rev().find(|i| value[*i] & 0xC0 != 0x80).unwrap_or(0);
    Some(&value[..cut])
}
