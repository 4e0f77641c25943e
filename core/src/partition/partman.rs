//! A row of pg_partman's part_config in our terms. Its columns differ from version to version, so it comes as
//! JSON, where a column that is not there reads as null.

use super::bound::Unit;
use serde_json::Value;

/// What a set of pg_partman is, and what of it has no counterpart.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// Width of a partition, as the server reads intervals.
    pub every: String,
    pub ahead: i32,
    pub key: Kind,
    pub retention: Option<Retention>,
    /// Schema and name of the table from which partitions take more than from their parent.
    pub template: Option<(String, String)>,
    /// In plain sentences, for people.
    pub notes: Vec<String>,
}

/// What the values of the key say of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Time,
    Epoch(Unit),
    Uuid,
}

impl Kind {
    /// As the argument key_unit.
    pub fn unit(self) -> Option<&'static str> {
        match self {
            Kind::Epoch(unit) => Some(unit.name()),
            Kind::Time | Kind::Uuid => None,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Retention {
    /// As the server reads intervals.
    pub retain: String,
    /// As the argument of partition_retain.
    pub retire: &'static str,
    pub schema: Option<String>,
}

/// Why a set cannot be taken over, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub message: String,
    pub hint: &'static str,
}

fn refuse<T>(message: impl Into<String>, hint: &'static str) -> Result<T, Refusal> {
    Err(Refusal { message: message.into(), hint })
}

/// Schema and table as pg_partman writes them, never quoted: it takes no dots in names.
pub fn split(name: &str) -> Option<(String, String)> {
    let (schema, table) = name.split_once('.')?;
    Some((schema.to_owned(), table.to_owned()))
}

/// What a row of part_config says.
pub fn read(row: &Value) -> Result<Config, Refusal> {
    let row = Row(row);
    match row.text("partition_type").unwrap_or_default() {
        "native" | "range" => {}
        "list" => {
            return refuse(
                "the set is partitioned by list",
                "Ranges of time only can be taken over. Leave this set to pg_partman.",
            )
        }
        _ => return refuse(
            "the set is made of triggers and inheritance",
            "Make a table that is PARTITION BY RANGE, attach the children to it with their bounds, and call \
                 dbguard.partition_enable: it takes over the partitions that are there.",
        ),
    }
    if row.is("undo_in_progress") {
        return refuse("pg_partman is taking the set apart", "Finish partman.undo_partition.");
    }
    if row.text("async_partitioning_in_progress").is_some() {
        return refuse(
            "pg_partman is moving rows of the set",
            "Finish partition_data_async, or clear async_partitioning_in_progress in part_config.",
        );
    }
    if row.is("sub_partition_set_full") {
        return refuse("the set is full", "It needs no more partitions, and no maintenance.");
    }
    Ok(Config {
        every: every(row.text("partition_interval").unwrap_or_default()).to_owned(),
        ahead: row.number("premake"),
        key: kind(&row)?,
        retention: retention(&row),
        template: row.text("template_table").and_then(split),
        notes: notes(&row),
    })
}

/// Old versions stored the names of widths.
fn every(interval: &str) -> &str {
    match interval {
        "yearly" => "1 year",
        "quarterly" => "3 months",
        "monthly" => "1 month",
        "weekly" => "1 week",
        "daily" => "1 day",
        "hourly" => "1 hour",
        "half-hour" => "30 minutes",
        "quarter-hour" => "15 minutes",
        other => other,
    }
}

fn kind(row: &Row) -> Result<Kind, Refusal> {
    let encoder = row.text("time_encoder");
    match (row.text("epoch").unwrap_or("none"), encoder) {
        ("none", None) => Ok(Kind::Time),
        // a name that may have a schema before it, and an argument list after it
        ("none", Some(name)) if named(name, "uuid7_time_encoder") => Ok(Kind::Uuid),
        ("none", Some(name)) => refuse(
            format!("the key is encoded by function {name}"),
            "Keys of type uuid that are UUIDv7 and text COLLATE \"C\" that is ULID can be partitioned by \
             dbguard.partition_enable; others cannot.",
        ),
        ("seconds", _) => Ok(Kind::Epoch(Unit::Seconds)),
        ("milliseconds", _) => Ok(Kind::Epoch(Unit::Milliseconds)),
        ("microseconds", _) => Ok(Kind::Epoch(Unit::Microseconds)),
        ("nanoseconds", _) => Ok(Kind::Epoch(Unit::Nanoseconds)),
        (other, _) => refuse(
            format!("the key counts \"{other}\""),
            "Seconds, milliseconds, microseconds and nanoseconds since 1970 can be taken over.",
        ),
    }
}

fn named(name: &str, wanted: &str) -> bool {
    let name = name.split('(').next().unwrap_or_default();
    name.rsplit('.').next().is_some_and(|last| last.trim().trim_matches('"') == wanted)
}

/// A schema wins over whether tables are kept.
fn retention(row: &Row) -> Option<Retention> {
    let retain = row.text("retention")?.to_owned();
    let schema = row.text("retention_schema").map(str::to_owned);
    let retire = match (&schema, row.0.get("retention_keep_table").and_then(Value::as_bool)) {
        (Some(_), _) => "move",
        (None, Some(false)) => "drop",
        (None, _) => "detach",
    };
    Some(Retention { retain, retire, schema })
}

/// The columns of part_config that are looked at here or by `read`, or say nothing of what partitions are.
const KNOWN: &[&str] = &[
    "async_partitioning_in_progress",
    "automatic_maintenance",
    "child_table_prefix",
    "constraint_cols",
    "constraint_valid",
    "control",
    "date_trunc_interval",
    "datetime_string",
    "detach_before_drop",
    "drop_cascade_fk",
    "epoch",
    "ignore_default_data",
    "infinite_time_partitions",
    "inherit_fk",
    "inherit_privileges",
    "jobmon",
    "maintenance_last_run",
    "maintenance_order",
    "maintenance_role",
    "optimize_constraint",
    "optimize_trigger",
    "parent_table",
    "partition_interval",
    "partition_type",
    "premake",
    "publications",
    "retention",
    "retention_keep_index",
    "retention_keep_publication",
    "retention_keep_table",
    "retention_schema",
    "sub_partition_set_full",
    "subscription_refresh",
    "template_table",
    "time_decoder",
    "time_encoder",
    "trigger_exception_handling",
    "trigger_return_null",
    "undo_in_progress",
    "upsert",
];

/// What will be otherwise, and what to do about it.
fn notes(row: &Row) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |text: &str| notes.push(text.to_owned());
    if !row.is("infinite_time_partitions") {
        note("infinite_time_partitions was off: from now on partitions are made by the clock, whether or not rows come.");
    }
    if !row.is("inherit_privileges") {
        note("inherit_privileges was off: new partitions get owner and privileges of their parent all the same.");
    }
    if row.0.get("ignore_default_data") == Some(&Value::Bool(false)) {
        note("ignore_default_data was off: rows in the default partition have no say any more in how far ahead partitions are made.");
    }
    if row.0.get("maintenance_order").is_some_and(|order| !order.is_null()) {
        note("maintenance_order: sets are maintained in the order of their names.");
    }
    if row.is("jobmon") {
        note("jobmon: runs are logged in dbguard.partition_run.");
    }
    let constraints = row.texts("constraint_cols");
    if !constraints.is_empty() {
        notes.push(format!(
            "constraint_cols: no constraints are made on old partitions any more; those on {} stay. Add others by hand.",
            constraints.join(", ")
        ));
    }
    let publications = row.texts("publications");
    if !publications.is_empty() {
        notes.push(format!(
            "publications: partitions are not added one by one. Publish the table itself in {}: ALTER PUBLICATION ... ADD TABLE.",
            publications.join(", ")
        ));
    }
    if let Some(subscription) = row.text("subscription_refresh") {
        notes.push(format!(
            "subscription_refresh: subscription {subscription} is not refreshed. Call ALTER SUBSCRIPTION ... REFRESH PUBLICATION from a scheduler."
        ));
    }
    let mut note = |text: &str| notes.push(text.to_owned());
    if row.text("retention").is_some() {
        let keeps = row.text("retention_schema").is_some()
            || row.0.get("retention_keep_table").and_then(Value::as_bool) != Some(false);
        if keeps && row.0.get("retention_keep_index").and_then(Value::as_bool) == Some(false) {
            note("retention_keep_index was off: detached partitions keep their indexes. Drop them by hand.");
        }
        if keeps && row.is("retention_keep_publication") {
            note("retention_keep_publication: add detached partitions to publications by hand.");
        }
        if row.is("drop_cascade_fk") {
            note("drop_cascade_fk: a partition to which foreign keys refer stays, and is told in dbguard.partition_run.");
        }
    }
    if let Some(role) = row.text("maintenance_role") {
        notes
            .push(format!("maintenance_role: partitions are made as the owner of the table, not as {role}."));
    }
    for (name, value) in row.0.as_object().into_iter().flatten() {
        let set = !matches!(value, Value::Null | Value::Bool(false));
        if set && !KNOWN.contains(&name.as_str()) {
            notes.push(format!("{name}: not known to this version of dbguard, and not taken over."));
        }
    }
    notes
}

struct Row<'a>(&'a Value);

impl Row<'_> {
    fn text(&self, column: &str) -> Option<&str> {
        self.0.get(column)?.as_str()
    }

    fn is(&self, column: &str) -> bool {
        self.0.get(column).and_then(Value::as_bool).unwrap_or(false)
    }

    /// One that is no number a set can have reads as 0, which partition_enable refuses.
    fn number(&self, column: &str) -> i32 {
        let number = self.0.get(column).and_then(Value::as_i64).unwrap_or(0);
        i32::try_from(number).unwrap_or(0)
    }

    fn texts(&self, column: &str) -> Vec<&str> {
        let list = self.0.get(column).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

#[cfg(test)]
#[path = "tests/partman.rs"]
mod tests;
