use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::queries::queries;

pub static RULE: Rule = Rule {
    code: "QRY005",
    name: "offset_pagination",
    category: Category::Queries,
    severity: Severity::Warning,
    title: "Query turns pages with OFFSET in a large table",
    why: "The rows that OFFSET passes over are read all the same, so each page costs more than the one before, and \
          rows that come or go between two pages are shown twice or never. Only where that shows: many blocks read \
          for each row returned, from a table of more than 10,000 rows.",
    bad: "SELECT * FROM orders ORDER BY id LIMIT 50 OFFSET 100000;",
    good: "SELECT * FROM orders WHERE id > $1 ORDER BY id LIMIT 50;",
    remedy: "remember the last key of a page, and go on from there",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Workload],
    params: &[
        Param { name: "calls", default: 20.0, about: "calls from which it is judged" },
        Param { name: "rows", default: 10000.0, about: "rows of the table above which it is told" },
        Param { name: "blocks", default: 100.0, about: "blocks read a call from which it is told" },
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
    let (calls, rows, blocks) = (c.param(&RULE, "calls"), c.param(&RULE, "rows"), c.param(&RULE, "blocks"));
    for q in queries(c, out).iter().filter(|q| q.is_select() && q.offset && q.limited) {
        let s = q.statement;
        // a first page by an index reads hardly more blocks than it returns rows, and a few for each row of a join
        let first_page = (3.0 + 5.0 * q.from.len().saturating_sub(1) as f64) * s.rows_per_call();
        let wasteful = s.blocks_per_call() >= blocks && s.blocks_per_call() > first_page;
        let Some(t) = q.first_table(c).filter(|_| s.calls >= calls && wasteful) else { continue };
        if t.tuples > rows {
            let what = format!(
                "OFFSET in {}, {:.0} blocks read a call for {:.0} rows",
                t.sql_name(),
                s.blocks_per_call(),
                s.rows_per_call()
            );
            out.find(q.finding(c, &what).confidence(0.6).evidence("table", t.sql_name()));
        }
    }
}
