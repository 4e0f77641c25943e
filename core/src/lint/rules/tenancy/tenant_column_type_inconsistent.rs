use crate::lint::catalog::{types, Attribute, Catalog, Oid, Relation};
use crate::lint::finding::{Finding, Fix, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::retype;
use crate::lint::rules::tenancy::tenant_columns;
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    code: "TEN011",
    name: "tenant_column_type_inconsistent",
    category: Category::Tenancy,
    severity: Severity::Error,
    title: "Tenant columns of a schema differ in type",
    why: "Joins and policies that compare them need casts, which indexes do not serve, and a value \
          that is fine in one is refused by the other. The type that most tables of the schema \
          have is taken for the right one. Warning where both are integers. text, varchar and \
          char, and domains over the same type, count as the same.",
    bad: "CREATE TABLE orders (tenant_id uuid); CREATE TABLE items (tenant_id text);",
    good: "CREATE TABLE orders (tenant_id uuid); CREATE TABLE items (tenant_id uuid);",
    remedy: "ALTER COLUMN TYPE to that of the others",
    peers: "pg-index-health (generic)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("text among uuid", "CREATE TABLE t (tenant_id uuid); CREATE TABLE u (tenant_id uuid); CREATE TABLE v (tenant_id text)"),
        case("int among bigint, hostile names", r#"CREATE TABLE t (tenant_id bigint); CREATE TABLE u (tenant_id bigint); CREATE TABLE "Vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv.v" ("Tenant_ID" int)"#),
        case("partitioned, pinned by a view", "CREATE TABLE t (tenant_id int); CREATE TABLE u (tenant_id int); CREATE TABLE v (tenant_id text) PARTITION BY LIST (tenant_id); CREATE TABLE v1 PARTITION OF v DEFAULT; CREATE TABLE w (tenant_id uuid); CREATE VIEW x AS SELECT * FROM w"),
    ],
    silent: &[
        case("the same", r#"CREATE TABLE t (tenant_id uuid); CREATE TABLE "T.t" ("Tenant_ID" uuid)"#),
        case("kinds of text", "CREATE TABLE t (tenant_id text); CREATE TABLE u (tenant_id varchar(36)); CREATE TABLE v (tenant_id char(36))"),
        case("domain", "CREATE DOMAIN d AS uuid; CREATE TABLE t (tenant_id uuid); CREATE TABLE u (tenant_id d)"),
        case("another name", "CREATE TABLE t (tenant_id int); CREATE TABLE u (tenant_uuid uuid)"),
        case("another schema", "CREATE TABLE t (tenant_id int); CREATE SCHEMA s; CREATE TABLE s.t (tenant_id uuid)"),
        case("temporary", "CREATE TABLE t (tenant_id int); CREATE TEMP TABLE u (tenant_id uuid)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let mut alike: BTreeMap<(&str, String), Vec<(&Relation, &Attribute, f32)>> = BTreeMap::new();
    for (t, a, confidence) in tenant_columns(c) {
        out.examine(&t.schema);
        let name = a.name.to_ascii_lowercase();
        alike.entry((t.schema.as_str(), name)).or_default().push((t, a, confidence));
    }
    for columns in alike.into_values() {
        let mut counts: BTreeMap<Oid, usize> = BTreeMap::new();
        columns.iter().for_each(|(_, a, _)| *counts.entry(class(a)).or_default() += 1);
        let usual = counts.into_iter().max_by_key(|(_, n)| *n).map(|(class, _)| class);
        let Some((_, usual, _)) = columns.iter().find(|(_, a, _)| Some(class(a)) == usual) else { continue };
        for (t, a, confidence) in columns.iter().filter(|(_, a, _)| class(a) != class(usual)) {
            let column = t.column_object(a);
            let message = format!(
                "tenant column {} is {}, but {} in most tables",
                column.identity, a.type_name, usual.type_name
            );
            let severity = if integers(a, usual) { Severity::Warning } else { Severity::Error };
            out.find(
                Finding::new(column, message)
                    .severity(severity)
                    .confidence(*confidence)
                    .fix(fix(c, t, a, usual)),
            );
        }
    }
}

/// Types that compare with each other as they are.
fn class(a: &Attribute) -> Oid {
    match a.base_type {
        types::VARCHAR | types::BPCHAR => types::TEXT,
        other => other,
    }
}

fn integers(a: &Attribute, b: &Attribute) -> bool {
    types::integer_width(a.base_type).is_some() && types::integer_width(b.base_type).is_some()
}

/// Where nothing else has to change with the column, and a cast can be had.
fn fix(c: &Catalog, t: &Relation, a: &Attribute, usual: &Attribute) -> Option<Fix> {
    let has = |columns: &[i16]| columns.contains(&a.num);
    let plain = !a.has_default
        && !t.constraints.iter().any(|k| matches!(k.kind, 'f' | 'c' | 'x') && has(&k.columns))
        && t.indexes.iter().all(|i| i.predicate.is_none() && i.keys.iter().all(|k| k.attnum != 0))
        && !t.indexes.iter().any(|i| i.special_opclass)
        && c.references_to(t.oid, a.num).next().is_none();
    let castable = integers(a, usual) || class(a) == types::TEXT || class(usual) == types::TEXT;
    if !plain || !castable {
        return None;
    }
    retype(t, a, &usual.type_name, Some(&format!("::{}", usual.type_name)))
}
