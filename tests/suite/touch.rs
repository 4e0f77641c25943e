//! Touch: updated_at is right, always.

mod enable;
mod updated_at;
