use crate::lint::rule::Rule;

mod default_partition_has_rows;
mod no_future_partition;
mod partition_bypasses_parent_rls;
mod partition_gap;
mod partition_missing_index;
mod too_many_partitions;

pub const RULES: &[&Rule] = &[
    &no_future_partition::RULE,
    &default_partition_has_rows::RULE,
    &partition_missing_index::RULE,
    &too_many_partitions::RULE,
    &partition_gap::RULE,
    &partition_bypasses_parent_rls::RULE,
];
