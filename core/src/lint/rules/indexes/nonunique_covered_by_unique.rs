use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::indexes::duplicate_index::{copies, examine, finding};

pub static RULE: Rule = Rule {
    code: "IDX004",
    name: "nonunique_covered_by_unique",
    category: Category::Indexes,
    severity: Severity::Warning,
    title: "Index is the same as a unique one",
    why: "A primary key or unique constraint brings its index with it, and that one answers every query \
          that the plain one beside it answers. The same is what it is for IDX002. A deferrable \
          constraint's index will do for queries too.",
    bad: "CREATE TABLE t (id int PRIMARY KEY); CREATE INDEX ON t (id);",
    good: "CREATE TABLE t (id int PRIMARY KEY);",
    remedy: "DROP INDEX CONCURRENTLY the plain one",
    peers: "db_verifier i1003, pghero, pgassistant, database_consistency",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("beside the primary key", "CREATE TABLE t (a int PRIMARY KEY); CREATE INDEX i ON t (a)"),
        case("beside a deferrable constraint", "CREATE TABLE t (a int UNIQUE DEFERRABLE); CREATE INDEX i ON t (a)"),
        case("quoted, with a predicate", r#"CREATE TABLE "T.t" ("A" int, b int); CREATE UNIQUE INDEX "U" ON "T.t" ("A") WHERE b > 0; CREATE INDEX "I ""i" ON "T.t" ("A") WHERE b > 0"#),
        case("on a partitioned table", "CREATE TABLE t (a int PRIMARY KEY) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX i ON t (a)"),
    ],
    silent: &[
        case("unique only where alive", "CREATE TABLE t (a int, b int); CREATE UNIQUE INDEX u ON t (a) WHERE b > 0; CREATE INDEX i ON t (a)"),
        case("a column more", "CREATE TABLE t (a int PRIMARY KEY, b int); CREATE INDEX i ON t (a, b)"),
        case("unique too", "CREATE TABLE t (a int PRIMARY KEY); CREATE UNIQUE INDEX i ON t (a)"),
        case("other operator class", "CREATE TABLE t (a text PRIMARY KEY); CREATE INDEX i ON t (a text_pattern_ops)"),
        case("temporary", "CREATE TEMP TABLE t (a int PRIMARY KEY); CREATE INDEX i ON t (a)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        examine(t, out);
        for (copy, kept) in copies(t).into_iter().filter(|(copy, kept)| kept.unique && !copy.unique) {
            out.find(finding(t, copy, kept));
        }
    }
}
