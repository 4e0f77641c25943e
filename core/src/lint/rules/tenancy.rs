use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::rule::Rule;
use std::collections::HashMap;

mod fk_allows_cross_tenant_reference;
mod no_tenant_first_index;
mod per_tenant;
mod policy_ignores_tenant_column;
mod schema_per_tenant_drift;
mod table_missing_tenant_column;
mod tenant_column_nullable;
mod tenant_column_type_inconsistent;
mod tenant_column_without_fk;
mod tenant_policy_fails_open;
mod tenant_table_without_rls;
mod unique_without_tenant;

pub const RULES: &[&Rule] = &[
    &tenant_table_without_rls::RULE,
    &policy_ignores_tenant_column::RULE,
    &tenant_column_nullable::RULE,
    &tenant_policy_fails_open::RULE,
    &no_tenant_first_index::RULE,
    &tenant_column_without_fk::RULE,
    &unique_without_tenant::RULE,
    &fk_allows_cross_tenant_reference::RULE,
    &table_missing_tenant_column::RULE,
    &tenant_column_type_inconsistent::RULE,
    &schema_per_tenant_drift::RULE,
];

/// Names that mean a tenant wherever they stand.
const CERTAIN: &[&str] = &["tenant_id", "tenant_uuid", "tenant_key"];

/// Names that often do. Only the commonest of them counts, and only if it runs through the schema.
const LIKELY: &[&str] =
    &["organization_id", "organisation_id", "org_id", "workspace_id", "account_id", "company_id", "team_id"];
const LIKELY_TABLES: usize = 3;
const LIKELY_SHARE: f64 = 0.4;
/// Of a database's tables, for it to be one of several tenants.
const LEAST_SHARE: f64 = 0.1;

/// Those tables but the list of tenants itself, which has one row for each.
fn tenant_tables(c: &Catalog) -> Vec<(&Relation, &Attribute, f32)> {
    let list = |t: &Relation, a: &Attribute| t.primary_key().is_some_and(|k| k.columns == [a.num]);
    let mut tables = tenant_columns(c);
    tables.retain(|(t, a, _)| !list(t, a));
    tables
}

/// A name that means a tenant wherever it stands.
pub fn surely_tenant(name: &str) -> bool {
    CERTAIN.contains(&name.to_ascii_lowercase().as_str())
}

/// Tables with the column that says whose each row is, and how sure that is. None where few tables
/// have the column and none of these row security: then it is something else's tenant, such as an
/// identity provider's.
fn tenant_columns(c: &Catalog) -> Vec<(&Relation, &Attribute, f32)> {
    let folded = |a: &Attribute| a.name.to_ascii_lowercase();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (_, a) in c.columns() {
        if let Some(name) = LIKELY.iter().find(|n| **n == folded(a)) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let tables = c.tables().count();
    // Ties go to the first name of the list, so that the answer does not depend on hashing.
    let likely =
        LIKELY.iter().rev().filter_map(|n| Some((*counts.get(n)?, *n))).max_by_key(|(count, _)| *count);
    let likely = likely
        .filter(|(n, _)| *n >= LIKELY_TABLES && *n as f64 >= LIKELY_SHARE * tables as f64)
        .map(|(_, n)| n);
    let found: Vec<(&Relation, &Attribute, f32)> = c
        .columns()
        .filter_map(|(t, a)| {
            let name = folded(a);
            if CERTAIN.contains(&name.as_str()) {
                return Some((t, a, 0.9));
            }
            (likely == Some(name.as_str())).then_some((t, a, 0.6))
        })
        .collect();
    let few = (found.len() as f64) < LEAST_SHARE * tables as f64;
    match few && !found.iter().any(|(t, ..)| t.row_security) {
        true => Vec::new(),
        false => found,
    }
}
