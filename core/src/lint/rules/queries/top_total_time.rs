use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::queries::queries;

pub static RULE: Rule = Rule {
    code: "QRY002",
    name: "top_total_time",
    category: Category::Queries,
    severity: Severity::Info,
    title: "Query takes a large share of all time",
    why: "What is saved here is saved most. Told for what it is worth: somewhere the time must go. Only where \
          statements took so long together that shares mean something.",
    bad: "SELECT ... -- 62 % of the time",
    good: "-- the result kept by the application, or a better index",
    remedy: "EXPLAIN (ANALYZE, BUFFERS); then an index, another query, or fewer calls",
    peers: "pghero, pgFirstAid, pg-advisor, pganalyze",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Workload],
    params: &[
        Param { name: "percent", default: 10.0, about: "share of the time of all statements from which it is told" },
        Param { name: "seconds", default: 60.0, about: "time of all statements together from which shares mean something" },
        Param { name: "calls", default: 20.0, about: "calls from which it is judged" },
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
    let (percent, calls) = (c.param(&RULE, "percent"), c.param(&RULE, "calls"));
    let all = queries(c, out);
    let total: f64 = all.iter().map(|q| q.statement.total_ms).sum();
    if total < c.param(&RULE, "seconds") * 1000.0 || total <= 0.0 {
        return;
    }
    for q in &all {
        let s = q.statement;
        let share = 100.0 * s.total_ms / total;
        if share > percent && s.calls >= calls {
            let what = format!("{share:.0} % of the time of all queries, {} calls", s.calls);
            out.find(q.finding(c, &what).confidence(0.9).evidence("share", (share * 10.0).round() / 10.0));
        }
    }
}
