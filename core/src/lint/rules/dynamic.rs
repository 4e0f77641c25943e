//! What rules about dynamic SQL have in common.

use crate::lint::catalog::{types, Catalog, Function};
use crate::lint::injection::{raw_parameters, Raw};

/// PL/pgSQL functions that rules look at and that run statements put together from text.
pub fn dynamic_functions(c: &Catalog) -> impl Iterator<Item = &Function> {
    let dynamic = |f: &&Function| {
        f.linted && f.language == "plpgsql" && !f.trigger && f.body().is_some_and(|sql| sql.has("execute"))
    };
    c.functions.iter().filter(dynamic)
}

/// Parameters, of types that hold any text, that it executes as they are.
pub fn raw(c: &Catalog, f: &Function) -> Vec<Raw> {
    let inputs = f.parameters.iter().filter(|p| matches!(p.mode, 'i' | 'b' | 'v'));
    let texts = inputs.enumerate().filter(|(_, p)| {
        let base = c.domains.get(&p.type_oid).map_or(p.type_oid, |d| d.base_type);
        matches!(base, types::TEXT | types::VARCHAR | types::BPCHAR)
    });
    let texts: Vec<(usize, String)> = texts.map(|(n, p)| (n + 1, p.name.clone())).collect();
    match f.body() {
        Some(sql) if !texts.is_empty() => raw_parameters(sql, &f.name, &texts),
        _ => Vec::new(),
    }
}

/// Called by others than the owner with the owner's rights.
pub fn lends_rights(c: &Catalog, f: &Function) -> bool {
    let reachable = !f.public_execute || c.schema(&f.schema).is_some_and(|s| s.open);
    f.security_definer && f.shared && reachable
}
