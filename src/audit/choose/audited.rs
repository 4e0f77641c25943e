//! An audited table: its triggers and its options.

use super::options::{Listed, Options, PARTITION};
use crate::ddl::audit::{ROW_TRIGGER, TRUNCATE_TRIGGER};
use crate::error::Result;
use crate::pg::identity;
use crate::pg::relation::{is_function_of_ours, Column, Relation, Trigger};

pub struct Audited {
    pub options: Options,
    /// Of the row trigger; of the TRUNCATE trigger if there is no other.
    pub state: &'static str,
    /// Our triggers by whatever name.
    pub triggers: Vec<String>,
    pub has_row: bool,
    pub has_truncate: bool,
}

/// Options in the words of their arguments, for people.
pub struct Shown {
    pub capture: String,
    pub statements: Vec<String>,
    pub exclude: Vec<String>,
    pub redact: Vec<String>,
    pub redact_with: String,
    pub tenant: Option<String>,
    pub bulk: String,
}

/// What names the table's column numbers: the same number means the same column only there.
pub fn home(table: &Relation) -> String {
    format!("{}/{}", identity::database(), table.oid.to_u32())
}

/// The columns that the log shows: those not excluded.
pub fn logged_columns<'t>(table: &'t Relation, options: &Options) -> impl Iterator<Item = &'t Column> {
    let excluded = options.names(&options.exclude, &columns(table), &home(table));
    table.columns.iter().filter(move |column| !excluded.contains(&column.name))
}

/// Columns with their types, as JSON.
pub fn types<'t>(columns: impl Iterator<Item = &'t Column>) -> String {
    let types = columns.map(|c| (c.name.clone(), c.type_name.clone().into()));
    serde_json::Value::Object(types.collect()).to_string()
}

/// A table's columns as options know them.
pub fn columns(table: &Relation) -> Vec<(i16, String)> {
    table.columns.iter().map(|c| (c.number, c.name.clone())).collect()
}

pub fn is_row_trigger(trigger: &Trigger) -> bool {
    is_function_of_ours(trigger.function, c"audit_row")
}

pub fn is_truncate_trigger(trigger: &Trigger) -> bool {
    is_function_of_ours(trigger.function, c"audit_truncate")
}

/// The TRUNCATE trigger that a partition has for its root: it is not cloned as row triggers are.
pub fn is_partitions_trigger(trigger: &Trigger) -> bool {
    is_truncate_trigger(trigger) && trigger.args == [PARTITION]
}

/// The names of all triggers there are or should be: what `attach` is given to leave ours and no others.
pub fn names(audited: Option<&Audited>) -> Vec<&str> {
    let mut names = vec![ROW_TRIGGER, TRUNCATE_TRIGGER];
    let present = audited.into_iter().flat_map(|a| &a.triggers).map(String::as_str);
    names.extend(present.filter(|n| *n != ROW_TRIGGER && *n != TRUNCATE_TRIGGER));
    names
}

/// None if the table is not audited. What a partition has for its root does not count.
pub fn of(table: &Relation) -> Result<Option<Audited>> {
    let ours = || {
        table.triggers.iter().filter(|t| {
            !t.is_clone && (is_row_trigger(t) || (is_truncate_trigger(t) && !is_partitions_trigger(t)))
        })
    };
    let row = ours().find(|t| is_row_trigger(t));
    let Some(first) = row.or_else(|| ours().next()) else { return Ok(None) };
    Ok(Some(Audited {
        options: Options::from_args(&first.args)?,
        state: state(first.enabled),
        triggers: ours().map(|t| t.name.clone()).collect(),
        has_row: row.is_some(),
        has_truncate: ours().any(|t| is_truncate_trigger(t) && t.enabled != 'D'),
    }))
}

pub fn state(enabled: char) -> &'static str {
    match enabled {
        'O' => "enabled",
        'A' => "always",
        'R' => "replica only",
        _ => "disabled",
    }
}

impl Audited {
    /// Whether every change to the table is logged.
    pub fn is_whole(&self) -> bool {
        let logged = self.options.operations;
        self.active() && logged.insert && logged.update && logged.delete && logged.truncate
    }

    /// Fires in ordinary sessions.
    pub fn active(&self) -> bool {
        self.state == "enabled" || self.state == "always"
    }

    /// Whether the triggers carry our names and no others.
    pub fn well_named(&self) -> bool {
        self.triggers.iter().all(|name| name == ROW_TRIGGER || name == TRUNCATE_TRIGGER)
    }

    /// Whether audit_enable with `options` would find nothing to do on the table itself.
    pub fn as_left(&self, options: &Options) -> bool {
        let operations = options.operations;
        self.options == *options
            && self.well_named()
            && self.has_row != operations.row_words().is_empty()
            && self.has_truncate == operations.truncate
    }

    pub fn shown(&self, table: &Relation) -> Shown {
        let (columns, here) = (columns(table), home(table));
        let options = &self.options;
        let names = |list: &[Listed]| options.names(list, &columns, &here);
        Shown {
            capture: options.capture.word().to_owned(),
            statements: options.operations.words().into_iter().map(str::to_owned).collect(),
            exclude: names(&options.exclude),
            redact: names(&options.redact),
            redact_with: options.redact_with.word().to_owned(),
            tenant: options.tenant.iter().flat_map(|t| names(std::slice::from_ref(t))).next(),
            bulk: options.bulk.word().to_owned(),
        }
    }
}
