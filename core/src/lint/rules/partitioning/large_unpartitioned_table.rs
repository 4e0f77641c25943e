use crate::lint::catalog::{Catalog, Relation, RelationKind};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{bytes, of, size, window, GB};

pub static RULE: Rule = Rule {
    code: "PAR001",
    name: "large_unpartitioned_table",
    category: Category::Partitioning,
    severity: Severity::Info,
    title: "Very large table is in one piece",
    why: "Old rows can only be deleted one by one, and VACUUM, REINDEX or a restore take the whole of it at \
          once. Info from 100 GB and 10 million rows; warning from a fifth of that size where rows are deleted \
          at least half as fast as they come, for a partition is dropped in a moment. Size alone does not \
          prove that partitions would help. TOAST is not counted.",
    bad: "DELETE FROM events WHERE at < now() - interval '1 year'; -- hours, every night",
    good: "CREATE TABLE events (...) PARTITION BY RANGE (at); -- DROP TABLE events_2023_01;",
    remedy: "partition it by the column that decides what is deleted or read together (docs/partition-convert.md)",
    peers: "pgdoctor partitioning, pgFirstAid",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "days", default: 7.0, about: "days that the counters of deleted rows must cover" },
        Param { name: "gigabytes", default: 100.0, about: "gigabytes from which a table is very large" },
        Param { name: "rows", default: 10_000_000.0, about: "rows from which a table is very large" },
    ],
    recommended: true,
    check,
    fires: &[
        case("a terabyte", "CREATE TABLE t (a int); UPDATE pg_class SET relpages = 131072000, reltuples = 1e9 WHERE oid = 't'::regclass"),
        case("rows are deleted, quoted", r#"SELECT dbguard.lint_configure('PAR001', params => '{"days": 0}'); CREATE TABLE "T.t" (a int); INSERT INTO "T.t" SELECT generate_series(1, 2000); DELETE FROM "T.t" WHERE a <= 1500; UPDATE pg_class SET relpages = 3932160, reltuples = 2e7 WHERE oid = '"T.t"'::regclass; SELECT pg_stat_force_next_flush()"#),
    ],
    silent: &[
        case("smaller", "CREATE TABLE t (a int); UPDATE pg_class SET relpages = 3932160, reltuples = 1e9 WHERE oid = 't'::regclass"),
        case("few and wide rows", "CREATE TABLE t (a int); UPDATE pg_class SET relpages = 131072000, reltuples = 1e6 WHERE oid = 't'::regclass"),
        case("partition", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; UPDATE pg_class SET relpages = 131072000, reltuples = 1e9 WHERE oid = 't1'::regclass"),
        case("inheritance", "CREATE TABLE t (a int); CREATE TABLE t1 () INHERITS (t); UPDATE pg_class SET relpages = 131072000, reltuples = 1e9 WHERE relname IN ('t', 't1')"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let (gigabytes, rows) = (c.param(&RULE, "gigabytes"), c.param(&RULE, "rows"));
    let candidates: Vec<&Relation> = c.tables().filter(|t| is_whole(t)).collect();
    candidates.iter().for_each(|t| out.examine(&t.schema));
    let large: Vec<&&Relation> =
        candidates.iter().filter(|t| t.tuples >= rows && bytes(t) >= gigabytes / 5.0 * GB).collect();
    // the window matters only for those whose size does not tell
    let of_both = large.iter().any(|t| bytes(t) < gigabytes * GB);
    let counters = if of_both { window(c, &RULE, out) } else { None };
    for t in large {
        let n = counters.and_then(|s| of(s, t));
        let deletes = n.filter(|n| n.deleted >= 1000 && n.deleted as f64 >= 0.5 * n.inserted as f64);
        if deletes.is_none() && bytes(t) < gigabytes * GB {
            continue;
        }
        let mut message = format!("table {} is {} in one piece", t.sql_name(), size(bytes(t)));
        if deletes.is_some() {
            message.push_str(", and its rows are deleted one by one");
        }
        let severity = if deletes.is_some() { Severity::Warning } else { Severity::Info };
        let found = Finding::new(t.object(), message).severity(severity).confidence(0.5);
        out.find(found.evidence("rows", t.tuples).evidence("bytes", bytes(t)));
    }
}

/// Neither divided nor a piece of something.
fn is_whole(t: &Relation) -> bool {
    t.kind == RelationKind::Table && !t.has_subclass && !t.attributes.iter().any(|a| a.inherited)
}
