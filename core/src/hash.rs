//! One hash for all that must be told apart and stay the same.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// SHA-256 in hex.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// HMAC-SHA-256 of `bytes` under `key`, in hexadecimal.
pub fn keyed_hex(key: &[u8], bytes: &[u8]) -> String {
    // a key of any length will do
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(bytes);
    mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
}
