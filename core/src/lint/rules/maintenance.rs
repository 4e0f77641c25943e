use crate::lint::rule::Rule;

mod autovacuum_disabled;

pub const RULES: &[&Rule] = &[&autovacuum_disabled::RULE];
