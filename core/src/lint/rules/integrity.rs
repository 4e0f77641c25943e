use crate::lint::rule::Rule;

mod constraint_not_validated;
mod fk_column_type_mismatch;
mod sequence_exhaustion;
mod table_without_any_unique_key;
mod table_without_primary_key;
mod unique_with_nullable_columns;

pub const RULES: &[&Rule] = &[
    &table_without_primary_key::RULE,
    &table_without_any_unique_key::RULE,
    &fk_column_type_mismatch::RULE,
    &constraint_not_validated::RULE,
    &unique_with_nullable_columns::RULE,
    &sequence_exhaustion::RULE,
];
