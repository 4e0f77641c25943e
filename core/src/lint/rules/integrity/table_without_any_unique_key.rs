use crate::lint::catalog::{Catalog, Index, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::scope::is_tool_table;
use crate::lint::text::free_column_name;

pub static RULE: Rule = Rule {
    code: "INT002",
    name: "table_without_any_unique_key",
    category: Category::Integrity,
    severity: Severity::Error,
    title: "Table has neither a primary key nor any unique index",
    why: "Nothing stops a row from being stored twice, and nothing can address one of the two. \
          Partial and expression indexes do not count, for they do not cover every row by its \
          columns. Says more than INT001, which is then silent.",
    bad: "CREATE TABLE readings (sensor int, at timestamptz, value float8);",
    good: "CREATE TABLE readings (sensor int, at timestamptz, value float8, PRIMARY KEY (sensor, at));",
    remedy: "declare the columns that identify a row, or add an identity column",
    peers: "db_verifier no1001, pgcrab table_without_replica_identity",
    hides: &["INT001"],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("bare table", "CREATE TABLE t (a int, b text)"),
        case("plain index only", "CREATE TABLE t (a int); CREATE INDEX i ON t (a)"),
        case("partial unique index", "CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a) WHERE a > 0"),
        case("unique expression", "CREATE TABLE t (a text); CREATE UNIQUE INDEX i ON t (lower(a))"),
        case("63 bytes, mixed case, id taken", r#"CREATE TABLE "Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" (id text)"#),
    ],
    silent: &[
        case("primary key", "CREATE TABLE t (a int PRIMARY KEY)"),
        case("unique constraint", "CREATE TABLE t (a int UNIQUE)"),
        case("unique index", "CREATE TABLE t (a int, b int); CREATE UNIQUE INDEX i ON t (a, b)"),
        case("partition of a keyed table", "CREATE TABLE t (a int PRIMARY KEY) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT"),
        case("temporary", "CREATE TEMP TABLE t (a int)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| !t.unlogged && !is_tool_table(&t.name)) {
        out.examine(&t.schema);
        if !t.indexes.iter().any(is_key) && t.primary_key().is_none() {
            let message = format!("table {} has no primary key and no unique index", t.sql_name());
            out.find(Finding::new(t.object(), message).fix(fix(t)));
        }
    }
}

fn is_key(i: &Index) -> bool {
    i.unique && i.predicate.is_none() && i.keys.iter().all(|k| k.attnum != 0)
}

fn fix(t: &Relation) -> Option<Fix> {
    if t.kind != RelationKind::Table || t.has_subclass || t.typed {
        return None;
    }
    let (table, column) = (t.sql_name(), free_column_name(t, &["id", "row_id", "dbguard_id"])?);
    let sql =
        format!("ALTER TABLE {table} ADD COLUMN {column} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;");
    Some(Fix::new(sql, Safety::Rewrite).undo(format!("ALTER TABLE {table} DROP COLUMN {column};")))
}
