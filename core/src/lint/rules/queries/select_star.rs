use crate::lint::catalog::{types, Catalog, Oid};
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::queries::{queries, Query};

pub static RULE: Rule = Rule {
    code: "QRY003",
    name: "select_star",
    category: Category::Queries,
    severity: Severity::Info,
    title: "Query reads all columns of a wide table",
    why: "Every column is fetched, decompressed and sent, whether it is used or not, and no index alone can answer. \
          Only for tables of more than 15 columns or with json, jsonb, xml or bytea, and queries called often.",
    bad: "SELECT * FROM documents WHERE id = $1;",
    good: "SELECT id, title FROM documents WHERE id = $1;",
    remedy: "list the columns that are used",
    peers: "sqlcheck 3001, Redgate",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Workload],
    params: &[
        Param { name: "calls", default: 100.0, about: "calls above which it is told" },
        Param { name: "columns", default: 15.0, about: "columns above which a table is wide" },
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
    let (calls, columns) = (c.param(&RULE, "calls"), c.param(&RULE, "columns"));
    for q in queries(c, out).iter().filter(|q| q.statement.calls > calls && all_columns(q)) {
        let Some(t) = q.first_table(c) else { continue };
        let large = t.attributes.iter().filter(|a| LARGE.contains(&a.base_type)).count();
        if t.attributes.len() as f64 > columns || large > 0 {
            let what = format!("reads all {} columns of {}", t.attributes.len(), t.sql_name());
            let found = q.finding(c, &what).confidence(0.8).evidence("table", t.sql_name());
            out.find(found.evidence("large_columns", large));
        }
    }
}

const LARGE: &[Oid] = &[types::JSON, types::JSONB, types::XML, types::BYTEA];

/// `SELECT * FROM t` or `SELECT t.* FROM t`, not of a join.
fn all_columns(q: &Query) -> bool {
    let (sql, first) = (q.sql, q.verb + 1);
    if !q.is_select() || q.from.len() != 1 {
        return false;
    }
    let star = if sql.is(first + 1, ".") { first + 2 } else { first };
    sql.is(star, "*") && sql.is(star + 1, "from")
}
