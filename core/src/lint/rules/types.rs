use crate::lint::catalog::{Attribute, Catalog, Oid, Relation};
use crate::lint::finding::{Finding, Report};
use crate::lint::rule::Rule;
use crate::lint::rules::fix::retype;

mod array_of_foreign_keys;
mod case_sensitive_unique_email;
mod char_n;
mod float_for_money;
mod int4_primary_key;
mod json_instead_of_jsonb;
mod money_type;
mod same_name_different_type;
mod serial_instead_of_identity;
mod timestamp_without_time_zone;

pub const RULES: &[&Rule] = &[
    &timestamp_without_time_zone::RULE,
    &char_n::RULE,
    &money_type::RULE,
    &float_for_money::RULE,
    &serial_instead_of_identity::RULE,
    &json_instead_of_jsonb::RULE,
    &int4_primary_key::RULE,
    &same_name_different_type::RULE,
    &array_of_foreign_keys::RULE,
    &case_sensitive_unique_email::RULE,
];

/// A column with what is wrong with it and the type it should have.
fn wrong_type(t: &Relation, a: &Attribute, instead: &str, using: Option<&str>) -> Finding {
    let column = t.column_object(a);
    let message = format!("column {} is {}; {instead} is the better type", column.identity, a.type_name);
    Finding::new(column, message)
        .evidence("column", a.name.as_str())
        .evidence("type", a.type_name.as_str())
        .fix(retype(t, a, instead, using))
}

/// Columns of one built-in type, the type itself and not a domain over it.
fn of_type<'c>(c: &'c Catalog, type_oid: Oid, out: &mut Report) -> Vec<(&'c Relation, &'c Attribute)> {
    c.columns().inspect(|(t, _)| out.examine(&t.schema)).filter(|(_, a)| a.type_oid == type_oid).collect()
}
