use crate::lint::catalog::{Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::lint::rules::tenancy::per_tenant::{groups, parts, Group};
use crate::lint::text::count;
use crate::quote::ident;
use std::collections::{BTreeMap, BTreeSet};

pub static RULE: Rule = Rule {
    code: "TEN012",
    name: "schema_per_tenant_drift",
    category: Category::Tenancy,
    severity: Severity::Warning,
    title: "Schema of one tenant differs from those of the others",
    why: "A migration that did not reach it, or a change by hand: the next release fails for this tenant \
          alone. Compared are schemas that have four of five tables in common by name, three schemas and \
          more of three tables and more: columns, constraints, indexes and policies of each table, not \
          their names. What at least six of ten have is taken for right; while a migration runs, the share \
          says how far it is. Tables that a tenant has beside the others are left alone.",
    bad: "ALTER TABLE tenant_7.orders DROP COLUMN note; -- tenant_1 ... tenant_9 have it",
    good: "every schema from one template, every migration in a loop over all of them",
    remedy: "bring the schema to what the others have; details lists what differs",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[Param { name: "share", default: 0.6, about: "share of schemas that agree, from which on they are right" }],
    recommended: true,
    check,
    fires: &[
        case("a column", "DO $$BEGIN FOR i IN 1..4 LOOP EXECUTE format('CREATE SCHEMA t%1$s; CREATE TABLE t%1$s.a (id int PRIMARY KEY); CREATE TABLE t%1$s.b (id int REFERENCES t%1$s.a); CREATE TABLE t%1$s.c (x int, y text)', i); END LOOP; END$$; ALTER TABLE t3.c DROP y"),
        case("a table is missing, quoted", r#"DO $$BEGIN FOR i IN 1..4 LOOP EXECUTE format('CREATE SCHEMA %1$I; CREATE TABLE %1$I.a (); CREATE TABLE %1$I.b (); CREATE TABLE %1$I.c (); CREATE TABLE %1$I.d (); CREATE TABLE %1$I."E.e" ()', 'T.' || i); END LOOP; END$$; DROP TABLE "T.2"."E.e""#),
        case("an index, a policy, a check", "DO $$BEGIN FOR i IN 1..3 LOOP EXECUTE format('CREATE SCHEMA t%1$s; CREATE TABLE t%1$s.a (id int); CREATE TABLE t%1$s.b (id int); CREATE TABLE t%1$s.c (x int CHECK (x > 0)); CREATE INDEX ON t%1$s.a (id)', i); END LOOP; END$$; DROP INDEX t1.a_id_idx"),
    ],
    silent: &[
        case("alike, but for names", "DO $$BEGIN FOR i IN 1..4 LOOP EXECUTE format('CREATE SCHEMA t%1$s; CREATE TYPE t%1$s.e AS ENUM (''x''); CREATE FUNCTION t%1$s.f(int) RETURNS bool LANGUAGE sql IMMUTABLE AS ''SELECT true''; CREATE TABLE t%1$s.a (id int PRIMARY KEY, e t%1$s.e); CREATE TABLE t%1$s.b (id int CONSTRAINT fk%1$s REFERENCES t%1$s.a CHECK (t%1$s.f(id))); CREATE TABLE t%1$s.c (x int); CREATE INDEX i%1$s ON t%1$s.c (t%1$s.f(x)) WHERE t%1$s.f(x)', i); END LOOP; END$$"),
        case("two", "DO $$BEGIN FOR i IN 1..2 LOOP EXECUTE format('CREATE SCHEMA t%1$s; CREATE TABLE t%1$s.a (); CREATE TABLE t%1$s.b (); CREATE TABLE t%1$s.c (x int)', i); END LOOP; END$$; ALTER TABLE t1.c DROP x"),
        case("nobody is right", "DO $$BEGIN FOR i IN 1..4 LOOP EXECUTE format('CREATE SCHEMA t%1$s; CREATE TABLE t%1$s.a (); CREATE TABLE t%1$s.b (); CREATE TABLE t%1$s.c (x int)', i); END LOOP; END$$; ALTER TABLE t1.c DROP x; ALTER TABLE t2.c DROP x"),
        case("other tables", "DO $$BEGIN FOR i IN 1..4 LOOP EXECUTE format('CREATE SCHEMA t%1$s; CREATE TABLE t%1$s.a (x int); CREATE TABLE t%1$s.b%1$s (); CREATE TABLE t%1$s.c%1$s ()', i); END LOOP; END$$; ALTER TABLE t1.a DROP x"),
        case("one more table, a partition", "DO $$BEGIN FOR i IN 1..4 LOOP EXECUTE format('CREATE SCHEMA t%1$s; CREATE TABLE t%1$s.a (); CREATE TABLE t%1$s.b (); CREATE TABLE t%1$s.c (); CREATE TABLE t%1$s.d (x int) PARTITION BY LIST (x)', i); END LOOP; END$$; CREATE TABLE t1.e (); CREATE TABLE t2.d1 PARTITION OF t2.d DEFAULT"),
    ],
};

/// How many differences a finding lists.
const NAMED: usize = 50;

fn check(c: &Catalog, out: &mut Report) {
    let share = c.param(&RULE, "share");
    for group in groups(c) {
        group.iter().for_each(|(schema, _)| out.examine(schema));
        for (schema, differences) in differences(c, &group, share) {
            let Some(s) = c.schema(schema) else { continue };
            let first = differences.first().map(String::as_str).unwrap_or_default();
            let more = match differences.len() {
                1 => String::new(),
                n => format!(", and {} more", count(n - 1, "difference")),
            };
            let message = format!(
                "schema {} is not like the {} others of its kind: {first}{more}",
                s.object().identity,
                group.len() - 1
            );
            let named: Vec<&str> = differences.iter().take(NAMED).map(String::as_str).collect();
            out.find(
                Finding::new(s.object(), message)
                    .confidence(0.8)
                    .evidence("differences", named)
                    .evidence("schemas", group.len()),
            );
        }
    }
}

/// By schema, what it has otherwise than most.
fn differences<'c>(c: &'c Catalog, group: &Group<'c>, share: f64) -> BTreeMap<&'c str, Vec<String>> {
    let most = |n: usize| n as f64 >= share * group.len() as f64 && n < group.len();
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let names: BTreeSet<&str> = group.iter().flat_map(|(_, tables)| tables.keys().copied()).collect();
    for name in names {
        let having: Vec<(&str, &Relation)> =
            group.iter().filter_map(|(schema, tables)| Some((*schema, *tables.get(name)?))).collect();
        if most(having.len()) {
            for (schema, _) in group.iter().filter(|(_, tables)| !tables.contains_key(name)) {
                let share = format!("{} of {} have it", having.len(), group.len());
                found.entry(schema).or_default().push(format!("table {} is missing ({share})", ident(name)));
            }
        }
        let made: Vec<(&str, BTreeSet<String>)> = having.iter().map(|(s, t)| (*s, parts(c, t))).collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for part in made.iter().flat_map(|(_, parts)| parts) {
            *counts.entry(part).or_default() += 1;
        }
        let all = having.len();
        for (part, n) in counts.into_iter().filter(|(_, n)| *n < all) {
            let right = n as f64 >= share * all as f64;
            let wrong = (all - n) as f64 >= share * all as f64;
            for (schema, parts) in made
                .iter()
                .filter(|(_, parts)| (right && !parts.contains(part)) || (wrong && parts.contains(part)))
            {
                let what = if parts.contains(part) { "has" } else { "lacks" };
                let like = if right { n } else { all - n };
                found
                    .entry(schema)
                    .or_default()
                    .push(format!("{} {what} {part}, unlike {like} of {all}", ident(name)));
            }
        }
    }
    found
}
