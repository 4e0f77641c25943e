//! The guard of one table: its policies and row-level security, and what it was before.

use super::guarded::policy_of;
use super::steps::Step;
use super::wanted::Wanted;
use crate::ddl::tenant as ddl;
use crate::error::Result;
use crate::pg::guc;
use crate::pg::relation::Relation;
use pgrx::prelude::*;

/// How the table stands beside our policy.
struct State {
    enabled: bool,
    forced: bool,
    /// Policies of the user's own that let rows through.
    opened: bool,
    /// Our policy that does, and whether it rests on the column.
    access: bool,
    access_fits: bool,
}

/// What the comment of our policy says the table was before. It goes with a dump, as the policy does.
const BEFORE: [(&str, bool, bool); 4] = [
    ("dbguard: rows of one tenant only; before it, row-level security was off", false, false),
    ("dbguard: rows of one tenant only; before it, row-level security was off and forced", false, true),
    ("dbguard: rows of one tenant only; before it, row-level security was on", true, false),
    ("dbguard: rows of one tenant only; before it, row-level security was on and forced", true, true),
];

fn comment(enabled: bool, forced: bool) -> &'static str {
    BEFORE.iter().find(|b| (b.1, b.2) == (enabled, forced)).unwrap_or(&BEFORE[0]).0
}

/// Whether row-level security was on and forced; None if that is not known any more.
pub fn before(comment: Option<&str>) -> Option<(bool, bool)> {
    BEFORE.iter().find(|b| Some(b.0) == comment).map(|b| (b.1, b.2))
}

/// What is to be done to a table for its rows to be seen by their tenant only.
pub fn steps(table: &Relation, wanted: &Wanted) -> Result<Vec<Step>> {
    let kind = wanted.kind(table)?;
    let (schema, name) = (&*table.schema, &*table.name);
    let (policy, state) = (policy_of(table.oid)?, state(table, wanted)?);
    let mut steps = vec![];
    let mut add = |step, statement, reason| steps.push(Step::at_once(table, step, statement, reason));
    let rule = (wanted.column.clone(), kind, wanted.setting.clone());
    if policy.as_ref().is_none_or(|p| p.rule.as_ref() != Some(&rule)) {
        let told = match &policy {
            Some(p) => {
                add("policy", ddl::drop_policy(ddl::POLICY, schema, name), "it is another one so far");
                p.comment.as_deref()
            }
            None => Some(comment(state.enabled, state.forced)),
        };
        add(
            "policy",
            ddl::create_policy(schema, name, &wanted.column, kind, &wanted.setting),
            "a tenant reads and writes its own rows only, whatever other policies allow",
        );
        if let Some(told) = told {
            add("policy", ddl::comment(schema, name, told), "for the way back");
        }
    }
    if state.access && !state.access_fits {
        add("access", ddl::drop_policy(ddl::ACCESS, schema, name), "it rests on another column so far");
    }
    if !state.opened && !state.access_fits {
        add(
            "access",
            ddl::create_access(schema, name, &wanted.column),
            "no other policy lets a tenant's own rows through",
        );
    }
    if !state.enabled {
        add("row security", ddl::row_security(schema, name, true), "without it policies do nothing");
    }
    if wanted.force != state.forced {
        let reason = match wanted.force {
            true => "the table's owner is bound, too",
            false => "the table's owner is not bound",
        };
        add("force", ddl::force(schema, name, wanted.force), reason);
    }
    Ok(steps)
}

fn state(table: &Relation, wanted: &Wanted) -> Result<State> {
    const STATE: &str = "
        SELECT c.relrowsecurity, c.relforcerowsecurity,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polname <> 'dbguard_tenant_access'),
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'dbguard_tenant_access'),
               EXISTS (SELECT FROM pg_policy p
                       WHERE p.polrelid = c.oid AND p.polname = 'dbguard_tenant_access' AND p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
                         AND pg_get_expr(p.polqual, c.oid) = 'dbguard._tenant_access(' || quote_ident($2) || ')'
                         AND pg_get_expr(p.polwithcheck, c.oid) = 'dbguard._tenant_access(' || quote_ident($2) || ')')
        FROM pg_class c WHERE c.oid = $1";
    let args = [table.oid.into(), wanted.column.as_str().into()];
    let look = || {
        Spi::connect_mut(|client| {
            let row = client.update(STATE, Some(1), &args)?.first();
            let is = |i| -> std::result::Result<bool, pgrx::spi::Error> { Ok(row.get(i)? == Some(true)) };
            Ok::<_, pgrx::spi::Error>(State {
                enabled: is(1)?,
                forced: is(2)?,
                opened: is(3)?,
                access: is(4)?,
                access_fits: is(5)?,
            })
        })
    };
    Ok(guc::with(&[(c"quote_all_identifiers", c"off")], look)?)
}
