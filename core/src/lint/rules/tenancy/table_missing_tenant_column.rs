use crate::lint::catalog::{Attribute, Catalog, Oid, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::tenancy::tenant_tables;
use crate::lint::scope::is_tool_table;
use std::collections::{HashMap, HashSet};

pub static RULE: Rule = Rule {
    code: "TEN009",
    name: "table_missing_tenant_column",
    category: Category::Tenancy,
    severity: Severity::Info,
    title: "Table lacks the tenant column that most others have",
    why: "It refers to a tenant's rows, so its own belong to a tenant too, but only a join says to \
          which: no policy or index can use it. Told where at least three tables, and six of ten \
          in the schema, have the column. Tables that refer to no tenant's row serve all tenants. \
          No fix is proposed, for the column has to be filled from the parent.",
    bad: "CREATE TABLE items (order_id int REFERENCES orders); -- orders and most others have tenant_id",
    good: "CREATE TABLE items (tenant_id int NOT NULL, order_id int REFERENCES orders);",
    remedy: "add the column, fill it from the parent, then SET NOT NULL",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("refers to a tenant's row", "CREATE TABLE a (tenant_id int, id int PRIMARY KEY); CREATE TABLE b (tenant_id int); CREATE TABLE c (tenant_id int); CREATE TABLE t (a int REFERENCES a)"),
        case("hostile names", r#"CREATE SCHEMA "S.s"; SET search_path = "S.s"; CREATE TABLE a ("Tenant_ID" int, id int PRIMARY KEY); CREATE TABLE b (tenant_id int); CREATE TABLE c (tenant_id int); CREATE TABLE "Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" (a int REFERENCES a) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" DEFAULT; RESET search_path"#),
    ],
    silent: &[
        case("has it", r#"CREATE TABLE a (tenant_id int, id int PRIMARY KEY); CREATE TABLE b (tenant_id int); CREATE TABLE "C.c" ("Tenant_ID" int, a int REFERENCES a)"#),
        case("refers to no tenant's row", "CREATE TABLE a (tenant_id int, id int PRIMARY KEY); CREATE TABLE b (tenant_id int); CREATE TABLE c (tenant_id int); CREATE TABLE t (id int PRIMARY KEY, t int REFERENCES t)"),
        case("refers to the tenants", "CREATE TABLE a (tenant_id int PRIMARY KEY); CREATE TABLE b (tenant_id int); CREATE TABLE c (tenant_id int); CREATE TABLE d (tenant_id int); CREATE TABLE t (a int REFERENCES a)"),
        case("most have none", "CREATE TABLE a (tenant_id int, id int PRIMARY KEY); CREATE TABLE b (tenant_id int); CREATE TABLE c (tenant_id int); CREATE TABLE t (a int REFERENCES a); CREATE TABLE u (); CREATE TABLE v ()"),
        case("temporary and unlogged", "CREATE TABLE a (tenant_id int, id int PRIMARY KEY); CREATE TABLE b (tenant_id int); CREATE TABLE c (tenant_id int); CREATE UNLOGGED TABLE t (a int); CREATE TEMP TABLE u (a int)"),
    ],
};

const LEAST_TABLES: usize = 3;
const LEAST_SHARE: f64 = 0.6;

fn check(c: &Catalog, out: &mut Report) {
    let tables = tenant_tables(c);
    let named = |t: &Relation, a: &Attribute| (t.schema.clone(), a.name.to_ascii_lowercase());
    let names: HashSet<(String, String)> = tables.iter().map(|(t, a, _)| named(t, a)).collect();
    let scoped: HashSet<Oid> = tables.iter().map(|(t, ..)| t.oid).collect();
    let mut sizes: HashMap<&str, (usize, usize)> = HashMap::new();
    for t in c.tables().filter(|t| !is_tool_table(&t.name)) {
        let size = sizes.entry(&t.schema).or_default();
        *size = (size.0 + usize::from(scoped.contains(&t.oid)), size.1 + 1);
    }
    let convention = |t: &Relation| {
        sizes
            .get(t.schema.as_str())
            .is_some_and(|(with, all)| *with >= LEAST_TABLES && *with as f64 >= LEAST_SHARE * *all as f64)
    };
    for t in c.tables().filter(|t| convention(t) && !is_tool_table(&t.name)) {
        out.examine(&t.schema);
        // Inherited columns are listed where they are defined, and lists of tenants not at all.
        if t.attributes.iter().any(|a| names.contains(&named(t, a))) {
            continue;
        }
        let parent = t.constraints.iter().find(|k| k.kind == 'f' && scoped.contains(&k.ref_relation));
        let Some(parent) = parent.and_then(|k| c.relation(k.ref_relation)) else { continue };
        let message = format!(
            "table {} refers to {}, which is a tenant's, but does not say whose its rows are",
            t.sql_name(),
            parent.sql_name()
        );
        out.find(Finding::new(t.object(), message).confidence(0.6).evidence("parent", parent.sql_name()));
    }
}
