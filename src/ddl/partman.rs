//! Statements on pg_partman's configuration, and the calls of ours that say the same.

use dbguard_core::quote::{literal, qualified};

/// One row a set, or the row of the set called $1: its row of part_config as JSON, and whether pg_partman
/// partitions its partitions.
pub fn sets(schema: &str) -> String {
    format!(
        "SELECT to_jsonb(c)::text, EXISTS (SELECT FROM {} s WHERE s.sub_parent = c.parent_table)
         FROM {} c WHERE $1 IS NULL OR c.parent_table = $1 ORDER BY c.parent_table",
        qualified(schema, "part_config_sub"),
        qualified(schema, "part_config")
    )
}

/// Has pg_partman leave the set called $1 alone, also when it is told to maintain it.
pub fn stop(schema: &str) -> String {
    format!(
        "UPDATE {} SET automatic_maintenance = 'off', retention = NULL WHERE parent_table = $1",
        qualified(schema, "part_config")
    )
}

/// `stop` for people.
pub fn stop_by_hand(schema: &str, set: &str) -> String {
    stop(schema).replace("$1", &literal(set)) + ";"
}

/// Undoes `stop`.
pub fn resume(schema: &str, set: &str, automatic: &str, retention: Option<&str>) -> String {
    format!(
        "UPDATE {} SET automatic_maintenance = {}, retention = {} WHERE parent_table = {};",
        qualified(schema, "part_config"),
        literal(automatic),
        retention.map_or("NULL".to_owned(), literal),
        literal(set)
    )
}

pub fn forget(schema: &str, set: &str) -> String {
    format!("DELETE FROM {} WHERE parent_table = {};", qualified(schema, "part_config"), literal(set))
}

/// A table by schema and name.
pub type Table<'a> = (&'a str, &'a str);

/// The arguments of partition_enable that differ from what it takes by itself.
pub struct Enable<'a> {
    pub every: &'a str,
    pub ahead: i32,
    pub zone: &'a str,
    pub anchor: Option<&'a str>,
    pub key_unit: Option<&'a str>,
    pub storage_options: &'a [String],
    pub unique_on: &'a [String],
}

pub fn enable(table: Table, wanted: &Enable) -> String {
    let mut call = format!(
        "SELECT * FROM dbguard.partition_enable({}, {}, ahead => {}, zone => {}",
        name(table),
        literal(wanted.every),
        wanted.ahead,
        literal(wanted.zone)
    );
    for (argument, value) in [("anchor", wanted.anchor), ("key_unit", wanted.key_unit)] {
        if let Some(value) = value {
            call += &format!(", {argument} => {}", literal(value));
        }
    }
    for (argument, list) in [("storage_options", wanted.storage_options), ("unique_on", wanted.unique_on)] {
        if !list.is_empty() {
            let list: Vec<String> = list.iter().map(|value| literal(value)).collect();
            call += &format!(", {argument} => ARRAY[{}]", list.join(", "));
        }
    }
    call + ");"
}

pub fn retain(table: Table, retain: &str, retire: &str, schema: Option<&str>) -> String {
    let schema = schema.map_or(String::new(), |schema| format!(", schema => {}", literal(schema)));
    format!(
        "SELECT * FROM dbguard.partition_retain({}, {}, retire => {}{schema});",
        name(table),
        literal(retain),
        literal(retire)
    )
}

pub fn disable(table: Table) -> String {
    format!("SELECT dbguard.partition_disable({});", name(table))
}

fn name((schema, name): Table) -> String {
    literal(&qualified(schema, name))
}
