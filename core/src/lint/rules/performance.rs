use crate::lint::catalog::cluster::Session;
use crate::lint::rule::Rule;
use serde_json::{json, Value};

mod blocked_sessions;
mod cache_hit_ratio_low;
mod connection_saturation;
mod deadlocks;
mod idle_in_transaction;
mod inactive_replication_slot;
mod long_transaction_or_query;
mod pg_stat_statements_missing_or_churning;
mod replication_lag;
mod stale_statistics;
mod stats_window_too_short;
mod temp_spill;

pub const RULES: &[&Rule] = &[
    &cache_hit_ratio_low::RULE,
    &stale_statistics::RULE,
    &temp_spill::RULE,
    &deadlocks::RULE,
    &connection_saturation::RULE,
    &idle_in_transaction::RULE,
    &long_transaction_or_query::RULE,
    &blocked_sessions::RULE,
    &replication_lag::RULE,
    &inactive_replication_slot::RULE,
    &stats_window_too_short::RULE,
    &pg_stat_statements_missing_or_churning::RULE,
];

/// Sessions for the evidence, without their statements: those may hold what nobody should read.
fn listed(sessions: &[&Session]) -> Value {
    let one = |s: &&Session| {
        json!({
            "pid": s.pid, "role": s.role, "application": s.application, "state": s.state,
            "transaction_seconds": s.transaction_age.map(f64::floor),
        })
    };
    sessions.iter().take(20).map(one).collect()
}
