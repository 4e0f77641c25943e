use crate::lint::rule::Rule;

mod soft_delete_with_plain_unique;
mod trigger_returns_new_on_delete;
mod updated_at_without_trigger;

pub const RULES: &[&Rule] = &[
    &updated_at_without_trigger::RULE,
    &soft_delete_with_plain_unique::RULE,
    &trigger_returns_new_on_delete::RULE,
];
