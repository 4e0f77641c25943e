use crate::lint::catalog::{Catalog, Index};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "IDX014",
    name: "too_many_indexes",
    category: Category::Indexes,
    severity: Severity::Warning,
    title: "Table has very many indexes",
    why: "Every INSERT, and every UPDATE that is not HOT, writes to each of them, each has to be vacuumed, and \
          planning looks at all. Told from eleven on, and from five on where they outnumber the columns; \
          primary keys and indexes of constraints do not count. Info below 10,000 rows, and where the \
          table was never analyzed. Wide tables that are loaded once and read ever after may have them.",
    bad: "CREATE TABLE orders (...); -- with an index for each of its 14 columns",
    good: "CREATE INDEX ON orders (customer_id, placed_at); -- one for several queries",
    remedy: "drop what IDX002, IDX003 and IDX004 tell first, then those no query uses",
    peers: "sqlcheck 2004, GitLab PreventIndexCreation",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[Param { name: "indexes", default: 10.0, about: "indexes that a table may have" }],
    recommended: true,
    check,
    fires: &[
        case("eleven", "DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE t (' || string_agg('c' || i || ' int', ',') || ')' FROM generate_series(1, 12) i); FOR i IN 1..11 LOOP EXECUTE format('CREATE INDEX ON t (c%s)', i); END LOOP; END$$"),
        case("more than columns, quoted", r#"CREATE TABLE "T.t" (a int, b int); CREATE INDEX ON "T.t" (a); CREATE INDEX ON "T.t" (b); CREATE INDEX ON "T.t" (a, b); CREATE INDEX ON "T.t" (b, a); CREATE INDEX ON "T.t" (a) WHERE b > 1"#),
        case("partitioned, told once", "CREATE TABLE t (a int, b int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX ON t (a); CREATE INDEX ON t (b); CREATE INDEX ON t (a, b); CREATE INDEX ON t (b, a); CREATE INDEX ON t (a) WHERE b > 1"),
    ],
    silent: &[
        case("ten", "DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE t (' || string_agg('c' || i || ' int', ',') || ')' FROM generate_series(1, 12) i); FOR i IN 1..10 LOOP EXECUTE format('CREATE INDEX ON t (c%s)', i); END LOOP; END$$"),
        case("constraints do not count", "CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE, UNIQUE (a, b), UNIQUE (b, a)); CREATE INDEX ON t (a, b) WHERE a > 1; CREATE INDEX ON t (b) WHERE a > 1"),
        case("four of two columns", "CREATE TABLE t (a int, b int); CREATE INDEX ON t (a); CREATE INDEX ON t (b); CREATE INDEX ON t (a, b); CREATE INDEX ON t (b, a)"),
        case("temporary", "CREATE TEMP TABLE t (a int); CREATE INDEX ON t (a); CREATE INDEX ON t ((a + 1)); CREATE INDEX ON t ((a + 2)); CREATE INDEX ON t ((a + 3)); CREATE INDEX ON t ((a + 4))"),
    ],
};

/// So few are no burden, however narrow the table.
const FEW: usize = 5;

fn check(c: &Catalog, out: &mut Report) {
    let most = c.param(&RULE, "indexes");
    for t in c.tables().filter(|t| !t.indexes.is_empty()) {
        out.examine(&t.schema);
        let own: Vec<&Index> = t.indexes.iter().filter(|i| i.constraint.is_none()).collect();
        if own.len() as f64 <= most && (own.len() < FEW || own.len() <= t.attributes.len()) {
            continue;
        }
        let severity =
            if c.rows(t).is_some_and(|rows| rows >= 10_000.0) { Severity::Warning } else { Severity::Info };
        let message = format!("table {} has {} indexes beside those of constraints", t.sql_name(), own.len());
        let names: Vec<&str> = own.iter().map(|i| i.name.as_str()).collect();
        out.find(Finding::new(t.object(), message).severity(severity).evidence("indexes", names));
    }
}
