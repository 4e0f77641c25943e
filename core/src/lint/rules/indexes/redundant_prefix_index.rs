use crate::lint::catalog::{Catalog, Index};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::indexes::duplicate_index::{drop_index, needed};

pub static RULE: Rule = Rule {
    code: "IDX003",
    name: "redundant_prefix_index",
    category: Category::Indexes,
    severity: Severity::Warning,
    title: "Index is the beginning of a longer one",
    why: "The longer B-tree answers the same queries, so the shorter one only costs writes and \
          memory. Keys are compared with operator class, collation and direction, predicates and \
          expressions word by word. Unique indexes and those that serve a constraint, a foreign \
          key, CLUSTER or the replica identity are kept. Info where the longer one is over four \
          times the size and the shorter one is in use.",
    bad: "CREATE INDEX ON t (a); CREATE INDEX ON t (a, b);",
    good: "CREATE INDEX ON t (a, b);",
    remedy: "DROP INDEX CONCURRENTLY the shorter one",
    peers: "pglinter B002, pg-index-health intersected_indexes, pghero, pgcrab, pg-advisor, database_consistency, active_record_doctor, pg-migration-lint PGM508, pgassistant, pgdoctor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("prefix", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a); CREATE INDEX j ON t (a, b)"),
        case("prefix of the primary key", "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)); CREATE INDEX i ON t (a)"),
        case("same predicate, quoted", r#"CREATE TABLE "T.t" ("A" int, b int); CREATE INDEX "I" ON "T.t" ("A") WHERE b > 0; CREATE INDEX j ON "T.t" ("A", b) WHERE b > 0"#),
        case("expression first", "CREATE TABLE t (a text, b int); CREATE INDEX i ON t (lower(a)); CREATE INDEX j ON t (lower(a), b)"),
    ],
    silent: &[
        case("not the beginning", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b); CREATE INDEX j ON t (a, b)"),
        case("unique", "CREATE TABLE t (a int, b int); CREATE UNIQUE INDEX i ON t (a); CREATE INDEX j ON t (a, b)"),
        case("longer one is partial", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a); CREATE INDEX j ON t (a, b) WHERE b > 0"),
        case("other direction", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a DESC); CREATE INDEX j ON t (a, b)"),
        case("carries columns", "CREATE TABLE t (a int, b int, c int); CREATE INDEX i ON t (a) INCLUDE (c); CREATE INDEX j ON t (a, b)"),
        case("hash", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t USING hash (a); CREATE INDEX j ON t (a, b)"),
        case("replica identity", "CREATE TABLE t (a int NOT NULL, b int); CREATE UNIQUE INDEX i ON t (a); CREATE INDEX j ON t (a, b); ALTER TABLE t REPLICA IDENTITY USING INDEX i"),
        case("clustered", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a); CREATE INDEX j ON t (a, b); ALTER TABLE t CLUSTER ON i"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        let trees: Vec<&Index> = t.indexes.iter().filter(|i| i.valid && i.method == "btree").collect();
        for short in &trees {
            out.examine(&t.schema);
            if needed(short) || short.unique {
                continue;
            }
            // The smallest of the longer ones is the fairest comparison.
            let longer =
                trees.iter().filter(|i| extends(i, short)).min_by_key(|i| (i.pages, i.name.as_str()));
            if let Some(long) = longer {
                let message = format!("index {} is the beginning of {}", short.sql_name(), long.sql_name());
                let hot = short.scans > 0 && long.pages > 4 * short.pages.max(1);
                let columns: Vec<i16> = short.keys.iter().map(|k| k.attnum).collect();
                let found = Finding::new(short.object(), message)
                    .key(t, &t.names(&columns).join(","))
                    .severity(if hot { Severity::Info } else { Severity::Warning })
                    .evidence("covered_by", long.sql_name())
                    .evidence("pages", short.pages)
                    .evidence("scans", short.scans)
                    .evidence("covering_pages", long.pages)
                    .fix(drop_index(t, short));
                out.find(found);
            }
        }
    }
}

/// `long` finds all that `short` finds, and returns what it carries.
fn extends(long: &Index, short: &Index) -> bool {
    long.keys.len() > short.keys.len()
        && long.keys.starts_with(&short.keys)
        && long.predicate == short.predicate
        && short.include.iter().all(|n| long.include.contains(n) || long.keys.iter().any(|k| k.attnum == *n))
}
