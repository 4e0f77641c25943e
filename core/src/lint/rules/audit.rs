use crate::lint::catalog::types::{BOOL, DATE, TIMESTAMP, TIMESTAMPTZ};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Fix, Report};
use crate::lint::names::{folded, singular, words};
use crate::lint::rule::Rule;
use crate::lint::scope::is_tool_table;
use crate::quote::ident;
use std::collections::BTreeMap;

mod audit_column_nullable_or_no_default;
mod missing_created_at;
mod missing_updated_at;
mod mixed_soft_delete_styles;
mod mutable_audit_table;
mod sensitive_table_without_audit;
mod soft_delete_not_indexed;
mod soft_delete_with_plain_unique;
mod trigger_returns_new_on_delete;
mod updated_at_without_trigger;

pub const RULES: &[&Rule] = &[
    &missing_created_at::RULE,
    &missing_updated_at::RULE,
    &updated_at_without_trigger::RULE,
    &audit_column_nullable_or_no_default::RULE,
    &soft_delete_with_plain_unique::RULE,
    &soft_delete_not_indexed::RULE,
    &mixed_soft_delete_styles::RULE,
    &sensitive_table_without_audit::RULE,
    &mutable_audit_table::RULE,
    &trigger_returns_new_on_delete::RULE,
];

/// What the time of a row's making is called, folded.
const CREATED: &[&str] = &[
    "created",
    "createdat",
    "createdon",
    "createdtime",
    "createddate",
    "createdts",
    "createdtimestamp",
    "createdatetime",
    "createat",
    "createdate",
    "createtime",
    "creationdate",
    "creationtime",
    "creationtimestamp",
    "creationts",
    "datecreated",
    "timecreated",
    "dateadded",
    "addedat",
    "addedon",
    "insertedat",
    "insertedon",
    "inserttime",
    "insertdate",
    "ctime",
    "fechacreacion",
    "fechadecreacion",
    "creadoen",
    "creadoel",
];

/// What the time of its last change is called, folded.
const UPDATED: &[&str] = &[
    "updated",
    "updatedat",
    "updatedon",
    "updatedtime",
    "updateddate",
    "updatedts",
    "updatedtimestamp",
    "updateat",
    "updatedate",
    "updatetime",
    "updatetimestamp",
    "dateupdated",
    "modified",
    "modifiedat",
    "modifiedon",
    "modifieddate",
    "modifiedtime",
    "modificationdate",
    "modificationtime",
    "datemodified",
    "changedat",
    "changedon",
    "datechanged",
    "lastchange",
    "lastchanged",
    "lastupdate",
    "lastupdated",
    "lastupdatedat",
    "lastupdatedate",
    "lastupdatetime",
    "lastmodified",
    "lastmodifiedat",
    "lastmodifieddate",
    "mtime",
    "fechaactualizacion",
    "fechamodificacion",
    "actualizadoen",
    "modificadoen",
];

pub fn says_created(a: &Attribute) -> bool {
    CREATED.contains(&folded(&a.name).as_str())
}

pub fn says_updated(a: &Attribute) -> bool {
    UPDATED.contains(&folded(&a.name).as_str())
}

pub fn is_time(a: &Attribute) -> bool {
    matches!(a.base_type, DATE | TIMESTAMP | TIMESTAMPTZ)
}

/// A time by its type, or by its name: started_at may be a number of seconds.
fn is_moment(a: &Attribute) -> bool {
    let words = words(&a.name);
    is_time(a)
        || (words.len() > 1
            && words.last().is_some_and(|w| matches!(w.as_str(), "at" | "time" | "timestamp" | "ts")))
}

/// A time or a flag that says the row counts as deleted.
pub fn marks_deleted(a: &Attribute) -> bool {
    match a.base_type {
        TIMESTAMPTZ | TIMESTAMP | DATE => {
            matches!(folded(&a.name).as_str(), "deletedat" | "discardedat" | "deletedon")
        }
        BOOL => matches!(folded(&a.name).as_str(), "isdeleted" | "deleted"),
        _ => false,
    }
}

/// Tables of things in their own right, by schema: with some columns and a key of their own, neither
/// links between others nor more columns of another table's rows, nor copies of what was deleted.
fn things(c: &Catalog) -> BTreeMap<&str, Vec<&Relation>> {
    let mut by_schema: BTreeMap<&str, Vec<&Relation>> = BTreeMap::new();
    for t in c.tables().filter(|t| t.attributes.len() >= 4 && !is_tool_table(&t.name)) {
        if has_own_key(t) && !is_archive(t) && !t.attributes.iter().any(|a| a.inherited) {
            by_schema.entry(&t.schema).or_default().push(t);
        }
    }
    by_schema
}

/// One column beside those of the partition key, called id, uuid and the like or after the table.
fn has_own_key(t: &Relation) -> bool {
    let Some(key) = t.primary_key() else { return false };
    let own: Vec<&i16> =
        key.columns.iter().filter(|n| key.columns.len() == 1 || !t.partition_key.contains(n)).collect();
    let [number] = own.as_slice() else { return false };
    let of_others = t.constraints.iter().any(|k| k.kind == 'f' && k.columns.contains(number));
    let Some(a) = t.attribute(**number).filter(|_| !of_others) else { return false };
    let name = folded(&a.name);
    let whose = name.trim_start_matches("pk").trim_end_matches("id");
    matches!(name.as_str(), "uuid" | "guid" | "key" | "code" | "no" | "nr" | "number")
        || table_names(t).iter().any(|n| n.contains(whose))
}

/// The name of a table, and of one of its things: categories, category.
pub fn table_names(t: &Relation) -> [String; 2] {
    let mut words = words(&t.name);
    if let Some(last) = words.last_mut() {
        *last = singular(last).unwrap_or_else(|| last.clone());
    }
    [folded(&t.name), words.concat()]
}

/// What was deleted, or set aside: its times are those of the originals.
fn is_archive(t: &Relation) -> bool {
    const KEPT: &[&str] = &["deleted", "archive", "archived", "history", "backup", "bak", "old"];
    words(&t.name).iter().any(|w| KEPT.contains(&w.as_str()))
}

/// The commonest name and type among columns.
fn usual<'c>(columns: &[&'c Attribute]) -> Option<&'c Attribute> {
    let mut counts: BTreeMap<(&str, &str), (usize, &'c Attribute)> = BTreeMap::new();
    for a in columns {
        counts.entry((&a.name, &a.type_name)).or_insert((0, a)).0 += 1;
    }
    counts.into_values().rev().max_by_key(|(n, _)| *n).map(|(_, a)| a)
}

/// What a column of a time holds when nobody says.
fn default_now(type_oid: u32) -> Option<&'static str> {
    match type_oid {
        TIMESTAMP | TIMESTAMPTZ => Some("now()"),
        DATE => Some("CURRENT_DATE"),
        _ => None,
    }
}

/// A time that most of a schema's tables have and others lack.
struct Time {
    /// The column of that time.
    says: fn(&Attribute) -> bool,
    /// A table that would need one.
    lacks: fn(&Relation) -> bool,
    confidence: f32,
    /// Adds one like the usual one.
    fix: fn(&Catalog, &Relation, &Attribute) -> Option<Fix>,
}

/// So few tables are no majority.
const LEAST: usize = 3;

/// Tells of tables that lack the time, in schemas where so large a share has it (param `share`).
fn tell_lacking(c: &Catalog, rule: &Rule, time: &Time, out: &mut Report) {
    for (schema, tables) in things(c) {
        let with: Vec<&Attribute> =
            tables.iter().filter_map(|t| t.attributes.iter().find(|a| (time.says)(a))).collect();
        let without: Vec<&Relation> = tables.into_iter().filter(|t| (time.lacks)(t)).collect();
        let all = with.len() + without.len();
        if with.len() < LEAST || (with.len() as f64) < c.param(rule, "share") * all as f64 {
            continue;
        }
        (0..all).for_each(|_| out.examine(schema));
        let Some(usual) = usual(&with) else { continue };
        for t in without {
            let (table, column) = (t.sql_name(), ident(&usual.name));
            let message =
                format!("table {table} has no column like {column}, as {} of {all} tables have", with.len());
            let found = Finding::new(t.object(), message).confidence(time.confidence);
            out.find(found.evidence("column", usual.name.as_str()).fix((time.fix)(c, t, usual)));
        }
    }
}
