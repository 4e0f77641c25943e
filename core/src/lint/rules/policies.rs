//! What rules about policies ask of their expressions.

use crate::lint::catalog::{Catalog, Policy, Relation};
use crate::lint::tree::Node;

/// True whatever the row and the session are.
pub fn always_true(c: &Catalog, e: &Node) -> bool {
    let (or, and) = (e.arms("or"), e.arms("and"));
    e.is_true()
        || (or.len() > 1 && or.iter().any(|a| always_true(c, a)))
        || (and.len() > 1 && and.iter().all(|a| always_true(c, a)))
        || matches!((equality(c, e), e.args()), (true, [a, b]) if a.same_constant(b))
}

pub fn equality(c: &Catalog, e: &Node) -> bool {
    e.operator().is_some_and(|o| c.equality.contains(&o))
}

/// Who is asking matters: by a setting, the role, or a function that may look.
pub fn asks_session(e: &Node) -> bool {
    e.any(&|n| n.is_current_setting() || n.is_session_role()) || e.calls_user_function()
}

pub fn asks_setting(e: &Node) -> bool {
    e.any(&Node::is_current_setting)
}

/// A restrictive policy holds everybody back where this one lets them through.
pub fn held_back(t: &Relation, p: &Policy) -> bool {
    t.policies
        .iter()
        .any(|r| !r.permissive && r.for_everybody() && (r.command == '*' || r.command == p.command))
}
