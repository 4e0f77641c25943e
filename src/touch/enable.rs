//! Switching updated_at on and off for a table, and seeing where it is on.

use super::updated_at::DEFAULT_COLUMN;
use crate::catalog::own_table;
use crate::ddl;
use crate::error::{notice, Error, Result};
use crate::pg::attribute::attributes_of_relation;
use crate::pg::datetime::now_as;
use crate::pg::lock;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// 42804: the column cannot hold a time.
pub fn wrong_type(column: &str) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        format!("column \"{column}\" must be of type timestamp with time zone, timestamp or date"),
    )
    .hint("timestamp with time zone is the one to choose.")
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn touch_enable(
    relation: Option<Oid>,
    column_name: Option<&str>,
) -> std::result::Result<
    TableIterator<'static, (name!(relation, Oid), name!(column, String), name!(action, String))>,
    ErrorReport,
> {
    Ok(TableIterator::once(enable(relation, column_name)?))
}

fn enable(relation: Option<Oid>, column: Option<&str>) -> Result<(Oid, String, String)> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let column = column.ok_or_else(|| Error::null_argument("column_name"))?;
    own_table(relation)?;
    lock::share_row_exclusive(relation);
    let table = own_table(relation)?;
    if table.is_partition {
        return Err(Error::wrong_object_type(format!("\"{}\" is a partition", table.name))
            .hint("Name the partitioned table: its partitions follow, those made later too."));
    }
    let attributes = attributes_of_relation(relation);
    let Some(attribute) = attributes.iter().find(|a| a.name == column) else {
        return Err(Error::undefined_column(column, &table.name)
            .hint(format!("{};", ddl::touch::add_column(&table.schema, &table.name, column))));
    };
    if attribute.generated {
        return Err(Error::wrong_object_type(format!("column \"{column}\" is a generated column"))
            .hint("Name a column that can be set."));
    }
    if now_as(attribute.type_oid).is_none() {
        return Err(wrong_type(column));
    }
    let before = triggers(Some(relation))?.into_iter().find(|t| t.name == ddl::touch::TRIGGER);
    let action = match &before {
        Some(t) if t.column == column && t.enabled == "O" => {
            notice(format!("\"{column}\" of table \"{}\" is already kept, nothing to do", table.name));
            "unchanged"
        }
        Some(_) => "changed",
        None => "enabled",
    };
    if action != "unchanged" {
        // replacing a trigger that was disabled enables it
        ddl::run(&ddl::touch::create_trigger(&table.schema, &table.name, column))?;
    }
    Ok((relation, column.to_owned(), action.to_owned()))
}

#[pg_extern(sql = false)]
fn touch_disable(relation: Option<Oid>) -> std::result::Result<bool, ErrorReport> {
    Ok(disable(relation)?)
}

fn disable(relation: Option<Oid>) -> Result<bool> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let table = own_table(relation)?;
    if !triggers(Some(relation))?.iter().any(|t| t.name == ddl::touch::TRIGGER) {
        notice(format!("touch of table \"{}\" is not enabled, nothing to do", table.name));
        return Ok(false);
    }
    ddl::run(&ddl::touch::drop_trigger(&table.schema, &table.name))?;
    Ok(true)
}

struct Trigger {
    relation: Oid,
    name: String,
    column: String,
    /// pg_trigger.tgenabled
    enabled: String,
}

/// Triggers that call set_updated_at, ours or made by hand; copies on partitions are not listed.
fn triggers(relation: Option<Oid>) -> Result<Vec<Trigger>> {
    const TRIGGERS: &str = "
        SELECT t.tgrelid, t.tgname::text, t.tgargs, t.tgenabled::text
        FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE t.tgfoid = 'dbguard.set_updated_at()'::regprocedure AND t.tgparentid = 0
          AND ($1 IS NULL OR t.tgrelid = $1)
        ORDER BY n.nspname, c.relname, t.tgname";
    let list = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(TRIGGERS, None, &[relation.into()])? {
            let args = row.get::<Vec<u8>>(3)?.unwrap_or_default();
            let column = args.split(|b| *b == 0).next().filter(|a| !a.is_empty());
            list.push(Trigger {
                relation: row.get::<Oid>(1)?.unwrap_or(pgrx::pg_sys::InvalidOid),
                name: row.get::<String>(2)?.unwrap_or_default(),
                column: column.map_or(DEFAULT_COLUMN.into(), |c| String::from_utf8_lossy(c).into_owned()),
                enabled: row.get::<String>(4)?.unwrap_or_default(),
            });
        }
        Ok(list)
    })?;
    Ok(list)
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn touch_status() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(column, String),
            name!(trigger_name, String),
            name!(state, String),
            name!(problem, Option<String>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::new(status()?))
}

fn status() -> Result<Vec<(Oid, String, String, String, Option<String>)>> {
    let mut rows = vec![];
    for trigger in triggers(None)? {
        let state = match trigger.enabled.as_str() {
            "O" => "enabled",
            "A" => "always",
            "R" => "replica only",
            _ => "disabled",
        };
        let attributes = attributes_of_relation(trigger.relation);
        let problem = match attributes.iter().find(|a| a.name == trigger.column) {
            None => Some(format!("column \"{}\" does not exist: updates fail", trigger.column)),
            Some(a) if now_as(a.type_oid).is_none() => {
                Some(format!("column \"{}\" cannot hold a time: updates fail", trigger.column))
            }
            _ if state == "disabled" || state == "replica only" => {
                Some(format!("the column is not kept: the trigger is {state}"))
            }
            _ => None,
        };
        rows.push((trigger.relation, trigger.column, trigger.name, state.to_owned(), problem));
    }
    Ok(rows)
}
