use crate::lint::rule::Rule;

mod policy_without_rls;
mod rls_enabled_without_policy;
mod security_definer_search_path;

pub const RULES: &[&Rule] =
    &[&security_definer_search_path::RULE, &rls_enabled_without_policy::RULE, &policy_without_rls::RULE];
