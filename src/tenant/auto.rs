//! Partitions and children that a guarded table gets later are guarded as it is: a policy guards only what is asked through
//! the table it is on.

use super::enable::guardable;
use super::guard;
use super::guarded::{policy_of, Policy};
use super::wanted::Wanted;
use crate::catalog::{extension_owner, own_table, relation};
use crate::error::{Error, Result};
use crate::pg::event::{self, Unguarded};
use crate::pg::guc;
use crate::pg::query::{each_fresh, param};
use crate::pg::relation::with_inheritors;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use std::cell::Cell;
use std::collections::HashMap;

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
    if AT_WORK.get() {
        return;
    }
    let attached = match event::may_lack_policies(fcinfo) {
        Unguarded::None => return,
        Unguarded::Attached(name) => Some(name),
        Unguarded::All => None,
    };
    if let Err(e) = let_be(|| guc::with(&[(c"jit", c"off")], || follow(attached))) {
        e.raise();
    }
}

fn follow(attached: Option<String>) -> Result<()> {
    let mut known: HashMap<Oid, Option<Policy>> = HashMap::new();
    for (child, parents) in children(attached)? {
        for parent in &parents {
            if !known.contains_key(parent) {
                known.insert(*parent, policy_of(*parent)?);
            }
        }
        let above: Vec<&Policy> = parents.iter().filter_map(|p| known.get(p)?.as_ref()).collect();
        let own = policy_of(child)?.filter(|own| own.rule.is_some() && own.enabled);
        let same =
            |up: &&Policy| own.as_ref().is_some_and(|own| own.rule == up.rule && own.forced == up.forced);
        // it may be guarded by now, as a child of the one before
        if above.iter().any(same) {
            continue;
        }
        let Some(policy) = above.first() else { continue };
        let Some((column, _, setting)) = policy.rule.clone() else {
            if own.is_some() {
                continue;
            }
            return Err(Error::not_in_state(format!("table \"{}\" is not guarded as it was", policy.name))
                .detail("So what inherits from it cannot be guarded.")
                .hint("See SELECT * FROM dbguard.tenant_status();"));
        };
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

/// What the command made or changed, and what lies below that, with the parents that are guarded, whatever snapshot the
/// transaction has. What is attached the server tells of as a change of its parent, which may have thousands of others.
/// In steps, each of which asks for what it needs by an index: this runs at every CREATE TABLE.
fn children(attached: Option<String>) -> Result<Vec<(Oid, Vec<Oid>)>> {
    const CHANGED: &str = "
        SELECT json_build_array(d.objid::int8)::text FROM pg_event_trigger_ddl_commands() d
        WHERE d.classid = 'pg_class'::regclass AND d.object_type = 'table' AND NOT d.in_extension";
    const ATTACHED: &str = "
        SELECT json_build_array(c.oid::int8)::text FROM pg_event_trigger_ddl_commands() d
        JOIN pg_inherits i ON i.inhparent = d.objid JOIN pg_class c ON c.oid = i.inhrelid
        WHERE d.classid = 'pg_class'::regclass AND c.relname = $1";
    const GUARDED: &str = "
        SELECT json_build_array(c.oid::int8, (
                 SELECT json_agg(p.polrelid::int8 ORDER BY p.polrelid)
                 FROM pg_inherits i JOIN pg_policy p ON p.polrelid = i.inhparent AND p.polname = 'dbguard_tenant'
                 WHERE i.inhrelid = c.oid))::text
        FROM pg_class c
        WHERE c.oid = ANY ($1) AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
          AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
        ORDER BY array_position($1, c.oid)";
    let mut changed: Vec<Oid> = vec![];
    let take = |(oid,): (u32,)| changed.push(oid.into());
    match attached {
        Some(name) => each_fresh(ATTACHED, &[param(name)], take)?,
        None => each_fresh(CHANGED, &[], take)?,
    }
    let mut all: Vec<Oid> = vec![];
    for relid in changed.into_iter().flat_map(with_inheritors) {
        if !all.contains(&relid) {
            all.push(relid);
        }
    }
    let mut list = vec![];
    each_fresh(GUARDED, &[param(all)], |(child, parents): (u32, Option<Vec<u32>>)| {
        list.extend(parents.map(|parents| (child.into(), parents.into_iter().map(Oid::from).collect())));
    })?;
    Ok(list)
}
