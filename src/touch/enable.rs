//! Switching the triggers on and off for a table.

use super::arguments::Arguments;
use super::kept::{fits, Keeper, KEEPERS};
use super::status::triggers;
use crate::catalog::own_table;
use crate::catalog::writable;
use crate::ddl;
use crate::error::{notice, Error, Result};
use crate::pg::attribute::attributes_of_relation;
use crate::pg::lock;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// The trigger function for what is to be kept, by that or by its own name.
///
/// # Errors
/// 22023 if there is none.
pub fn keeper(what: Option<&str>) -> Result<&'static Keeper> {
    let what = what.ok_or_else(|| Error::null_argument("what"))?;
    KEEPERS.into_iter().find(|k| k.column == what || k.function == what).ok_or_else(|| {
        let all: Vec<&str> = KEEPERS.iter().map(|k| k.column).collect();
        Error::invalid_parameter(format!("cannot keep \"{what}\""))
            .detail(format!("What can be kept is {}.", all.join(", ")))
            .hint("The column's own name is the argument column_name.")
    })
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn touch_enable(
    relation: Option<Oid>,
    column_name: Option<&str>,
    what: Option<&str>,
    options: Option<Vec<Option<String>>>,
) -> std::result::Result<
    TableIterator<'static, (name!(relation, Oid), name!(column, String), name!(action, &'static str))>,
    ErrorReport,
> {
    writable("touch_enable")?;
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let keeper = keeper(what)?;
    let column = column_name.unwrap_or(keeper.column);
    let action = enable(relation, keeper, column, &elements("options", options)?)?;
    if action == "unchanged" {
        let table = own_table(relation)?;
        notice(format!("\"{column}\" of table \"{}\" is already kept, nothing to do", table.name));
    }
    Ok(TableIterator::once((relation, column.to_owned(), action)))
}

/// An array argument; NULL is an empty one.
pub fn elements(name: &str, list: Option<Vec<Option<String>>>) -> Result<Vec<String>> {
    let all: Option<Vec<String>> = list.unwrap_or_default().into_iter().collect();
    all.ok_or_else(|| {
        Error::invalid_parameter(format!("argument \"{name}\" must not contain nulls"))
            .hint("Leave out what is not meant.")
    })
}

/// Makes or changes the trigger of a table.
pub fn enable(relation: Oid, keeper: &Keeper, column: &str, options: &[String]) -> Result<&'static str> {
    own_table(relation)?;
    lock::share_row_exclusive(relation);
    let table = own_table(relation)?;
    if table.is_partition {
        return Err(Error::wrong_object_type(format!("\"{}\" is a partition", table.name))
            .hint("Name the partitioned table: its partitions follow, those made later too."));
    }
    let mut args = vec![column.to_owned()];
    args.extend_from_slice(options);
    let arguments = Arguments::parse(keeper.function, keeper.column, keeper.choices, args.clone())?;
    let attributes = attributes_of_relation(relation);
    let Some(attribute) = attributes.iter().find(|a| a.name == column) else {
        let missing = Error::undefined_column(column, &table.name);
        return Err(missing.hint(format!(
            "{};",
            ddl::touch::add_column(&table.schema, &table.name, column, keeper.definition)
        )));
    };
    fits(attribute, keeper)?;
    if let Some(name) = arguments.unknown_column(&attributes) {
        return Err(Error::undefined_column(name, &table.name).hint("Ignore columns that the table has."));
    }
    let trigger = ddl::touch::trigger(keeper.column);
    let there = triggers(Some(relation))?;
    if let Some(other) = there.iter().find(|t| t.name != trigger && t.keeps(column)) {
        return Err(Error::not_in_state(format!(
            "trigger \"{}\" keeps column \"{column}\" already",
            other.name
        ))
        .detail("Two would undo each other's work.")
        .hint(format!("{};", ddl::touch::drop_trigger(&other.name, &table.schema, &table.name))));
    }
    let before = there.iter().find(|t| t.name == trigger);
    let action = match before {
        Some(t) if t.args == args && matches!(t.enabled, 'O' | 'A') => return Ok("unchanged"),
        Some(_) => "changed",
        None => "enabled",
    };
    // replacing a trigger that was disabled enables it
    ddl::run(&ddl::touch::create_trigger(
        &trigger,
        &table.schema,
        &table.name,
        keeper.when,
        keeper.function,
        &args,
    ))?;
    if before.is_some_and(|t| t.enabled == 'A') {
        ddl::run(&ddl::touch::always(&trigger, &table.schema, &table.name))?;
    }
    Ok(action)
}

#[pg_extern(sql = false)]
fn touch_disable(relation: Option<Oid>, what: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    writable("touch_disable")?;
    Ok(disable(relation, what.map(|w| keeper(Some(w))).transpose()?)?)
}

/// One of the triggers that `enable` makes, or all of them.
fn disable(relation: Option<Oid>, keeper: Option<&Keeper>) -> Result<bool> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let table = own_table(relation)?;
    let wanted = |name: &str| {
        KEEPERS
            .iter()
            .filter(|k| keeper.is_none_or(|only| only.column == k.column))
            .any(|k| ddl::touch::trigger(k.column) == name)
    };
    let there: Vec<_> = triggers(Some(relation))?.into_iter().filter(|t| wanted(&t.name)).collect();
    if there.is_empty() {
        notice(format!("touch of table \"{}\" is not enabled, nothing to do", table.name));
    }
    for trigger in &there {
        ddl::run(&ddl::touch::drop_trigger(&trigger.name, &table.schema, &table.name))?;
    }
    Ok(!there.is_empty())
}
