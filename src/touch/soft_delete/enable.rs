//! Switching soft delete on and off for a table.

use super::children::types_differ;
use super::keys;
use super::live;
use super::status::{self, State};
use super::trigger::{fits, transition_table, DEFAULT_COLUMN};
use crate::catalog::own_table;
use crate::catalog::writable;
use crate::ddl;
use crate::ddl::soft_delete::{CHILDREN_TRIGGER, TRIGGER};
use crate::error::{notice, warning, Error, Result};
use crate::pg::attribute::attributes_of_relation;
use crate::pg::lock;
use crate::pg::relation::Relation;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

/// What may be said of rows that refer to one that is deleted.
pub const CHILDREN: [&str; 2] = ["keep", "follow"];

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn soft_delete_enable(
    relation: Option<Oid>,
    column_name: Option<&str>,
    children: Option<&str>,
    live_view: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(column, String),
            name!(children, &'static str),
            name!(live_view, Option<Oid>),
            name!(action, &'static str),
        ),
    >,
    ErrorReport,
> {
    writable("soft_delete_enable")?;
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let wanted = Wanted::parse(column_name, children)?;
    let (state, action) = enable(relation, &wanted, live_view)?;
    Ok(TableIterator::once((relation, state.column, state.children, state.live_view, action)))
}

/// What is asked for; None: as it is, or the default.
pub struct Wanted {
    column: Option<String>,
    children: Option<&'static str>,
}

impl Wanted {
    /// # Errors
    /// 22023 if `children` is none of CHILDREN.
    pub fn parse(column: Option<&str>, children: Option<&str>) -> Result<Wanted> {
        let known = |given: &str| {
            CHILDREN.into_iter().find(|c| *c == given).ok_or_else(|| {
                Error::invalid_parameter(format!("children cannot be \"{given}\""))
                    .detail("It is one of keep, follow.")
                    .hint("Say children => 'follow' where rows that refer to a deleted row go with it.")
            })
        };
        Ok(Wanted { column: column.map(str::to_owned), children: children.map(known).transpose()? })
    }

    pub fn column(&self, before: Option<&State>) -> String {
        let before = before.map(|b| b.column.as_str());
        self.column.as_deref().or(before).unwrap_or(DEFAULT_COLUMN).to_owned()
    }

    pub fn children(&self, before: Option<&State>) -> &'static str {
        self.children.or(before.map(|b| b.children)).unwrap_or(CHILDREN[0])
    }
}

/// # Errors
/// 42809 for a partition, and what `check_column` says.
pub fn check_table(table: &Relation) -> Result<()> {
    if table.is_partition {
        return Err(Error::wrong_object_type(format!("\"{}\" is a partition", table.name))
            .hint("Name the partitioned table: its partitions follow, those made later too."));
    }
    Ok(())
}

/// # Errors
/// 42703, 42804, 42809 if there is no such column that could hold a time; 55000 if it could not say that a row is live.
pub fn check_column(table: &Relation, column: &str) -> Result<()> {
    const FORM: &str = "
        SELECT a.attnotnull, a.atthasdef,
               EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = a.attrelid AND a.attnum = ANY (p.partattrs::int2[]))
        FROM pg_attribute a WHERE a.attrelid = $1 AND a.attname = $2";
    let Some(attribute) = attributes_of_relation(table.oid).into_iter().find(|a| a.name == column) else {
        let add = ddl::touch::add_column(&table.schema, &table.name, column, DEFINITION);
        return Err(Error::undefined_column(column, &table.name).hint(format!("{add};")));
    };
    fits(&attribute)?;
    let (not_null, default, in_partition_key) = Spi::connect(|client| {
        client
            .select(FORM, Some(1), &[table.oid.into(), column.into()])?
            .first()
            .get_three::<bool, bool, bool>()
    })?;
    let not = |why: &str, way_out: &str| {
        Err(Error::not_in_state(format!("column \"{column}\" of table \"{}\" {why}", table.name))
            .hint(way_out))
    };
    match (not_null, default, in_partition_key) {
        (Some(true), ..) => not(
            "is NOT NULL",
            "A row is live while it is NULL: ALTER TABLE ... ALTER COLUMN ... DROP NOT NULL.",
        ),
        (_, Some(true), _) => not(
            "has a default",
            "A row is live while it is NULL: ALTER TABLE ... ALTER COLUMN ... DROP DEFAULT.",
        ),
        (.., Some(true)) => {
            not("is part of the partition key", "A deleted row would belong elsewhere. Name another column.")
        }
        _ => Ok(()),
    }
}

/// How such a column is best made.
pub const DEFINITION: &str = "timestamptz";

fn enable(relation: Oid, wanted: &Wanted, live_view: Option<&str>) -> Result<(State, &'static str)> {
    own_table(relation)?;
    lock::share_row_exclusive(relation);
    let table = own_table(relation)?;
    check_table(&table)?;
    let before = status::of(relation)?;
    let (column, children) = (wanted.column(before.as_ref()), wanted.children(before.as_ref()));
    check_column(&table, &column)?;
    if children == "follow" {
        check_children(&table, &column)?;
    }
    check_parents(&table, &column)?;
    if keys::sees_transition_table(relation)? {
        return Err(transition_table(&table.name));
    }
    if let Some(other) = status::another(relation)? {
        return Err(Error::not_in_state(format!(
            "trigger \"{other}\" turns deletes of the table into updates already"
        ))
        .hint(format!("{};", ddl::touch::drop_trigger(&other, &table.schema, &table.name))));
    }
    for heir in keys::inheriting(relation)? {
        warning(
            Error::not_in_state(format!(
                "rows of table \"{heir}\", which inherits from \"{}\", are deleted for good",
                table.name
            ))
            .detail("Soft delete is not enabled there.")
            .hint("Enable it there, too."),
        );
    }
    let view_there = before.as_ref().and_then(|b| b.live_view);
    let same =
        before.as_ref().is_some_and(|b| b.column == column && b.children == children && b.enabled == 'O');
    if !same {
        ddl::run(&ddl::soft_delete::enable(
            &table.schema,
            &table.name,
            table.kind == 'p',
            std::slice::from_ref(&column),
        ))?;
        if children == "follow" {
            ddl::run(&ddl::soft_delete::enable_children(&table.schema, &table.name, &column))?;
        } else if before.as_ref().is_some_and(|b| b.children == "follow") {
            ddl::run(&ddl::touch::drop_trigger(CHILDREN_TRIGGER, &table.schema, &table.name))?;
        }
    }
    let view = live_view.map(|name| live::make(&table, &column, name)).transpose()?;
    let state = status::of(relation)?.ok_or_else(|| Error::internal("the trigger was not made"))?;
    let action = match before {
        None => "enabled",
        Some(_) if same && (view.is_none() || view == view_there) => "unchanged",
        Some(_) => "changed",
    };
    if action == "unchanged" && live_view.is_none() {
        notice(format!("soft delete of table \"{}\" is enabled already, nothing to do", table.name));
    }
    Ok((state, action))
}

/// What follows must be able to say that it went at the same time.
fn check_children(table: &Relation, column: &str) -> Result<()> {
    let attributes = attributes_of_relation(table.oid);
    let Some(own) = attributes.iter().find(|a| a.name == column) else { return Ok(()) };
    if own.base == pg_sys::DATEOID {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
            format!("column \"{column}\" is of type date"),
        )
        .detail("Rows that go together are known by the same time, and a day is too long for that.")
        .hint("Make it timestamp with time zone, or leave children => 'keep'."));
    }
    for key in keys::referring(table.oid)?.iter().filter(|key| key.on_delete == 'c') {
        match &key.deleted {
            Some(deleted) if !deleted.holds(own) => {
                return Err(types_differ(&table.name, &key.table, &deleted.column));
            }
            Some(_) => {}
            None => warning(
                Error::not_in_state(format!(
                    "rows of table \"{}\" stay when those of \"{}\" that they refer to are deleted",
                    key.table, table.name
                ))
                .detail("Soft delete is not enabled there.")
                .hint("Enable it there, too, and they follow."),
            ),
        }
    }
    Ok(())
}

/// The same from the other side.
fn check_parents(table: &Relation, column: &str) -> Result<()> {
    let attributes = attributes_of_relation(table.oid);
    let Some(own) = attributes.iter().find(|a| a.name == column) else { return Ok(()) };
    for key in keys::referred(table.oid)?.iter().filter(|key| key.on_delete == 'c') {
        let follow = status::of(key.relation)?.is_some_and(|parent| parent.children == "follow");
        if follow && key.deleted.as_ref().is_some_and(|parent| !parent.held_by(own)) {
            return Err(types_differ(&key.table, &table.name, column));
        }
    }
    Ok(())
}

#[pg_extern(sql = false)]
fn soft_delete_disable(relation: Option<Oid>) -> std::result::Result<bool, ErrorReport> {
    writable("soft_delete_disable")?;
    Ok(disable(relation)?)
}

fn disable(relation: Option<Oid>) -> Result<bool> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let table = own_table(relation)?;
    let Some(state) = status::of(relation)? else {
        notice(format!("soft delete of table \"{}\" is not enabled, nothing to do", table.name));
        return Ok(false);
    };
    ddl::run(&ddl::touch::drop_trigger(TRIGGER, &table.schema, &table.name))?;
    if state.children == "follow" {
        ddl::run(&ddl::touch::drop_trigger(CHILDREN_TRIGGER, &table.schema, &table.name))?;
    }
    if let Some(view) = state.live_view {
        let name = crate::catalog::relation(view)?.name;
        notice(format!("view \"{name}\" stays; a DELETE from it deletes for good, too"));
    }
    Ok(true)
}
