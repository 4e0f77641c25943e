//! Touch: updated_at is right, always.

mod actor;
mod all;
mod changes;
mod created_at;
mod enable;
mod options;
mod partitions;
mod replication;
mod standard;
mod standard_rights;
mod updated_at;
mod version;
