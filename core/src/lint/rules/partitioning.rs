use crate::lint::rule::Rule;

mod default_partition_has_rows;
mod large_unpartitioned_table;
mod no_future_partition;
mod partition_bypasses_parent_rls;
mod partition_gap;
mod partition_missing_index;
mod partitioned_parent_never_analyzed;
mod too_many_partitions;

pub const RULES: &[&Rule] = &[
    &large_unpartitioned_table::RULE,
    &no_future_partition::RULE,
    &default_partition_has_rows::RULE,
    &partition_missing_index::RULE,
    &too_many_partitions::RULE,
    &partition_gap::RULE,
    &partition_bypasses_parent_rls::RULE,
    &partitioned_parent_never_analyzed::RULE,
];
