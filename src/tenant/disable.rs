//! tenant_disable: takes back what tenant_enable did, and nothing else.

use super::enable::guardable;
use super::guard::before;
use super::guarded::policy_of;
use super::wanted::root_table;
use crate::catalog::writable;
use crate::catalog::{own_table, relation};
use crate::ddl::{self, tenant};
use crate::error::{notice, Error, Result};
use crate::pg::lock;
use crate::pg::relation::{with_inheritors, Relation};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn tenant_disable(table: Option<Oid>) -> std::result::Result<bool, ErrorReport> {
    writable("tenant_disable")?;
    let table = table.ok_or_else(|| Error::null_argument("relation"))?;
    Ok(disable(table)?)
}

fn disable(table: Oid) -> Result<bool> {
    let root = root_table(table)?;
    let Some(policy) = policy_of(table)? else {
        notice(format!("table \"{}\" is not guarded, nothing to do", root.name));
        return Ok(false);
    };
    if policy.follows {
        return Err(Error::not_in_state(format!("\"{}\" is guarded because its parent is", root.name))
            .hint("Name the parent, or ALTER TABLE ... NO INHERIT first."));
    }
    let all: Vec<Oid> = with_inheritors(table);
    for relid in &all {
        if guardable(&relation(*relid)?) {
            own_table(*relid)?;
            lock::access_exclusive(*relid);
        }
    }
    for relid in all {
        let table = relation(relid)?;
        // what another guarded table shares stays guarded, and what lies below it
        if guardable(&table) && (relid == root.oid || !has_another_guard(relid)?) {
            open(&own_table(relid)?)?;
        }
    }
    Ok(true)
}

/// Whether a table that it inherits from is guarded: of those to be opened the policies are gone by then.
fn has_another_guard(relation: Oid) -> Result<bool> {
    const GUARD: &str = "
        SELECT EXISTS (SELECT FROM pg_inherits i JOIN pg_policy p ON p.polrelid = i.inhparent AND p.polname = 'dbguard_tenant'
                       WHERE i.inhrelid = $1)";
    Ok(Spi::get_one_with_args::<bool>(GUARD, &[relation.into()])? == Some(true))
}

/// Row-level security goes off where it was off before and no other policy needs it.
fn open(table: &Relation) -> Result<()> {
    const STATE: &str = "
        SELECT EXISTS (SELECT FROM pg_policy WHERE polrelid = $1 AND polname NOT IN ('dbguard_tenant', 'dbguard_tenant_access')),
               EXISTS (SELECT FROM pg_policy WHERE polrelid = $1 AND polname = 'dbguard_tenant_access')";
    let Some(policy) = policy_of(table.oid)? else { return Ok(()) };
    let (schema, name) = (&*table.schema, &*table.name);
    let (others, access) = Spi::get_two_with_args::<bool, bool>(STATE, &[table.oid.into()])?;
    ddl::run(&tenant::drop_policy(tenant::POLICY, schema, name))?;
    if access == Some(true) {
        ddl::run(&tenant::drop_policy(tenant::ACCESS, schema, name))?;
    }
    let Some((enabled, forced)) = before(policy.comment.as_deref()) else {
        notice(format!(
            "row-level security of table \"{name}\" stays on: what it was before is not known any more"
        ));
        return Ok(());
    };
    if policy.forced != forced {
        ddl::run(&tenant::force(schema, name, forced))?;
    }
    match (policy.enabled && !enabled, others == Some(true)) {
        (true, false) => ddl::run(&tenant::row_security(schema, name, false))?,
        (true, true) => {
            notice(format!("row-level security of table \"{name}\" stays on: it has other policies"))
        }
        (false, _) => {}
    }
    Ok(())
}
