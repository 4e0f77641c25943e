use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::queries::queries;

pub static RULE: Rule = Rule {
    code: "QRY004",
    name: "unbounded_result",
    category: Category::Queries,
    severity: Severity::Warning,
    title: "Query returns very many rows, and nothing bounds them",
    why: "More than 10,000 rows a call on average, without LIMIT or FETCH: they are held in memory on the way, more \
          with every row the table gets. An export may want just that; then it should use a cursor or COPY, \
          which are not counted. From 20 calls on.",
    bad: "SELECT id, name FROM customers;",
    good: "SELECT id, name FROM customers WHERE id > $1 ORDER BY id LIMIT 1000;",
    remedy: "LIMIT and a key to go on from, a cursor, or COPY",
    peers: "pgFirstAid (high rows a call)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Workload],
    params: &[
        Param { name: "calls", default: 20.0, about: "calls from which it is judged" },
        Param { name: "rows", default: 10000.0, about: "rows a call above which it is told" },
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
    let (calls, rows) = (c.param(&RULE, "calls"), c.param(&RULE, "rows"));
    for q in queries(c, out).iter().filter(|q| q.is_select() && !q.limited) {
        let s = q.statement;
        if s.calls >= calls && s.rows_per_call() > rows {
            let what = format!("{:.0} rows a call without LIMIT, {} calls", s.rows_per_call(), s.calls);
            out.find(q.finding(c, &what).confidence(0.8));
        }
    }
}
