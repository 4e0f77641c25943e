//! The rules, one file each, listed by category.

use crate::lint::rule::Rule;

mod audit;
mod configuration;
mod counters;
mod dynamic;
mod fix;
mod functions;
mod ignores;
mod indexes;
mod integrity;
mod maintenance;
mod naming;
mod partitioning;
mod performance;
mod policies;
mod queries;
mod security;
mod sessions;
mod tenancy;
mod types;

const CATEGORIES: &[&[&Rule]] = &[
    audit::RULES,
    configuration::RULES,
    ignores::RULES,
    functions::RULES,
    indexes::RULES,
    integrity::RULES,
    maintenance::RULES,
    naming::RULES,
    partitioning::RULES,
    queries::RULES,
    performance::RULES,
    security::RULES,
    tenancy::RULES,
    types::RULES,
];

/// Every rule, by code.
pub fn all() -> Vec<&'static Rule> {
    let mut rules: Vec<&'static Rule> = CATEGORIES.iter().flat_map(|c| c.iter().copied()).collect();
    rules.sort_by_key(|r| r.code);
    rules
}

/// The rule that a word names by its code or name.
pub fn named<'r>(rules: &[&'r Rule], word: &str) -> Option<&'r Rule> {
    rules.iter().copied().find(|r| r.code.eq_ignore_ascii_case(word) || r.name == word)
}

/// One of dbguard's own.
pub fn find(code: &str) -> Option<&'static Rule> {
    named(&all(), code)
}
