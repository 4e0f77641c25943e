//! A column that a trigger keeps, and what else its relation has: resolved once a relation and trigger.

use super::arguments::{Arguments, Choice};
use crate::cache::TriggerCache;
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_call, Attribute};
use crate::pg::relation::{describe, is_function_of_ours, partition_parent};
use crate::pg::trigger::{Event, TriggerCall};
use crate::pg::tuple::{Compared, Layout};
use pgrx::pg_sys::{self, Oid};
use std::ffi::CStr;
use std::rc::Rc;

/// A trigger function of this part.
pub struct Keeper {
    pub function: &'static str,
    pub name: &'static CStr,
    /// The column it keeps unless told otherwise, which is also what it is called for.
    pub column: &'static str,
    /// How such a column is best made.
    pub definition: &'static str,
    pub choices: &'static [Choice],
    pub events: &'static [Event],
    /// As CREATE TRIGGER says them.
    pub when: &'static str,
    /// Whether it can keep a column of this type; and what those types are.
    pub takes: fn(&Attribute) -> bool,
    pub types: &'static str,
}

/// All of them.
pub static KEEPERS: [&Keeper; 5] = [
    &super::updated_at::KEEPER,
    &super::created_at::KEEPER,
    &super::updated_by::KEEPER,
    &super::created_by::KEEPER,
    &super::version::KEEPER,
];

pub struct Kept {
    pub column: Attribute,
    pub arguments: Arguments,
    /// What else a row has and is not kept by us or ignored. Generated columns follow the others, and
    /// before the write they are not computed yet.
    others: Vec<Attribute>,
    layout: Layout,
    /// Of a partition: the table at the top.
    pub root: Option<Oid>,
}

impl Kept {
    /// What an UPDATE really changes: values are compared as they are stored.
    pub fn compare(&self, call: &TriggerCall) -> Compared {
        call.compare(&self.layout).unwrap_or_else(|| {
            let (old, new) = (call.first(), call.second());
            let others = !self.others.iter().all(|a| a.same(&old, &new));
            Compared::found(others, !self.column.same(&old, &new))
        })
    }
}

thread_local! {
    /// A trigger has one function, so that one cache does for all of them.
    static KEPT: TriggerCache<Kept> = TriggerCache::new();
}

fn forget(relid: Option<Oid>) {
    KEPT.with(|cache| cache.forget(relid));
}

/// The call of a trigger function, with what it keeps; 39P01 if it is fired for what it was not made for.
pub fn called<'a>(fcinfo: pg_sys::FunctionCallInfo, keeper: &Keeper) -> Result<(TriggerCall<'a>, Rc<Kept>)> {
    let call = TriggerCall::new(fcinfo, keeper.function)?;
    if !call.before() || !call.for_each_row() || !keeper.events.contains(&call.event()) {
        let (function, when) = (keeper.function, keeper.when);
        return Err(Error::trigger_protocol(format!(
            "function \"{function}\" must be fired BEFORE {when} FOR EACH ROW"
        ))
        .hint(format!(
            "CREATE TRIGGER ... BEFORE {when} ON ... FOR EACH ROW EXECUTE FUNCTION dbguard.{function}()."
        )));
    }
    let key = (call.relation_oid(), call.trigger_oid());
    let kept =
        KEPT.with(|cache| cache.get(key, forget, |_| true, || Ok((resolve(&call, keeper)?, vec![]))))?;
    Ok((call, kept))
}

fn resolve(call: &TriggerCall, keeper: &Keeper) -> Result<Kept> {
    let arguments = Arguments::parse(keeper.function, keeper.column, keeper.choices, call.args())?;
    let mut attributes = attributes_of_call(call);
    let name = arguments.column.as_str();
    let Some(at) = attributes.iter().position(|a| a.name == name) else {
        return Err(Error::undefined_column(name, &call.relation_name())
            .hint(format!("Add the column, or drop the trigger that calls dbguard.{}.", keeper.function)));
    };
    if let Some(ignored) = arguments.unknown_column(&attributes) {
        return Err(Error::undefined_column(ignored, &call.relation_name()).hint(format!(
            "Drop the trigger that calls dbguard.{}, and make it again without it.",
            keeper.function
        )));
    }
    let column = attributes.swap_remove(at);
    fits(&column, keeper)?;
    // what they set when something else changed does not count as a change itself
    let table = describe(call.relation_oid());
    let root = table.as_ref().filter(|t| t.is_partition).map(|t| root_of(t.oid));
    let managed: Vec<String> = table
        .map(|t| t.triggers)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|t| {
            let other = KEEPERS.into_iter().find(|k| is_function_of_ours(t.function, k.name))?;
            Some(t.args.into_iter().next().unwrap_or_else(|| other.column.to_owned()))
        })
        .collect();
    let counts = |a: &Attribute| {
        !a.generated && !managed.contains(&a.name) && arguments.ignored().all(|i| i != a.name)
    };
    attributes.retain(counts);
    let layout = Layout::new(call, &column, &attributes);
    Ok(Kept { column, arguments, others: attributes, layout, root })
}

fn root_of(partition: Oid) -> Oid {
    let parent = partition_parent(partition);
    match describe(parent) {
        Some(p) if p.is_partition => root_of(parent),
        _ => parent,
    }
}

/// # Errors
/// 42804 if the column's type cannot hold what is to be kept there, 42809 if it is generated.
pub fn fits(column: &Attribute, keeper: &Keeper) -> Result<()> {
    let name = &column.name;
    if column.generated {
        return Err(Error::wrong_object_type(format!("column \"{name}\" is a generated column"))
            .hint("Name a column that can be set."));
    }
    if (keeper.takes)(column) {
        return Ok(());
    }
    Err(Error::new(
        pgrx::PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        format!("column \"{name}\" must be of type {}", keeper.types),
    )
    .hint("A domain over one of them will do as well."))
}
