use crate::lint::catalog::{Attribute, Catalog, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::tenancy::tenant_tables;
use crate::quote::ident;
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    code: "TEN005",
    name: "tenant_column_without_fk",
    category: Category::Tenancy,
    severity: Severity::Warning,
    title: "Tenant column refers to no tenant",
    why: "Nothing keeps out a tenant that does not exist, and rows of a deleted one stay behind. \
          Told where at least as many tables of the schema have the foreign key as have not. \
          Partitioned and unlogged tables, often without foreign keys for speed, are left alone.",
    bad: "CREATE TABLE orders (tenant_id int NOT NULL);",
    good: "CREATE TABLE orders (tenant_id int NOT NULL REFERENCES tenants);",
    remedy: "ADD FOREIGN KEY ... NOT VALID, then VALIDATE CONSTRAINT",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("one with, one without", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (tenant_id int REFERENCES a); CREATE TABLE u (tenant_id int)"),
        case("hostile names", r#"CREATE SCHEMA "S.s"; CREATE TABLE "S.s"."A ""a" ("Id.x" uuid PRIMARY KEY); CREATE TABLE "S.s".t ("Tenant_ID" uuid REFERENCES "S.s"."A ""a"); CREATE TABLE "S.s"."Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" (tenant_id uuid)"#),
        case("in no key of two columns", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (tenant_id int REFERENCES a, id int, UNIQUE (tenant_id, id)); CREATE TABLE u (tenant_id int, t int, FOREIGN KEY (tenant_id, t) REFERENCES t (tenant_id, id)); CREATE TABLE w (tenant_id int)"),
    ],
    silent: &[
        case("all refer", r#"CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE "T.t" ("Tenant_ID" int REFERENCES a); CREATE TABLE u (tenant_id int REFERENCES a)"#),
        case("most do not", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (tenant_id int REFERENCES a); CREATE TABLE u (tenant_id int); CREATE TABLE v (tenant_id int)"),
        case("by its parent", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (tenant_id int REFERENCES a, id int, UNIQUE (tenant_id, id)); CREATE TABLE u (tenant_id int, t int, FOREIGN KEY (tenant_id, t) REFERENCES t (tenant_id, id))"),
        case("partitioned, unlogged", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (tenant_id int REFERENCES a); CREATE TABLE u (tenant_id int) PARTITION BY LIST (tenant_id); CREATE UNLOGGED TABLE v (tenant_id int)"),
        case("another type", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (tenant_id int REFERENCES a); CREATE TABLE u (tenant_id text)"),
        case("another schema", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (tenant_id int REFERENCES a); CREATE SCHEMA s; CREATE TABLE s.u (tenant_id int)"),
    ],
};

/// A table and the column of it that foreign keys of tenant columns refer to.
type Target<'c> = (&'c Relation, &'c Attribute);

#[derive(Default)]
struct Convention<'c> {
    targets: BTreeMap<(String, i16), (usize, Option<Target<'c>>)>,
    with: usize,
    without: Vec<(&'c Relation, &'c Attribute, f32)>,
}

fn check(c: &Catalog, out: &mut Report) {
    let mut conventions: BTreeMap<(&str, String), Convention> = BTreeMap::new();
    for (t, a, confidence) in tenant_tables(c) {
        out.examine(&t.schema);
        let here = conventions.entry((t.schema.as_str(), a.name.to_ascii_lowercase())).or_default();
        let Some(k) = t.constraints.iter().find(|k| k.kind == 'f' && k.columns.contains(&a.num)) else {
            if t.kind == RelationKind::Table && !t.unlogged {
                here.without.push((t, a, confidence));
            }
            continue;
        };
        here.with += 1;
        if let ([_], [referred], Some(target)) = (&*k.columns, &*k.ref_columns, c.relation(k.ref_relation)) {
            let seen = here.targets.entry((target.sql_name(), *referred)).or_default();
            *seen = (seen.0 + 1, target.attribute(*referred).map(|r| (target, r)));
        }
    }
    for here in conventions.into_values().filter(|h| h.with >= h.without.len()) {
        let Some((tenants, id)) = here.targets.into_values().max_by_key(|t| t.0).and_then(|t| t.1) else {
            continue;
        };
        for (t, a, confidence) in here.without {
            if t.oid != tenants.oid && a.base_type == id.base_type {
                out.find(finding(t, a, tenants, id).confidence(confidence));
            }
        }
    }
}

fn finding(t: &Relation, a: &Attribute, tenants: &Relation, id: &Attribute) -> Finding {
    let column = t.column_object(a);
    let message = format!("tenant column {} does not refer to {}", column.identity, tenants.sql_name());
    let sql = format!(
        "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} ({}) NOT VALID;",
        t.sql_name(),
        ident(&a.name),
        tenants.sql_name(),
        ident(&id.name)
    );
    Finding::new(column, message)
        .evidence("tenants", tenants.sql_name())
        .fix(Fix::new(sql, Safety::BriefLock))
}
