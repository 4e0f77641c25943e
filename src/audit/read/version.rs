//! A table's columns over time, as the log has noted them: what to make of an image of then.

use super::access;
use crate::audit::choose::audited;
use crate::audit::choose::options::Options;
use crate::error::Result;
use crate::pg::query::{each, param, Param};
use crate::pg::relation::{of_ours, Column, Relation};
use crate::pg::user::{as_role, Fence};
use dbguard_core::image::Rename;
use pgrx::prelude::*;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// How images and keys logged under one version are to be read today.
pub struct Reading {
    pub renames: Vec<Rename>,
    /// Whether keys of then are keys of today.
    pub same_key: bool,
}

/// One row of audit_relation.
struct Version {
    id: i32,
    home: String,
    key: Vec<String>,
    /// Names and types.
    types: Map<String, Value>,
    /// Names and numbers, if they were noted.
    numbers: Option<Map<String, Value>>,
}

/// All that the log has noted of a table, oldest first.
pub struct Versions {
    list: Vec<Version>,
    here: String,
}

/// Notes the version the table has now, unless it is the last one noted. `starts`: audit begins (again)
/// now, and what changed before is not in the log; then it is noted in any case. Else not for a table the
/// log knows nothing of: the triggers of a restore may be there before the log's own rows.
pub fn note(table: &Relation, options: &Options, starts: bool) -> Result<()> {
    note_of(table, options, starts, || access::lineage_of(table))
}

/// The same for a table that takes the place of another, whose history goes on without a gap.
pub fn note_as(table: &Relation, options: &Options, lineage: Option<i32>) -> Result<()> {
    note_of(table, options, false, || Ok(lineage))
}

fn note_of(
    table: &Relation,
    options: &Options,
    starts: bool,
    lineage: impl FnOnce() -> Result<Option<i32>>,
) -> Result<()> {
    const NOTE: &str = "
        INSERT INTO dbguard.audit_relation
          (id, lineage, schema_name, table_name, home, key_columns, columns, since, column_numbers, starts)
        OVERRIDING SYSTEM VALUE
        SELECT n.id, coalesce($1, n.id), $2::name, $3::name, $4, $5::name[], $6::jsonb, clock_timestamp(), $7::jsonb, $8
        FROM (SELECT nextval('dbguard.audit_relation_id_seq')::int4 AS id) n
        WHERE $8 OR $1 IS NOT NULL AND NOT EXISTS (
          SELECT FROM dbguard.audit_relation r
          WHERE r.id = (SELECT max(l.id) FROM dbguard.audit_relation l WHERE l.lineage = $1)
            AND r.schema_name = $2::name AND r.table_name = $3::name AND r.home = $4 AND r.key_columns = $5::name[]
            AND r.columns = $6::jsonb AND r.column_numbers = $7::jsonb)";
    let Some(log) = of_ours(c"audit_relation") else { return Ok(()) };
    let types = audited::types(audited::logged_columns(table, options));
    let numbers = audited::logged_columns(table, options).map(|c| (c.name.clone(), c.number.into()));
    let numbers = Value::Object(numbers.collect()).to_string();
    as_role(crate::catalog::relation(log)?.owner, Fence::Local, || {
        let lineage = lineage()?;
        Spi::connect_mut(|client| -> std::result::Result<(), pgrx::spi::Error> {
            let args = [
                lineage.into(),
                table.schema.as_str().into(),
                table.name.as_str().into(),
                audited::home(table).into(),
                table.key().into(),
                types.into(),
                numbers.into(),
                starts.into(),
            ];
            client.update(NOTE, None, &args).map(drop)
        })?;
        Ok(())
    })
}

/// Since when all changes of a lineage are in the log.
pub fn audited_since(lineage: i32) -> Result<Option<i64>> {
    const SINCE: &str = "
        SELECT coalesce(max(since) FILTER (WHERE starts), min(since)) FROM dbguard.audit_relation WHERE lineage = $1";
    let mut since = None;
    each(SINCE, &[param(lineage)], |row| {
        since = row.int8(0);
        Ok(())
    })?;
    Ok(since)
}

impl Versions {
    /// To be called with the log's rights.
    pub fn of(table: &Relation) -> Result<Versions> {
        const VERSIONS: &str = "
            SELECT id, home, key_columns::text[], columns::text, column_numbers::text
            FROM dbguard.audit_relation WHERE lineage = $1 ORDER BY id";
        let here = audited::home(table);
        let Some(lineage) = access::lineage_of(table)? else { return Ok(Versions { list: vec![], here }) };
        let list = Spi::connect(|client| -> std::result::Result<Vec<Version>, pgrx::spi::Error> {
            let mut list = vec![];
            for row in client.select(VERSIONS, None, &[lineage.into()])? {
                list.push(Version {
                    id: row.get(1)?.unwrap_or_default(),
                    home: row.get(2)?.unwrap_or_default(),
                    key: row.get(3)?.unwrap_or_default(),
                    types: object(row.get(4)?).unwrap_or_default(),
                    numbers: object(row.get(5)?),
                });
            }
            Ok(list)
        })?;
        Ok(Versions { list, here })
    }

    pub fn ids(&self) -> Vec<i32> {
        self.list.iter().map(|v| v.id).collect()
    }

    pub fn readings(&self, table: &Relation) -> HashMap<i32, Reading> {
        self.list.iter().map(|v| (v.id, self.reading(v, table))).collect()
    }

    fn reading(&self, then: &Version, table: &Relation) -> Reading {
        let renames = self.renames(then, table);
        let now = |name: &String| {
            let renamed = renames.iter().find(|(old, _)| old == name.as_bytes());
            renamed.map_or(Some(name.clone().into_bytes()), |(_, new)| new.clone())
        };
        let mut key: Vec<Option<Vec<u8>>> = then.key.iter().map(now).collect();
        let mut today: Vec<Option<Vec<u8>>> = table.key().into_iter().map(|k| Some(k.into_bytes())).collect();
        key.sort();
        today.sort();
        // the key of several columns holds their names
        let spelled_alike = then.key.len() < 2 || then.key.iter().all(|k| table.key().contains(k));
        Reading { same_key: key == today && spelled_alike, renames }
    }

    /// What the columns of then are called now. A column that is gone keeps its name (and is not seen),
    /// unless another column has the name today and cannot be its successor.
    fn renames(&self, then: &Version, table: &Relation) -> Vec<Rename> {
        let Some(numbers) = then.numbers.as_ref().filter(|_| then.home == self.here) else { return vec![] };
        let mut renames = vec![];
        for (name, number) in numbers {
            let same = table.columns.iter().find(|c| number == &Value::from(c.number));
            match (same, table.columns.iter().find(|c| c.name == *name)) {
                (Some(same), _) if same.name != *name => {
                    renames.push((name.clone().into_bytes(), Some(same.name.clone().into_bytes())));
                }
                (None, Some(other)) => {
                    let was_there = numbers.values().any(|n| n == &Value::from(other.number));
                    let same_type = then.types.get(name) == Some(&Value::from(other.type_name.as_str()));
                    if was_there || !same_type {
                        renames.push((name.clone().into_bytes(), None));
                    }
                }
                _ => {}
            }
        }
        renames
    }

    /// The columns the log knows now and did not when version `id` was the table's latest: it had them not,
    /// or they were excluded. With each whether it knew one of that name.
    pub fn added_since(&self, id: i32, table: &Relation) -> Vec<(String, bool)> {
        let Some(at) = self.list.iter().position(|v| v.id == id) else { return vec![] };
        let then = &self.list[at];
        let has =
            |numbers: &Map<String, Value>, c: &Column| numbers.values().any(|n| n == &Value::from(c.number));
        let last = self.list.iter().rev().find_map(|v| v.numbers.as_ref());
        let excluded = |c: &Column| last.is_some_and(|numbers| !has(numbers, c));
        let known_by_number = then.numbers.as_ref().filter(|_| then.home == self.here);
        let new = |c: &&Column| match known_by_number {
            Some(numbers) => !has(numbers, c) && !excluded(c),
            // by its name alone: new if a later version was the first to have it
            None => {
                !then.types.contains_key(&c.name)
                    && self.list[at..].iter().any(|v| v.types.contains_key(&c.name))
            }
        };
        table.columns.iter().filter(new).map(|c| (c.name.clone(), then.types.contains_key(&c.name))).collect()
    }

    /// The version that was the latest at a moment, by the time it was noted.
    pub fn at(lineage: i32, moment: Param) -> Result<Option<i32>> {
        const LATEST: &str = "
            SELECT id FROM dbguard.audit_relation
            WHERE lineage = $1 AND since <= $2 ORDER BY since DESC, id DESC LIMIT 1";
        let mut latest = None;
        each(LATEST, &[param(lineage), moment], |row| {
            latest = row.int4(0);
            Ok(())
        })?;
        Ok(latest)
    }
}

fn object(text: Option<String>) -> Option<Map<String, Value>> {
    match serde_json::from_str(&text?) {
        Ok(Value::Object(map)) => Some(map),
        _ => None,
    }
}
