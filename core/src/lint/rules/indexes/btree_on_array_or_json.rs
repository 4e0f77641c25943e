use crate::lint::catalog::types::JSONB;
use crate::lint::catalog::{Attribute, Catalog};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "IDX010",
    name: "btree_on_array_or_json",
    category: Category::Indexes,
    severity: Severity::Warning,
    title: "B-tree index on an array or jsonb column",
    why: "It finds rows whose whole value equals another, or sorts before it, and nothing inside: @>, ?, \
          && and the paths of jsonb read the whole table. Unique indexes are left alone, and so are \
          those in which the column is not the first, or is in an expression. No fix is proposed, for \
          the B-tree may serve ORDER BY or equality after all.",
    bad: "CREATE INDEX ON posts (tags); -- tags text[]",
    good: "CREATE INDEX ON posts USING gin (tags);",
    remedy: "CREATE INDEX CONCURRENTLY ... USING gin (jsonb_path_ops for @> alone), then drop the B-tree",
    peers: "db_verifier i1010, pg-index-health, pgcrab",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("array", "CREATE TABLE t (a text[]); CREATE INDEX i ON t (a)"),
        case("jsonb, quoted", r#"CREATE TABLE "T.t" ("A" jsonb); CREATE INDEX "I i" ON "T.t" ("A")"#),
        case("first of two, partitioned", "CREATE TABLE t (a int[], b int) PARTITION BY LIST (b); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX i ON t (a, b)"),
    ],
    silent: &[
        case("gin", "CREATE TABLE t (a text[], b jsonb); CREATE INDEX i ON t USING gin (a); CREATE INDEX j ON t USING gin (b)"),
        case("unique", "CREATE TABLE t (a int[] UNIQUE, b jsonb PRIMARY KEY)"),
        case("an expression of it", "CREATE TABLE t (a jsonb); CREATE INDEX i ON t ((a ->> 'x'))"),
        case("second", "CREATE TABLE t (a int, b int[]); CREATE INDEX i ON t (a, b)"),
        case("not an array, though its name ends so", r#"CREATE TABLE t ("a[]" int); CREATE INDEX i ON t ("a[]")"#),
        case("temporary", "CREATE TEMP TABLE t (a int[]); CREATE INDEX i ON t (a)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        for i in t.indexes.iter().filter(|i| i.method == "btree") {
            out.examine(&t.schema);
            let first = i.keys.first().and_then(|k| t.attribute(k.attnum));
            let Some(a) = first.filter(|a| !i.unique && is_container(a)) else { continue };
            let message = format!(
                "index {} is a B-tree over {}, which is {}",
                i.sql_name(),
                ident(&a.name),
                a.type_name
            );
            out.find(Finding::new(i.object(), message).key(t, &a.name).confidence(0.8));
        }
    }
}

fn is_container(a: &Attribute) -> bool {
    // a type whose own name ends so is shown in quotes
    a.base_type == JSONB || a.type_name.ends_with("[]")
}
