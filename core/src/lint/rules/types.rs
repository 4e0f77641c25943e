use crate::lint::catalog::{Attribute, Catalog, Oid, Relation};
use crate::lint::finding::{Finding, Report};
use crate::lint::rule::Rule;
use crate::lint::rules::fix::retype;

mod array_of_foreign_keys;
mod case_sensitive_unique_email;
mod char_n;
mod float_for_money;
mod int4_primary_key;
mod json_dump_column;
mod json_instead_of_jsonb;
mod large_object_or_blob;
mod money_type;
mod random_uuid_primary_key;
mod same_name_different_type;
mod serial_instead_of_identity;
mod text_for_everything;
mod timestamp_without_time_zone;
mod uuid_stored_as_text;

pub const RULES: &[&Rule] = &[
    &timestamp_without_time_zone::RULE,
    &char_n::RULE,
    &money_type::RULE,
    &float_for_money::RULE,
    &serial_instead_of_identity::RULE,
    &json_instead_of_jsonb::RULE,
    &int4_primary_key::RULE,
    &uuid_stored_as_text::RULE,
    &random_uuid_primary_key::RULE,
    &text_for_everything::RULE,
    &same_name_different_type::RULE,
    &large_object_or_blob::RULE,
    &json_dump_column::RULE,
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

/// No other column could fill the TOAST table: all others are of a fixed, or of a short, width.
fn fills_toast_alone(t: &Relation, a: &Attribute) -> bool {
    const SHORT: &[&str] = &["character varying(", "character(", "numeric", "inet", "cidr"];
    t.attributes
        .iter()
        .filter(|o| o.num != a.num)
        .all(|o| o.fixed_width || SHORT.iter().any(|s| o.type_name.starts_with(s)))
}
