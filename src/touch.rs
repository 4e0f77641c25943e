//! Touch: columns that say when and by whom a row was changed.

mod enable;
mod updated_at;
