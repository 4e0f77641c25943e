//! An audited table: its triggers, its options, what is wrong with them.

use super::options::{Found, Options};
use crate::ddl::audit::{ROW_TRIGGER, TRUNCATE_TRIGGER};
use crate::error::Result;
use crate::pg::identity;
use crate::pg::relation::{is_function_of_ours, Relation, Trigger};

pub struct Audited {
    pub options: Options,
    /// Of the row trigger.
    pub state: &'static str,
    /// Our triggers by whatever name.
    pub triggers: Vec<String>,
    has_truncate: bool,
}

/// What names the table's column numbers: the same number means the same column only there.
pub fn home(table: &Relation) -> String {
    format!("{}/{}", identity::database(), table.oid.to_u32())
}

/// A table's columns as options know them.
pub fn columns(table: &Relation) -> Vec<(i16, String)> {
    table.columns.iter().map(|c| (c.number, c.name.clone())).collect()
}

pub fn is_row_trigger(trigger: &Trigger) -> bool {
    is_function_of_ours(trigger.function, c"audit_row")
}

fn is_truncate_trigger(trigger: &Trigger) -> bool {
    is_function_of_ours(trigger.function, c"audit_truncate")
}

/// None if the table is not audited. A partition's copy of its root's trigger does not count.
pub fn of(table: &Relation) -> Result<Option<Audited>> {
    let Some(row) = table.triggers.iter().find(|t| !t.is_clone && is_row_trigger(t)) else {
        return Ok(None);
    };
    let ours = |t: &&Trigger| !t.is_clone && (is_row_trigger(t) || is_truncate_trigger(t));
    Ok(Some(Audited {
        options: Options::from_args(&row.args)?,
        state: state(row.enabled),
        triggers: table.triggers.iter().filter(ours).map(|t| t.name.clone()).collect(),
        has_truncate: table.triggers.iter().any(|t| is_truncate_trigger(t) && t.enabled != 'D'),
    }))
}

fn state(enabled: char) -> &'static str {
    match enabled {
        'O' => "enabled",
        'A' => "always",
        'R' => "replica only",
        _ => "disabled",
    }
}

impl Audited {
    /// Fires in ordinary sessions.
    pub fn active(&self) -> bool {
        self.state == "enabled" || self.state == "always"
    }

    /// Whether the triggers carry our names and no others.
    pub fn well_named(&self) -> bool {
        self.triggers.iter().all(|name| name == ROW_TRIGGER || name == TRUNCATE_TRIGGER)
    }

    /// Whether TRUNCATE is seen as well.
    pub fn complete(&self) -> bool {
        self.has_truncate
    }

    /// What is not as audit_enable left it.
    pub fn problem(&self, table: &Relation) -> Option<String> {
        if !self.active() {
            return Some(format!("changes are not audited: the trigger is {}", self.state));
        }
        if !self.has_truncate {
            return Some("TRUNCATE is not audited: its trigger is missing or disabled".to_owned());
        }
        let (columns, here) = (columns(table), home(table));
        let listed = self.options.exclude.iter().chain(&self.options.redact);
        let lost = listed.clone().find(|c| self.options.find(c, &columns, &here) == Found::Lost);
        if let Some(column) = lost {
            return Some(format!(
                "column \"{}\" is excluded or redacted, but does not exist: until audit_enable names it anew, all columns but the key are redacted",
                column.name
            ));
        }
        let first = table
            .triggers
            .iter()
            .find(|t| t.after_row && !is_row_trigger(t) && t.enabled != 'D' && t.name.as_str() < ROW_TRIGGER);
        first.map(|t| {
            format!(
                "trigger \"{}\" fires before the audit trigger: what it changes of the same row is logged before the change itself",
                t.name
            )
        })
    }
}
