use crate::lint::catalog::{Catalog, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::lint::rules::counters::heaps;
use crate::lint::text::count;

pub static RULE: Rule = Rule {
    code: "PAR012",
    name: "partitioned_parent_never_analyzed",
    category: Category::Partitioning,
    severity: Severity::Warning,
    title: "Partitioned table was never analyzed as a whole",
    why: "Autovacuum analyzes partitions, never the table they belong to. Queries over several partitions are \
          then planned without statistics: joins and groups are guessed. Left alone are tables with one \
          partition or few rows.",
    bad: "CREATE TABLE events (...) PARTITION BY RANGE (at); -- and nothing more",
    good: "ANALYZE events; -- again after much has changed, from cron",
    remedy: "ANALYZE the partitioned table, and do so regularly",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[Param { name: "rows", default: 1000.0, about: "rows of all partitions together" }],
    recommended: true,
    check,
    fires: &[
        case("partitions analyzed", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000); CREATE TABLE t2 PARTITION OF t DEFAULT; INSERT INTO t SELECT generate_series(1, 2000); ANALYZE t1, t2"),
        case("two levels, quoted", r#"CREATE TABLE "T.t" (a int) PARTITION BY RANGE (a); CREATE TABLE "T.1" PARTITION OF "T.t" DEFAULT PARTITION BY HASH (a); CREATE TABLE t2 PARTITION OF "T.1" FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE t3 PARTITION OF "T.1" FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO "T.t" SELECT generate_series(1, 2000); ANALYZE t2, t3"#),
    ],
    silent: &[
        case("analyzed", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000); CREATE TABLE t2 PARTITION OF t DEFAULT; INSERT INTO t SELECT generate_series(1, 2000); ANALYZE t"),
        case("one partition", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t DEFAULT; INSERT INTO t SELECT generate_series(1, 2000); ANALYZE t1"),
        case("few rows", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE TABLE t2 PARTITION OF t DEFAULT; INSERT INTO t SELECT generate_series(1, 200); ANALYZE t1, t2"),
        case("nobody knows how many rows", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000); CREATE TABLE t2 PARTITION OF t DEFAULT; INSERT INTO t SELECT generate_series(1, 2000)"),
        case("temporary", "CREATE TEMP TABLE t (a int) PARTITION BY RANGE (a); CREATE TEMP TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000); CREATE TEMP TABLE t2 PARTITION OF t DEFAULT; INSERT INTO t SELECT generate_series(1, 2000); ANALYZE t1, t2"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| t.kind == RelationKind::PartitionedTable) {
        let heaps = heaps(c, t);
        let rows: f64 = heaps.iter().map(|r| r.tuples.max(0.0)).sum();
        if heaps.len() < 2 || rows < c.param(&RULE, "rows") {
            continue;
        }
        out.examine(&t.schema);
        // ANALYZE sets it, if only to 0
        if t.tuples < 0.0 {
            let name = t.sql_name();
            let partitions = count(heaps.len(), "partition");
            let message =
                format!("table {name} ({partitions}, about {rows} rows) was never analyzed as a whole");
            let fix = Fix::new(format!("ANALYZE {name};"), Safety::Online);
            out.find(Finding::new(t.object(), message).evidence("rows", rows).fix(fix));
        }
    }
}
