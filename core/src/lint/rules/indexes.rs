use crate::lint::rule::Rule;

mod btree_on_array_or_json;
mod collation_version_mismatch;
mod duplicate_index;
mod fk_covered_only_by_partial_index;
mod fk_without_index;
mod invalid_index;
mod nonunique_covered_by_unique;
mod redundant_prefix_index;
mod seq_scan_on_large_table;
mod too_many_indexes;
mod unused_index;

pub const RULES: &[&Rule] = &[
    &fk_without_index::RULE,
    &duplicate_index::RULE,
    &redundant_prefix_index::RULE,
    &nonunique_covered_by_unique::RULE,
    &unused_index::RULE,
    &invalid_index::RULE,
    &btree_on_array_or_json::RULE,
    &seq_scan_on_large_table::RULE,
    &collation_version_mismatch::RULE,
    &too_many_indexes::RULE,
    &fk_covered_only_by_partial_index::RULE,
];
