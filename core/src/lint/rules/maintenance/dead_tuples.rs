use crate::lint::catalog::{Catalog, Relation, Statistics};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{heaps, limit, list, of, which};

pub static RULE: Rule = Rule {
    code: "MNT002",
    name: "dead_tuples",
    category: Category::Maintenance,
    severity: Severity::Warning,
    title: "Dead rows pile up faster than VACUUM takes them away",
    why: "Scans read dead rows too, and the table grows. The rule wants 100,000 dead rows, a fifth of the live \
          ones, and twice what should have called autovacuum, by the table's own settings: just after a mass \
          DELETE that may be so for minutes, and only then is it no matter.",
    bad: "-- n_dead_tup = 4,000,000, n_live_tup = 5,000,000",
    good: "VACUUM orders; -- and see why autovacuum did not",
    remedy: "VACUUM; then see whether autovacuum is off, too slow (CFG007), or held up by an old transaction (MNT007)",
    peers: "pg-advisor, pgassistant, pgdoctor, pghero, pgFirstAid",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "rows", default: 100_000.0, about: "dead rows" },
        Param { name: "percent", default: 20.0, about: "dead rows in percent of the live ones" },
    ],
    recommended: true,
    check,
    fires: &[
        case("deleted", "SELECT dbguard.lint_configure('MNT002', params => '{\"rows\": 500}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 2000) i; SELECT pg_stat_force_next_flush(); DELETE FROM t WHERE a <= 1000; SELECT pg_stat_force_next_flush()"),
        case("updated, quoted partition", r#"SELECT dbguard.lint_configure('MNT002', params => '{"rows": 500}'); CREATE TABLE "T.t" (a int) PARTITION BY LIST (a); CREATE TABLE "T.1" PARTITION OF "T.t" DEFAULT; INSERT INTO "T.t" SELECT generate_series(1, 2000); UPDATE "T.t" SET a = a + 1; SELECT pg_stat_force_next_flush()"#),
        case("many, but autovacuum of the table is early", "SELECT dbguard.lint_configure('MNT002', params => '{\"rows\": 500}'); CREATE TABLE t (a int) WITH (autovacuum_vacuum_scale_factor = 0); INSERT INTO t SELECT generate_series(1, 2000); ANALYZE t; DELETE FROM t WHERE a <= 500; SELECT pg_stat_force_next_flush()"),
    ],
    silent: &[
        case("few", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 2000) i; DELETE FROM t WHERE a <= 1000; SELECT pg_stat_force_next_flush()"),
        case("a small share", "SELECT dbguard.lint_configure('MNT002', params => '{\"rows\": 50}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 2000) i; DELETE FROM t WHERE a <= 200; SELECT pg_stat_force_next_flush()"),
        case("autovacuum may wait that long", "SELECT dbguard.lint_configure('MNT002', params => '{\"rows\": 500}'); CREATE TABLE t WITH (autovacuum_vacuum_threshold = 5000) AS SELECT i AS a FROM generate_series(1, 2000) i; DELETE FROM t WHERE a <= 1000; SELECT pg_stat_force_next_flush()"),
        case("temporary", "SELECT dbguard.lint_configure('MNT002', params => '{\"rows\": 500}'); CREATE TEMP TABLE t AS SELECT i AS a FROM generate_series(1, 2000) i; DELETE FROM t WHERE a <= 1000; SELECT pg_stat_force_next_flush()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = &c.statistics else { return };
    for t in c.tables() {
        out.examine(&t.schema);
        let mut late = heaps(c, t);
        late.retain(|r| is_late(c, s, r));
        if late.is_empty() {
            continue;
        }
        let dead: i64 = late.iter().filter_map(|r| of(s, r)).map(|n| n.dead).sum();
        let live: i64 = late.iter().filter_map(|r| of(s, r)).map(|n| n.live).sum();
        let message = format!("{dead} dead rows beside {live} live ones in {}", which(t, &late));
        let fix = Fix::new(format!("VACUUM {};", list(&late)), Safety::Online);
        let found = Finding::new(t.object(), message).confidence(0.8);
        out.find(found.evidence("dead", dead).evidence("live", live).fix(fix));
    }
}

fn is_late(c: &Catalog, s: &Statistics, r: &Relation) -> bool {
    let Some(n) = of(s, r) else { return false };
    let dead = n.dead as f64;
    dead >= c.param(&RULE, "rows")
        && dead >= c.param(&RULE, "percent") / 100.0 * n.live as f64
        && dead >= 2.0 * limit(r, "vacuum", s.autovacuum.vacuum)
}
