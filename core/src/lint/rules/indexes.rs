use crate::lint::rule::Rule;

mod duplicate_index;
mod fk_covered_only_by_partial_index;
mod fk_without_index;
mod invalid_index;
mod redundant_prefix_index;

pub const RULES: &[&Rule] = &[
    &fk_without_index::RULE,
    &duplicate_index::RULE,
    &redundant_prefix_index::RULE,
    &invalid_index::RULE,
    &fk_covered_only_by_partial_index::RULE,
];
