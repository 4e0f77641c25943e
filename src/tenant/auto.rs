//! Partitions and children that a guarded table gets later are guarded as it is: a policy guards only what is asked through
//! the table it is on.

use super::enable::guardable;
use super::guard;
use super::guarded::{follows_a_parent, policy_of};
use super::wanted::Wanted;
use crate::catalog::{extension_owner, own_table, relation};
use crate::error::{Error, Result};
use crate::pg::event;
use crate::pg::query::each_fresh;
use crate::pg::relation::with_inheritors;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use std::cell::Cell;

thread_local! {
    /// We are guarding a tree, which cannot be of one piece meanwhile.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

struct AtWork;

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.set(false);
    }
}

/// Runs `f` and lets the tables it changes be.
pub fn let_be<T>(f: impl FnOnce() -> T) -> T {
    AT_WORK.set(true);
    let _end = AtWork;
    f()
}

/// Event trigger at the end of commands that make tables or let them inherit. One that cannot be guarded is not made.
#[pg_extern(sql = false)]
fn tenant_auto(fcinfo: pg_sys::FunctionCallInfo) {
    if AT_WORK.get() || !event::may_lack_policies(fcinfo) {
        return;
    }
    if let Err(e) = let_be(follow) {
        e.raise();
    }
}

fn follow() -> Result<()> {
    for (child, parent) in new_children()? {
        let Some(policy) = policy_of(parent)? else { continue };
        let own = policy_of(child)?.filter(|own| own.rule.is_some() && own.enabled);
        let Some((column, kind, setting)) = policy.rule else {
            if own.is_some() {
                continue;
            }
            return Err(Error::not_in_state(format!("table \"{}\" is not guarded as it was", policy.name))
                .detail("So what inherits from it cannot be guarded.")
                .hint("See SELECT * FROM dbguard.tenant_status();"));
        };
        // it may be guarded by now, as a child of the one before
        let rule = Some((column.clone(), kind, setting.clone()));
        if own.is_some_and(|own| own.rule == rule && own.forced == policy.forced) {
            continue;
        }
        let wanted = Wanted { column, setting, force: policy.forced, tenants: None };
        for relid in with_inheritors(child).into_iter().rev() {
            if !guardable(&relation(relid)?) {
                continue;
            }
            let steps = guard::steps(&own_table(relid)?, &wanted)?;
            // whoever makes a table may have no business in our schema; these statements run nobody's code
            as_role(extension_owner()?, Fence::Local, || steps.iter().try_for_each(|step| step.take()))?;
        }
    }
    Ok(())
}

/// What the command made or changed, or lies below that, and is not guarded as a parent of it is, whatever snapshot the
/// transaction has. What is attached is told of as a change of its parent.
fn new_children() -> Result<Vec<(Oid, Oid)>> {
    const NEW: &str = concat!(
        "WITH RECURSIVE tree AS (
            SELECT objid AS oid FROM pg_event_trigger_ddl_commands()
            WHERE classid = 'pg_class'::regclass AND object_type = 'table' AND NOT in_extension
            UNION SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid)
        SELECT DISTINCT ON (c.oid) json_build_array(c.oid::int8, i.inhparent::int8)::text
        FROM tree t
        JOIN pg_class c ON c.oid = t.oid AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        JOIN pg_inherits i ON i.inhrelid = c.oid
        JOIN pg_policy p ON p.polrelid = i.inhparent AND p.polname = 'dbguard_tenant'
        WHERE NOT ",
        follows_a_parent!(),
        " ORDER BY c.oid, i.inhparent"
    );
    let mut list = vec![];
    each_fresh(NEW, &[], |(child, parent): (u32, u32)| list.push((child.into(), parent.into())))?;
    Ok(list)
}
