use crate::lint::rule::Rule;

mod app_role_owns_tables;
mod hardcoded_secret;
mod hba_trust_or_password;
mod materialized_or_foreign_over_rls;
mod past_policies;
mod plaintext_password;
mod policy_always_true;
mod policy_column_not_indexed;
mod policy_per_row_function;
mod policy_without_rls;
mod public_create_on_schema;
mod rls_enabled_without_policy;
mod rls_not_forced_for_owner;
mod security_definer_public_execute;
mod security_definer_search_path;
mod security_definer_superuser_owned_dynamic_sql;
mod sensitive_column_exposed;
mod sql_injection_in_function;
mod superuser_or_bypassrls_app_role;
mod table_granted_to_public;
mod view_bypasses_rls;

pub use sensitive_column_exposed::sensitive;

pub const RULES: &[&Rule] = &[
    &plaintext_password::RULE,
    &sensitive_column_exposed::RULE,
    &public_create_on_schema::RULE,
    &table_granted_to_public::RULE,
    &security_definer_search_path::RULE,
    &security_definer_public_execute::RULE,
    &rls_enabled_without_policy::RULE,
    &policy_without_rls::RULE,
    &rls_not_forced_for_owner::RULE,
    &policy_always_true::RULE,
    &policy_per_row_function::RULE,
    &policy_column_not_indexed::RULE,
    &view_bypasses_rls::RULE,
    &materialized_or_foreign_over_rls::RULE,
    &app_role_owns_tables::RULE,
    &hardcoded_secret::RULE,
    &hba_trust_or_password::RULE,
    &security_definer_superuser_owned_dynamic_sql::RULE,
    &sql_injection_in_function::RULE,
    &superuser_or_bypassrls_app_role::RULE,
];
