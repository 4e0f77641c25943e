use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::queries::queries;

pub static RULE: Rule = Rule {
    code: "QRY001",
    name: "slow_mean_time",
    category: Category::Queries,
    severity: Severity::Warning,
    title: "Query is slow on average",
    why: "Users wait for it each time. From 20 calls on, so that one cold start is no verdict; the twenty that took \
          most time in all. pg_stat_statements counts since its last reset.",
    bad: "SELECT * FROM orders WHERE lower(email) = $1; -- 340 ms",
    good: "CREATE INDEX ON orders (lower(email));",
    remedy: "EXPLAIN (ANALYZE, BUFFERS) with typical values, or EXPLAIN (GENERIC_PLAN) from version 16 on",
    peers: "pghero, pgFirstAid, pg-advisor, pganalyze",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Workload],
    params: &[
        Param { name: "calls", default: 20.0, about: "calls from which it is judged" },
        Param { name: "mean_ms", default: 100.0, about: "milliseconds a call from which it is told" },
        Param { name: "most", default: 20.0, about: "how many queries are told" },
    ],
    recommended: true,
    check,
    fires: &[],
    silent: &[
        case("not installed: skipped", "CREATE TABLE t (a int)"),
        case("not preloaded: skipped", "DO $$ BEGIN IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') THEN CREATE EXTENSION pg_stat_statements; END IF; END $$"),
        case("in a schema with a hostile name", r#"CREATE SCHEMA "S.s ""x"; DO $$ BEGIN IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') THEN CREATE EXTENSION pg_stat_statements SCHEMA "S.s ""x"; END IF; END $$"#),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let (calls, mean) = (c.param(&RULE, "calls"), c.param(&RULE, "mean_ms"));
    let mut slow = queries(c, out);
    slow.retain(|q| q.statement.calls >= calls && q.statement.mean_ms() > mean);
    slow.sort_by(|a, b| b.statement.total_ms.total_cmp(&a.statement.total_ms));
    for q in slow.iter().take(c.param(&RULE, "most").max(1.0) as usize) {
        let s = q.statement;
        out.find(q.finding(c, &format!("{:.0} ms a call, {} calls", s.mean_ms(), s.calls)).confidence(0.9));
    }
}
