//! One hash for all that must be told apart and stay the same.

use sha2::{Digest, Sha256};

/// SHA-256 in hex.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
