//! Taking the log elsewhere: `export` as JSON lines, `publication` by logical replication, `notify` tells
//! others of a transaction as it commits.

pub(super) mod export;
pub(super) mod notify;
pub(super) mod publication;
