use crate::lint::rule::Rule;

mod cascade_fan_out;
mod column_slots_exhausting;
mod constraint_not_validated;
mod disabled_trigger_or_ri_trigger;
mod duplicate_foreign_key;
mod entity_attribute_value;
mod fk_column_type_mismatch;
mod god_table;
mod join_table_without_unique_pair;
mod mandatory_column_nullable;
mod missing_fk_by_name;
mod polymorphic_association;
mod redundant_check;
mod repeating_groups;
mod sequence_exhaustion;
mod set_null_on_not_null_column;
mod status_column_without_domain;
mod table_without_any_unique_key;
mod table_without_primary_key;
mod three_state_boolean;
mod unique_with_nullable_columns;
mod unlogged_table_or_sequence;

pub use join_table_without_unique_pair::links;

pub const RULES: &[&Rule] = &[
    &table_without_primary_key::RULE,
    &table_without_any_unique_key::RULE,
    &fk_column_type_mismatch::RULE,
    &constraint_not_validated::RULE,
    &duplicate_foreign_key::RULE,
    &cascade_fan_out::RULE,
    &set_null_on_not_null_column::RULE,
    &disabled_trigger_or_ri_trigger::RULE,
    &missing_fk_by_name::RULE,
    &unique_with_nullable_columns::RULE,
    &mandatory_column_nullable::RULE,
    &three_state_boolean::RULE,
    &god_table::RULE,
    &column_slots_exhausting::RULE,
    &repeating_groups::RULE,
    &entity_attribute_value::RULE,
    &polymorphic_association::RULE,
    &redundant_check::RULE,
    &status_column_without_domain::RULE,
    &unlogged_table_or_sequence::RULE,
    &sequence_exhaustion::RULE,
    &join_table_without_unique_pair::RULE,
];
