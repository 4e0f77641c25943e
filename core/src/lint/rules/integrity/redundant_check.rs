use crate::lint::catalog::{Catalog, Constraint, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;
use std::collections::HashMap;

pub static RULE: Rule = Rule {
    code: "INT037",
    name: "redundant_check",
    category: Category::Integrity,
    severity: Severity::Info,
    title: "CHECK says what another constraint says",
    why: "The same condition twice, or IS NOT NULL of a column that is NOT NULL (often what is left of \
          setting it without a long lock): each row is checked twice for nothing. Conditions are \
          compared as the server prints them.",
    bad: "CREATE TABLE t (a int NOT NULL CHECK (a IS NOT NULL));",
    good: "CREATE TABLE t (a int NOT NULL);",
    remedy: "DROP CONSTRAINT",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("twice", "CREATE TABLE t (a int CHECK (a > 0) CHECK (a > 0))"),
        case("not null", "CREATE TABLE t (a int NOT NULL CHECK (a IS NOT NULL))"),
        case("quoted", r#"CREATE TABLE "T.t" ("A" int NOT NULL, CONSTRAINT "C c" CHECK ("A" IS NOT NULL))"#),
        case(
            "not yet validated beside a valid one",
            "CREATE TABLE t (a int CHECK (a > 0)); ALTER TABLE t ADD CONSTRAINT z CHECK (a > 0) NOT VALID",
        ),
    ],
    silent: &[
        case("others", "CREATE TABLE t (a int CHECK (a > 0) CHECK (a > 1))"),
        case("may be null otherwise", "CREATE TABLE t (a int CHECK (a IS NOT NULL))"),
        case("from a parent", "CREATE TABLE p (a int CHECK (a > 0)); CREATE TABLE t () INHERITS (p)"),
        case("not for heirs", "CREATE TABLE t (a int CHECK (a > 0) CHECK (a > 0) NO INHERIT)"),
        case("temporary", "CREATE TEMP TABLE t (a int CHECK (a > 0) CHECK (a > 0))"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        let mut said: HashMap<&str, &Constraint> = HashMap::new();
        // the valid one stays, then the first by name
        let mut checks: Vec<&Constraint> = t.constraints.iter().filter(|k| k.kind == 'c').collect();
        checks.sort_by_key(|k| (!k.inherited, !k.validated, k.name.as_str()));
        for k in checks {
            out.examine(&t.schema);
            let Some(definition) = k.definition.as_deref() else { continue };
            let condition = definition.trim_end_matches(" NOT VALID");
            let first = said.get(condition).copied();
            let not_null = || {
                t.attributes
                    .iter()
                    .find(|a| a.not_null && a.base_type == a.type_oid && condition == is_not_null(&a.name))
            };
            let what = match (first, not_null()) {
                _ if k.inherited => None,
                (Some(first), _) => Some(format!("constraint {}", ident(&first.name))),
                (None, Some(a)) => Some(format!("NOT NULL of {}", ident(&a.name))),
                (None, None) => None,
            };
            said.entry(condition).or_insert(k);
            if let Some(what) = what {
                out.find(finding(t, k, &what));
            }
        }
    }
}

fn is_not_null(column: &str) -> String {
    format!("CHECK (({} IS NOT NULL))", ident(column))
}

fn finding(t: &Relation, k: &Constraint, what: &str) -> Finding {
    let (table, name) = (t.sql_name(), ident(&k.name));
    let definition = k.definition.as_deref().unwrap_or_default();
    let fix = Fix::new(format!("ALTER TABLE {table} DROP CONSTRAINT {name};"), Safety::BriefLock)
        .undo(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition};"));
    let message = format!("constraint {name} of {table} says what {what} says");
    Finding::new(t.constraint_object(k), message).evidence("condition", definition).fix(fix)
}
