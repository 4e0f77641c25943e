//! Which tables have soft delete, and what is wrong with it.

use super::keys;
use super::live;
use super::plan;
use super::trigger::{fits, DEFAULT_COLUMN};
use crate::ddl::soft_delete::TRIGGER;
use crate::error::Result;
use crate::pg::attribute::attributes_of_relation;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// Soft delete of a table.
pub struct State {
    pub column: String,
    /// keep or follow
    pub children: &'static str,
    pub live_view: Option<Oid>,
    /// pg_trigger.tgenabled
    pub enabled: char,
    /// Whether the trigger sees rows that move between partitions.
    for_update: bool,
}

struct Found {
    relation: Oid,
    name: String,
    state: State,
}

/// Triggers that call soft_delete; copies on partitions are not listed.
fn triggers(relation: Option<Oid>) -> Result<Vec<Found>> {
    const TRIGGERS: &str = "
        SELECT t.tgrelid, t.tgname::text,
               convert_from(substr(t.tgargs, 1, greatest(position('\\x00'::bytea IN t.tgargs) - 1, 0)), getdatabaseencoding()),
               t.tgenabled::text, t.tgtype & 16 <> 0,
               EXISTS (SELECT FROM pg_trigger f
                       WHERE f.tgrelid = t.tgrelid AND f.tgfoid = 'dbguard.soft_delete_children()'::regprocedure
                         AND f.tgenabled IN ('O', 'A'))
        FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE t.tgfoid = 'dbguard.soft_delete()'::regprocedure AND t.tgparentid = 0 AND ($1 IS NULL OR t.tgrelid = $1)
        ORDER BY n.nspname, c.relname, t.tgname";
    let mut list = Spi::connect(|client| -> std::result::Result<Vec<Found>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(TRIGGERS, None, &[relation.into()])? {
            let column = row.get::<String>(3)?.filter(|c| !c.is_empty());
            list.push(Found {
                relation: row.get::<Oid>(1)?.unwrap_or(Oid::INVALID),
                name: row.get::<String>(2)?.unwrap_or_default(),
                state: State {
                    column: column.unwrap_or_else(|| DEFAULT_COLUMN.to_owned()),
                    enabled: row.get::<String>(4)?.and_then(|e| e.chars().next()).unwrap_or('D'),
                    for_update: row.get::<bool>(5)?.unwrap_or_default(),
                    children: if row.get::<bool>(6)? == Some(true) { "follow" } else { "keep" },
                    live_view: None,
                },
            });
        }
        Ok(list)
    })?;
    for found in &mut list {
        found.state.live_view = live::of(found.relation)?;
    }
    Ok(list)
}

/// As soft_delete_enable made it.
pub fn of(relation: Oid) -> Result<Option<State>> {
    Ok(triggers(Some(relation))?.into_iter().find(|t| t.name == TRIGGER).map(|t| t.state))
}

/// A trigger that does the same and was made by hand.
pub fn another(relation: Oid) -> Result<Option<String>> {
    Ok(triggers(Some(relation))?.into_iter().find(|t| t.name != TRIGGER).map(|t| t.name))
}

/// All tables, with the column.
pub fn all() -> Result<Vec<(Oid, String)>> {
    Ok(triggers(None)?.into_iter().map(|t| (t.relation, t.state.column)).collect())
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn soft_delete_status() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(column, String),
            name!(children, &'static str),
            name!(live_view, Option<Oid>),
            name!(state, &'static str),
            name!(problem, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let rows = triggers(None)?
        .into_iter()
        .map(|t| {
            let state = match t.state.enabled {
                'O' => "enabled",
                'A' => "always",
                'R' => "replica only",
                _ => "disabled",
            };
            let problems = problems(&t, state)?;
            let problem = (!problems.is_empty()).then(|| problems.join("; "));
            Ok((t.relation, t.state.column, t.state.children, t.state.live_view, state, problem))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(TableIterator::new(rows))
}

fn problems(t: &Found, state: &str) -> Result<Vec<String>> {
    let mut list = vec![];
    if !matches!(state, "enabled" | "always") {
        list.push(format!("rows are deleted for good: trigger \"{}\" is {state}", t.name));
    }
    let attributes = attributes_of_relation(t.relation);
    let column = &t.state.column;
    match attributes.iter().find(|a| a.name == *column) {
        None => list.push(format!("column \"{column}\" does not exist: deletes fail")),
        Some(attribute) => {
            if let Err(e) = fits(attribute) {
                list.push(format!("{}: deletes fail", e.message()));
            }
        }
    }
    let Some(table) = crate::pg::relation::describe(t.relation) else { return Ok(list) };
    if (table.kind == 'p' || table.is_partition) && !t.state.for_update {
        list.push("the trigger was made before the table had partitions: deletes fail".to_owned());
    }
    if t.name == TRIGGER && t.state.children == "follow" {
        for key in keys::referring(t.relation)?.iter().filter(|key| key.on_delete == 'c') {
            if key.deleted.is_none() {
                list.push(format!(
                    "rows of \"{}\" do not follow: soft delete is not enabled there",
                    key.table
                ));
            }
        }
    }
    for heir in keys::inheriting(t.relation)? {
        list.push(format!(
            "rows of \"{heir}\", which inherits from it, are deleted for good: soft delete is not enabled there"
        ));
    }
    if keys::sees_transition_table(t.relation)? {
        list.push("a row trigger of UPDATE asks for a transition table: deletes fail".to_owned());
    }
    for name in plan::whole_unique(&table, column)? {
        list.push(format!("\"{name}\" counts deleted rows, too: see dbguard.soft_delete_plan"));
    }
    Ok(list)
}
