use crate::lint::rule::Rule;

mod column_slots_exhausting;
mod constraint_not_validated;
mod disabled_trigger_or_ri_trigger;
mod duplicate_foreign_key;
mod fk_column_type_mismatch;
mod god_table;
mod join_table_without_unique_pair;
mod missing_fk_by_name;
mod polymorphic_association;
mod redundant_check;
mod sequence_exhaustion;
mod set_null_on_not_null_column;
mod table_without_any_unique_key;
mod table_without_primary_key;
mod three_state_boolean;
mod unique_with_nullable_columns;
mod unlogged_table_or_sequence;

pub const RULES: &[&Rule] = &[
    &table_without_primary_key::RULE,
    &table_without_any_unique_key::RULE,
    &fk_column_type_mismatch::RULE,
    &constraint_not_validated::RULE,
    &duplicate_foreign_key::RULE,
    &set_null_on_not_null_column::RULE,
    &disabled_trigger_or_ri_trigger::RULE,
    &missing_fk_by_name::RULE,
    &unique_with_nullable_columns::RULE,
    &three_state_boolean::RULE,
    &god_table::RULE,
    &column_slots_exhausting::RULE,
    &polymorphic_association::RULE,
    &redundant_check::RULE,
    &unlogged_table_or_sequence::RULE,
    &sequence_exhaustion::RULE,
    &join_table_without_unique_pair::RULE,
];
