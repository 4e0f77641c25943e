use crate::lint::catalog::statistics::TableCounters;
use crate::lint::catalog::{Catalog, Relation, Statistics};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{heaps, limit, list, of, rows, which};

pub static RULE: Rule = Rule {
    code: "PRF004",
    name: "stale_statistics",
    category: Category::Performance,
    severity: Severity::Warning,
    title: "Much of the table changed since it was last analyzed",
    why: "The planner goes by what ANALYZE saw: it takes wrong indexes and wrong joins. The rule wants 1,000 \
          rows, changes of a fifth of them, and twice what should have called autovacuum, by the table's own \
          settings. Just after a bulk load that is so for a minute.",
    bad: "COPY orders FROM ...; -- and autovacuum is off",
    good: "COPY orders FROM ...; ANALYZE orders;",
    remedy: "ANALYZE; then see whether autovacuum is off (MNT003) or never gets there (CFG007)",
    peers: "pgFirstAid, check_postgres last_analyze, check_pgactivity, pg-advisor, pgdoctor, pghero",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "percent", default: 20.0, about: "changed rows in percent of all" },
        Param { name: "rows", default: 1000.0, about: "rows from which a table is looked at" },
    ],
    recommended: true,
    check,
    fires: &[
        case("loaded", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 2000) i; SELECT pg_stat_force_next_flush()"),
        case("changed, quoted", r#"CREATE TABLE "T.t" AS SELECT i AS a FROM generate_series(1, 2000) i; ANALYZE "T.t"; UPDATE "T.t" SET a = a + 1; SELECT pg_stat_force_next_flush()"#),
        case("partitions, told once", "CREATE TABLE t (a int) PARTITION BY HASH (a); CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE t2 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO t SELECT generate_series(1, 4000); SELECT pg_stat_force_next_flush()"),
    ],
    silent: &[
        case("few rows", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 900) i; SELECT pg_stat_force_next_flush()"),
        case("a small part changed", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 2000) i; UPDATE pg_class SET reltuples = 100000 WHERE oid = 't'::regclass; SELECT pg_stat_force_next_flush()"),
        case("analyzed in the session that loaded it", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 2000) i; ANALYZE t; SELECT pg_stat_force_next_flush()"),
        case("its own threshold is far", "CREATE TABLE t WITH (autovacuum_analyze_threshold = 5000) AS SELECT i AS a FROM generate_series(1, 2000) i; SELECT pg_stat_force_next_flush()"),
        case("temporary", "CREATE TEMP TABLE t AS SELECT i AS a FROM generate_series(1, 2000) i; SELECT pg_stat_force_next_flush()"),
        case("tool's", "CREATE SCHEMA cron; CREATE TABLE cron.t AS SELECT i AS a FROM generate_series(1, 2000) i; SELECT pg_stat_force_next_flush()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = &c.statistics else { return };
    for t in c.tables() {
        let mut tables = heaps(c, t);
        tables.retain(|r| of(s, r).is_some_and(|n| rows(r, n) >= c.param(&RULE, "rows")));
        if tables.is_empty() {
            continue;
        }
        out.examine(&t.schema);
        tables.retain(|r| is_stale(c, s, r));
        if tables.is_empty() {
            continue;
        }
        let changed: i64 = tables.iter().filter_map(|r| of(s, r)).map(|n| n.changed_since_analyze).sum();
        let total: f64 = tables.iter().filter_map(|r| Some(rows(r, of(s, r)?))).sum();
        let never = tables.iter().all(|r| r.tuples < 0.0);
        let message = if never {
            format!("never analyzed: {} ({total} rows)", which(t, &tables))
        } else {
            format!("{changed} changes to {} ({total} rows) since it was last analyzed", which(t, &tables))
        };
        let fix = Fix::new(format!("ANALYZE {};", list(&tables)), Safety::Online);
        let found = Finding::new(t.object(), message).confidence(0.8);
        out.find(found.evidence("changed", changed).evidence("rows", total).fix(fix));
    }
}

/// What a session loads just before ANALYZE is counted after it, though it was seen. A VACUUM since then counts rows, too.
fn was_seen(r: &Relation, n: &TableCounters) -> bool {
    let inserted = n.inserted as f64;
    n.last_analyze.is_some()
        && n.last_vacuum <= n.last_analyze
        && n.updated + n.deleted == 0
        && n.changed_since_analyze == n.inserted
        && (r.tuples - inserted).abs() <= 0.01 * inserted
}

fn is_stale(c: &Catalog, s: &Statistics, r: &Relation) -> bool {
    let Some(n) = of(s, r) else { return false };
    let changed = n.changed_since_analyze as f64;
    !was_seen(r, n)
        && changed >= c.param(&RULE, "percent") / 100.0 * rows(r, n)
        && changed > 2.0 * limit(r, "analyze", s.autovacuum.analyze)
}
