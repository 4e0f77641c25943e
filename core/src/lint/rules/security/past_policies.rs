//! What views read of tables under row-level security, and as whom.

use crate::lint::catalog::{Catalog, Oid, Relation, RelationKind};
use std::collections::HashSet;

/// A table that the query of a view reads as a role which none of the table's policies binds.
pub fn read_past_policies<'c>(c: &'c Catalog, view: &Relation) -> Option<&'c Relation> {
    walk(c, view, view.owner, &mut HashSet::new())
}

fn walk<'c>(
    c: &'c Catalog,
    view: &Relation,
    role: Oid,
    seen: &mut HashSet<(Oid, Oid)>,
) -> Option<&'c Relation> {
    view.reads.iter().filter_map(|oid| c.relation(*oid)).find_map(|r| match r.kind {
        _ if !seen.insert((r.oid, role)) => None,
        RelationKind::View if invoker(r) == Some(true) => walk(c, r, role, seen),
        RelationKind::View | RelationKind::MaterializedView => walk(c, r, r.owner, seen),
        _ => (r.row_security && !bound(c, r, role)).then_some(r),
    })
}

fn bound(c: &Catalog, t: &Relation, role: Oid) -> bool {
    let bypasses = c.roles.get(&role).is_some_and(|r| r.bypasses_policies);
    !bypasses && (t.owner != role || t.force_row_security)
}

/// Whether a view says that it reads with the rights of whoever asks.
pub fn invoker(view: &Relation) -> Option<bool> {
    let value = view.options.iter().find_map(|o| o.strip_prefix("security_invoker="))?;
    Some(!(value == "0" || ["f", "n", "of"].iter().any(|no| value.starts_with(no))))
}

pub fn read_by_others(r: &Relation) -> bool {
    r.grants.iter().any(|g| g.has("SELECT"))
}
