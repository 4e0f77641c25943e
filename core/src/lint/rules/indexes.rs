use crate::lint::rule::Rule;

mod btree_on_array_or_json;
mod duplicate_index;
mod fk_covered_only_by_partial_index;
mod fk_without_index;
mod invalid_index;
mod nonunique_covered_by_unique;
mod redundant_prefix_index;
mod too_many_indexes;

pub const RULES: &[&Rule] = &[
    &fk_without_index::RULE,
    &duplicate_index::RULE,
    &redundant_prefix_index::RULE,
    &nonunique_covered_by_unique::RULE,
    &invalid_index::RULE,
    &btree_on_array_or_json::RULE,
    &too_many_indexes::RULE,
    &fk_covered_only_by_partial_index::RULE,
];
