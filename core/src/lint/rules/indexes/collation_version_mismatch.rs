use crate::lint::catalog::{Catalog, CollationVersion, Index, Oid, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::count;
use crate::quote::{ident, qualified};
use std::collections::BTreeMap;

pub static RULE: Rule = Rule {
    code: "IDX020",
    name: "collation_version_mismatch",
    category: Category::Indexes,
    severity: Severity::Error,
    title: "Indexes were sorted by another version of their collation",
    why: "An upgrade of the operating system or of ICU changed how text sorts, but the indexes lie in the old \
          order: queries miss rows, unique indexes let duplicates in, and partitions hold rows that belong \
          elsewhere. Collations that nothing is sorted by, and those without versions (C, musl), are left alone.",
    bad: "WARNING: collation \"de\" has version mismatch",
    good: "REINDEX INDEX CONCURRENTLY i; ALTER COLLATION \"de\" REFRESH VERSION;",
    remedy: "REINDEX every index that goes by it, check what partition keys go by it, and only then REFRESH VERSION",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("index", "CREATE COLLATION de (provider = icu, locale = 'de'); CREATE TABLE t (a text COLLATE de); CREATE INDEX i ON t (a); UPDATE pg_collation SET collversion = '1' WHERE collname = 'de'"),
        case("quoted, only the index has it", r#"CREATE COLLATION "D.e" (provider = icu, locale = 'de'); CREATE TABLE "T.t" (a text); CREATE UNIQUE INDEX "I ""i" ON "T.t" (a COLLATE "D.e"); UPDATE pg_collation SET collversion = '1' WHERE collname = 'D.e'"#),
        case("index of a partition", "CREATE COLLATION de (provider = icu, locale = 'de'); CREATE TABLE t (a text COLLATE de, b int) PARTITION BY LIST (b); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX i ON t (a); UPDATE pg_collation SET collversion = '1' WHERE collname = 'de'"),
        case("partition key", "CREATE COLLATION de (provider = icu, locale = 'de'); CREATE TABLE t (a text COLLATE de) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('a') TO ('z'); UPDATE pg_collation SET collversion = '1' WHERE collname = 'de'"),
    ],
    silent: &[
        case("same version", "CREATE COLLATION de (provider = icu, locale = 'de'); CREATE TABLE t (a text COLLATE de); CREATE INDEX i ON t (a)"),
        case("nothing is sorted by it", "CREATE COLLATION de (provider = icu, locale = 'de'); CREATE TABLE t (a text COLLATE de, b int); CREATE INDEX i ON t (b) INCLUDE (a); UPDATE pg_collation SET collversion = '1' WHERE collname = 'de'"),
        case("the index goes by bytes", "CREATE COLLATION de (provider = icu, locale = 'de'); CREATE TABLE t (a text COLLATE de); CREATE INDEX i ON t (a COLLATE \"C\"); CREATE INDEX j ON t (a text_pattern_ops); UPDATE pg_collation SET collversion = '1' WHERE collname = 'de'"),
        case("no version", "CREATE TABLE t (a text COLLATE \"C\"); CREATE INDEX i ON t (a)"),
        case("temporary", "CREATE COLLATION de (provider = icu, locale = 'de'); CREATE TEMP TABLE t (a text COLLATE de); CREATE INDEX i ON t (a); UPDATE pg_collation SET collversion = '1' WHERE collname = 'de'"),
    ],
};

/// The collation called default: the database's own.
const DEFAULT: Oid = 100;
/// As many indexes as one script may rebuild.
const FEW: usize = 20;

#[derive(Default)]
struct Sorted<'c> {
    indexes: Vec<&'c Index>,
    partitioned: Vec<&'c Relation>,
}

fn check(c: &Catalog, out: &mut Report) {
    let mut sorted: BTreeMap<Oid, Sorted> = BTreeMap::new();
    // indexes lie in tables and partitions, not in what is above them
    for r in c.relations.iter().filter(|r| r.linted) {
        let has_rows = matches!(r.kind, RelationKind::Table | RelationKind::MaterializedView);
        for i in r.indexes.iter().filter(|i| has_rows && !i.special_opclass) {
            let mut collations: Vec<Oid> = i.keys.iter().map(|k| k.collation).collect();
            collations.sort_unstable();
            collations.dedup();
            for oid in collations {
                sorted.entry(oid).or_default().indexes.push(i);
            }
        }
        // a list is compared for equality, a hash too: only ranges go by the order
        if r.partition_strategy == Some('r') {
            for oid in r.partition_collations.iter().copied() {
                sorted.entry(oid).or_default().partitioned.push(r);
            }
        }
    }
    for (oid, sorted) in sorted {
        let Some(v) = c.collations.get(&oid) else { continue };
        out.examine(&v.schema);
        if v.recorded != v.actual {
            out.find(finding(c, oid, v, &sorted));
        }
    }
}

fn finding(c: &Catalog, oid: Oid, v: &CollationVersion, sorted: &Sorted) -> Finding {
    let (object, what) = match oid {
        DEFAULT => (Object::database(&c.database), "the database's collation".to_owned()),
        _ => {
            let identity = qualified(&v.schema, &v.name);
            let what = format!("collation {identity}");
            (Object { kind: "collation", schema: v.schema.clone(), identity, oid }, what)
        }
    };
    let mut parts = Vec::new();
    if !sorted.indexes.is_empty() {
        let n = sorted.indexes.len();
        parts.push(if n == 1 { "1 index".to_owned() } else { format!("{n} indexes") });
    }
    if !sorted.partitioned.is_empty() {
        parts.push(count(sorted.partitioned.len(), "partitioned table"));
    }
    let verb = if sorted.indexes.len() + sorted.partitioned.len() == 1 { "was" } else { "were" };
    let message = format!(
        "{} {verb} sorted by version {} of {what}, which now is {}",
        parts.join(" and "),
        v.recorded,
        v.actual
    );
    let indexes: Vec<String> = sorted.indexes.iter().take(50).map(|i| i.sql_name()).collect();
    let tables: Vec<String> = sorted.partitioned.iter().take(50).map(|t| t.sql_name()).collect();
    Finding::new(object, message)
        .evidence("indexes", indexes)
        .evidence("partitioned_tables", tables)
        .fix(fix(c, oid, v, sorted))
}

/// None where rows may lie in the wrong partition, which no REINDEX mends. Tables that are not
/// looked at may have indexes too, so the database's own version is not refreshed here.
fn fix(c: &Catalog, oid: Oid, v: &CollationVersion, sorted: &Sorted) -> Option<Fix> {
    if oid == DEFAULT || !sorted.partitioned.is_empty() || sorted.indexes.len() > FEW {
        return None;
    }
    let elsewhere =
        |r: &&Relation| !r.linted && r.indexes.iter().any(|i| i.keys.iter().any(|k| k.collation == oid));
    if c.relations.iter().any(|r| elsewhere(&r)) {
        return None;
    }
    let mut sql: Vec<String> =
        sorted.indexes.iter().map(|i| format!("REINDEX INDEX {};", i.sql_name())).collect();
    sql.push(format!("ALTER COLLATION {}.{} REFRESH VERSION;", ident(&v.schema), ident(&v.name)));
    Some(Fix::new(sql.join("\n"), Safety::Rewrite))
}
