//! The guard of one table: its policies and row-level security, and what it was before.

use super::guarded::policy_of;
use super::steps::Step;
use super::wanted::Wanted;
use crate::ddl::tenant as ddl;
use crate::error::{Error, Result};
use crate::pg::query::{each_fresh, param};
use crate::pg::relation::Relation;

/// How the table stands beside our policy.
struct State {
    enabled: bool,
    forced: bool,
    /// Policies of the user's own that let rows through.
    opened: bool,
    /// Our policy that does, and whether it says the same as the other.
    access: bool,
    access_same: bool,
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
    let (policy, state) = (policy_of(table.oid)?, state(table)?);
    let mut steps = vec![];
    let mut add = |step, statement, reason| steps.push(Step::at_once(table, step, statement, reason));
    let rule = (wanted.column.clone(), kind, wanted.setting.clone());
    let fits = policy.as_ref().is_some_and(|p| p.rule.as_ref() == Some(&rule));
    if !fits {
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
    let access_fits = fits && state.access_same;
    if state.access && !access_fits {
        add("access", ddl::drop_policy(ddl::ACCESS, schema, name), "it is another one so far");
    }
    if !state.opened && !access_fits {
        add(
            "access",
            ddl::create_access(schema, name, &wanted.column, kind, &wanted.setting),
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

fn state(table: &Relation) -> Result<State> {
    const STATE: &str = "
        SELECT json_build_array(c.relrowsecurity, c.relforcerowsecurity,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polname <> 'dbguard_tenant_access'),
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'dbguard_tenant_access'),
               EXISTS (SELECT FROM pg_policy p JOIN pg_policy t ON t.polrelid = p.polrelid AND t.polname = 'dbguard_tenant'
                       WHERE p.polrelid = c.oid AND p.polname = 'dbguard_tenant_access' AND p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
                         AND pg_get_expr(p.polqual, c.oid) = pg_get_expr(t.polqual, c.oid)
                         AND pg_get_expr(p.polwithcheck, c.oid) = pg_get_expr(t.polwithcheck, c.oid)))::text
        FROM pg_class c WHERE c.oid = $1";
    let mut state = None;
    each_fresh(STATE, &[param(table.oid)], |(enabled, forced, opened, access, access_same)| {
        state = Some(State { enabled, forced, opened, access, access_same });
    })?;
    state.ok_or_else(|| Error::internal("the table is gone"))
}
