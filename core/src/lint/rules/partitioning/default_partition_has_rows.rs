use crate::lint::bounds::is_default;
use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule, Section};

pub static RULE: Rule = Rule {
    code: "PAR003",
    name: "default_partition_has_rows",
    category: Category::Partitioning,
    severity: Severity::Warning,
    title: "DEFAULT partition holds rows",
    why: "Those rows found no partition of their own: one is missing. Adding it now fails if rows \
          for it lie in the default, and otherwise reads the whole default under an exclusive lock. \
          The rule looks for one row and reads no more than the first 8 MB.",
    bad: "INSERT INTO events VALUES ('2031-01-01'); -- lands in events_default",
    good: "SELECT count(*) FROM events_default; -- 0",
    remedy: "move the rows out, attach the partitions they belong to, insert them again",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Rows],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("not analyzed", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t DEFAULT; INSERT INTO t VALUES (1)"),
        case("analyzed", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; INSERT INTO t VALUES (1), (2); ANALYZE t1"),
        case("quoted, partitioned itself", r#"CREATE TABLE "T.t" (a int) PARTITION BY LIST (a); CREATE TABLE "D ""d" PARTITION OF "T.t" DEFAULT PARTITION BY LIST (a); CREATE TABLE d2 PARTITION OF "D ""d" FOR VALUES IN (1); INSERT INTO "T.t" VALUES (1)"#),
    ],
    silent: &[
        case("empty", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t DEFAULT"),
        case("emptied, statistics of before", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t DEFAULT; INSERT INTO t VALUES (1); ANALYZE t1; DELETE FROM t"),
        case("rows in the others", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (0) TO (9); INSERT INTO t VALUES (1)"),
        case("no default", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (0) TO (9); INSERT INTO t VALUES (1)"),
        case("temporary", "CREATE TEMP TABLE t (a int) PARTITION BY RANGE (a); CREATE TEMP TABLE t1 PARTITION OF t DEFAULT; INSERT INTO t VALUES (1)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let defaults =
        c.relations.iter().filter(|p| p.linted && p.partition_bound.as_deref().is_some_and(is_default));
    for p in defaults {
        // Rows of a second level's default are also rows of the first: told where they lie.
        let Some(parent) = p.parent.and_then(|t| c.relation(t)) else { continue };
        let (rows, confidence) = match &p.rows_seen {
            Some(Ok(seen)) => (*seen, 1.0),
            Some(Err(_)) if p.tuples > 0.0 => (true, 0.8),
            Some(Err(reason)) => {
                out.skip(p.object(), reason.clone());
                continue;
            }
            None => (p.tuples > 0.0, 0.8),
        };
        out.examine(&p.schema);
        if rows {
            let message = format!("default partition {} of {} holds rows", p.sql_name(), parent.sql_name());
            let estimate = (p.tuples > 0.0).then_some(p.tuples);
            out.find(
                Finding::new(p.object(), message).confidence(confidence).evidence("estimated_rows", estimate),
            );
        }
    }
}
