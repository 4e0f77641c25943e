use crate::lint::rule::Rule;

mod default_partition_has_rows;
mod no_future_partition;

pub const RULES: &[&Rule] = &[&no_future_partition::RULE, &default_partition_has_rows::RULE];
