use crate::lint::catalog::{Catalog, Index, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::scope::is_tool_table;
use crate::lint::text::{free_column_name, idents};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "INT001",
    name: "table_without_primary_key",
    category: Category::Integrity,
    severity: Severity::Error,
    title: "Table has no primary key",
    why: "Rows cannot be told apart: logical replication refuses UPDATE and DELETE, frameworks \
          cannot address a row, and duplicates creep in. Unlogged tables, partitions (their parent \
          is reported) and migration tools' own tables are left alone.",
    bad: "CREATE TABLE orders (id bigint, total numeric);",
    good: "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total numeric);",
    remedy: "make an existing unique NOT NULL index the primary key, or add an identity column",
    peers: "splinter 0004, pglinter B001, db_verifier no1002, pg-index-health, schemalint require-primary-key, pgcrab, pytest-pghealth, pgFirstAid, SchemaCrawler, active_record_doctor, sqlcheck 1003, pg-migration-lint PGM502",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("unique and not null, but no key", "CREATE TABLE t (a int NOT NULL); CREATE UNIQUE INDEX u ON t (a)"),
        case("constraint instead of a key", "CREATE TABLE t (a int NOT NULL UNIQUE, id int)"),
        case("partitioned, told once", "CREATE TABLE t (a int NOT NULL UNIQUE) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9)"),
        case("named as a framework's", "CREATE TABLE auth_group (id int UNIQUE, name text, tenant_id int)"),
        case("hostile names", r#"CREATE SCHEMA "A.b"; CREATE TABLE "A.b"."Or""der; DROP TABLE x" ("Id" int UNIQUE)"#),
        case("inheritance does not pass the key on", "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (UNIQUE (id)) INHERITS (p)"),
    ],
    silent: &[
        case("composite key", "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b))"),
        case("partitioned with a key", "CREATE TABLE t (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t DEFAULT"),
        case("temporary", "CREATE TEMP TABLE t (a int UNIQUE)"),
        case("unlogged staging", "CREATE UNLOGGED TABLE t (a int UNIQUE)"),
        case("a tool's own", "CREATE TABLE schema_migrations (version text UNIQUE)"),
        case("a framework's own", "CREATE TABLE auth_group (id int UNIQUE, name text); CREATE TABLE active_storage_variant_records (id int, blob_id int, variation_digest text)"),
        case("extension member", "CREATE TABLE t (a int UNIQUE); ALTER EXTENSION plpgsql ADD TABLE t"),
        case("view", "CREATE VIEW v AS SELECT 1 AS a"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| !t.unlogged && !is_tool_table(&t.name)) {
        out.examine(&t.schema);
        if t.primary_key().is_none() {
            let message = format!("table {} has no primary key", t.sql_name());
            out.find(Finding::new(t.object(), message).fix(fix(t)));
        }
    }
}

fn fix(t: &Relation) -> Option<Fix> {
    let table = t.sql_name();
    let plain = t.kind == RelationKind::Table;
    let indexes: Vec<&Index> = t.indexes.iter().filter(|i| could_be_key(t, i)).collect();
    if let Some(i) = indexes.iter().find(|i| i.constraint.is_none()).filter(|_| plain) {
        let sql = format!("ALTER TABLE {table} ADD PRIMARY KEY USING INDEX {};", ident(&i.name));
        return Some(Fix::new(sql, Safety::BriefLock));
    }
    if let Some((i, name)) = indexes.iter().find_map(|i| Some((i, i.constraint.as_ref()?))) {
        let columns: Vec<i16> = i.keys.iter().map(|k| k.attnum).collect();
        let (columns, name) = (idents(&t.names(&columns)), ident(name));
        let sql = format!(
            "ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} PRIMARY KEY ({columns});"
        );
        return Some(Fix::new(sql, Safety::Rewrite));
    }
    if !plain || t.has_subclass || t.typed {
        return None;
    }
    let column = free_column_name(t, &["id", "row_id", "dbguard_id"])?;
    let sql =
        format!("ALTER TABLE {table} ADD COLUMN {column} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;");
    Some(Fix::new(sql, Safety::Rewrite).undo(format!("ALTER TABLE {table} DROP COLUMN {column};")))
}

/// Nothing refers to it, and ADD PRIMARY KEY would take it as it is.
fn could_be_key(t: &Relation, i: &Index) -> bool {
    let column = |n| t.attribute(n).is_some_and(|a| a.not_null && a.base_type == a.type_oid);
    i.unique
        && i.valid
        && i.predicate.is_none()
        && i.method == "btree"
        && i.include.is_empty()
        && !i.referenced
        && !i.special_opclass
        && !i.replica_identity
        && !i.nulls_not_distinct
        && !i.deferrable
        && i.keys.iter().all(|k| k.option == 0 && column(k.attnum))
        && i.keys.iter().all(|k| t.attribute(k.attnum).is_some_and(|a| a.collation == k.collation))
}
