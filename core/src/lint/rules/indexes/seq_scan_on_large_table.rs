use crate::lint::catalog::{Catalog, Relation, Statistics};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{bytes, days_at_least_one, heaps, of, rows, size, which, window, MB};
use std::collections::HashMap;

pub static RULE: Rule = Rule {
    code: "IDX016",
    name: "seq_scan_on_large_table",
    category: Category::Indexes,
    severity: Severity::Warning,
    title: "Large table is read from end to end again and again",
    why: "Some query finds no index for what it asks and reads every row. The table has at least 10,000 rows \
          and 8 MB, most scans read more than half of it, and they are more than those by index. A dump or \
          export now and then is not enough: it takes ten such scans a day.",
    bad: "SELECT * FROM orders WHERE customer_ref = 'A-17'; -- no index on customer_ref",
    good: "CREATE INDEX CONCURRENTLY ON orders (customer_ref);",
    remedy: "find the query (pg_stat_statements, EXPLAIN) and index what its WHERE or JOIN compares",
    peers: "pg-index-health, pghero, pgFirstAid, pgdoctor, pg-advisor, pganalyze",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "days", default: 7.0, about: "days that the counters must cover" },
        Param { name: "rows", default: 10_000.0, about: "rows from which a table is large" },
        Param { name: "mb", default: 8.0, about: "megabytes from which a table is large" },
        Param { name: "per_day", default: 10.0, about: "sequential scans a day" },
    ],
    recommended: true,
    check,
    fires: &[
        case("no index", "SELECT dbguard.lint_configure('IDX016', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 10000) i; ANALYZE t; DO $$BEGIN FOR i IN 1..60 LOOP PERFORM count(*) FROM t; END LOOP; END$$; SELECT pg_stat_force_next_flush()"),
        case("a partition, quoted", r#"SELECT dbguard.lint_configure('IDX016', params => '{"days": 0, "mb": 0}'); CREATE TABLE "T.t" (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE "T.1" PARTITION OF "T.t" DEFAULT; INSERT INTO "T.t" SELECT generate_series(1, 10000); ANALYZE "T.t"; DO $$BEGIN FOR i IN 1..60 LOOP PERFORM count(*) FROM "T.t" WHERE a % 7 = 3; END LOOP; END$$; SELECT pg_stat_force_next_flush()"#),
    ],
    silent: &[
        case("few scans", "SELECT dbguard.lint_configure('IDX016', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 10000) i; ANALYZE t; DO $$BEGIN FOR i IN 1..9 LOOP PERFORM count(*) FROM t; END LOOP; END$$; SELECT pg_stat_force_next_flush()"),
        case("few rows", "SELECT dbguard.lint_configure('IDX016', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 9000) i; ANALYZE t; DO $$BEGIN FOR i IN 1..60 LOOP PERFORM count(*) FROM t; END LOOP; END$$; SELECT pg_stat_force_next_flush()"),
        case("stops at the first rows", "SELECT dbguard.lint_configure('IDX016', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 10000) i; ANALYZE t; DO $$BEGIN FOR i IN 1..60 LOOP PERFORM a FROM t LIMIT 1; END LOOP; END$$; SELECT pg_stat_force_next_flush()"),
        case("by index", "SELECT dbguard.lint_configure('IDX016', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 10000) i; CREATE INDEX ON t (a); ANALYZE t; DO $$BEGIN FOR i IN 1..100 LOOP PERFORM a FROM t WHERE a = i; END LOOP; END$$; SELECT pg_stat_force_next_flush()"),
        case("small by size", "SELECT dbguard.lint_configure('IDX016', params => '{\"days\": 0}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 10000) i; ANALYZE t; DO $$BEGIN FOR i IN 1..60 LOOP PERFORM count(*) FROM t; END LOOP; END$$; SELECT pg_stat_force_next_flush()"),
        case("minutes old", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 10000) i; ANALYZE t; DO $$BEGIN FOR i IN 1..60 LOOP PERFORM count(*) FROM t; END LOOP; END$$; SELECT pg_stat_force_next_flush()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = window(c, &RULE, out) else { return };
    let by_index = s.index_scans();
    for t in c.tables() {
        let heaps = heaps(c, t);
        let large: Vec<&Relation> = heaps.into_iter().filter(|r| is_large(c, s, r)).collect();
        if large.is_empty() {
            continue;
        }
        out.examine(&t.schema);
        let read: Vec<&Relation> = large.into_iter().filter(|r| is_read_whole(c, s, r, &by_index)).collect();
        if read.is_empty() {
            continue;
        }
        let counters = || read.iter().filter_map(|r| of(s, r));
        let scans: i64 = counters().map(|n| n.seq_scans).sum();
        let rows: i64 = counters().map(|n| n.seq_rows).sum();
        let message = format!(
            "read from end to end {:.0} times a day: {} ({})",
            scans as f64 / days_at_least_one(c, s),
            which(t, &read),
            size(read.iter().map(|r| bytes(r)).sum())
        );
        let found = Finding::new(t.object(), message).confidence(0.6);
        out.find(found.evidence("seq_scan", scans).evidence("seq_tup_read", rows));
    }
}

fn is_large(c: &Catalog, s: &Statistics, r: &Relation) -> bool {
    of(s, r).is_some_and(|n| rows(r, n) >= c.param(&RULE, "rows") && bytes(r) >= c.param(&RULE, "mb") * MB)
}

fn is_read_whole(c: &Catalog, s: &Statistics, r: &Relation, by_index: &HashMap<u32, i64>) -> bool {
    let Some(n) = of(s, r) else { return false };
    let scans = n.seq_scans as f64;
    n.seq_scans > 50
        && scans / days_at_least_one(c, s) >= c.param(&RULE, "per_day")
        && n.seq_rows as f64 / scans > 0.5 * rows(r, n)
        && by_index.get(&r.oid).copied().unwrap_or(0) < n.seq_scans
}
