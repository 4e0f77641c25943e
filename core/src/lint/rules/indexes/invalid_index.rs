use crate::lint::catalog::{Catalog, Index, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "IDX007",
    name: "invalid_index",
    category: Category::Indexes,
    severity: Severity::Error,
    title: "Index is invalid: no query uses it, and it may enforce nothing",
    why: "CREATE INDEX CONCURRENTLY that failed leaves it behind: writes maintain it, queries \
          ignore it, and a unique one holds nothing. On a partitioned table some partition has no \
          matching index. One being built at this moment is left alone.",
    bad: "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a); -- ERROR: could not create unique index",
    good: "REINDEX INDEX CONCURRENTLY i; -- once the duplicates are gone",
    remedy: "REINDEX INDEX CONCURRENTLY, or drop it; leftovers of a failed REINDEX (_ccnew, _ccold) are dropped",
    peers: "db_verifier i1002, pg-index-health, pghero, check_pgactivity, pg-advisor, pgdoctor, pytest-pghealth, pganalyze",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("a failed build", "CREATE TABLE t (a int); CREATE INDEX i ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass"),
        case("a leftover of reindex", "CREATE TABLE t (a int); CREATE INDEX i ON t (a); CREATE INDEX i_ccnew ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i_ccnew'::regclass"),
        case("partition without it", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX i ON ONLY t (a)"),
        case("quoted", r#"CREATE TABLE "T.t" (a int); CREATE INDEX "I ""i" ON "T.t" (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"I ""i"'::regclass"#),
    ],
    silent: &[
        case("valid", "CREATE TABLE t (a int); CREATE INDEX i ON t (a)"),
        case("complete on partitions", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX i ON t (a)"),
        case("attached later", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX i ON ONLY t (a); CREATE INDEX i1 ON t1 (a); ALTER INDEX i ATTACH PARTITION i1"),
        case("temporary", "CREATE TEMP TABLE t (a int); CREATE INDEX i ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        for i in &t.indexes {
            out.examine(&t.schema);
            if (!i.valid || !i.ready) && !i.building {
                let message = match t.kind {
                    RelationKind::PartitionedTable => {
                        format!("index {} is invalid: a partition of {} lacks it", i.sql_name(), t.sql_name())
                    }
                    _ => format!("index {} of {} is invalid", i.sql_name(), t.sql_name()),
                };
                out.find(Finding::new(i.object(), message).fix(fix(t, i)));
            }
        }
    }
}

/// What a partition lacks must be built there and attached: REINDEX does not help.
fn fix(t: &Relation, i: &Index) -> Option<Fix> {
    if t.kind == RelationKind::PartitionedTable {
        return None;
    }
    let leftover = ["_ccnew", "_ccold"]
        .iter()
        .any(|s| i.name.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(s));
    let verb = if leftover && i.constraint.is_none() { "DROP INDEX" } else { "REINDEX INDEX" };
    Some(Fix::new(format!("{verb} CONCURRENTLY {};", i.sql_name()), Safety::Online))
}
