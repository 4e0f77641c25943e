use crate::lint::catalog::{Catalog, Index, RelationKind};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "FVT011",
    name: "matview_not_concurrently_refreshable",
    category: Category::Functions,
    severity: Severity::Warning,
    title: "Materialized view cannot be refreshed without locking readers out",
    why: "REFRESH MATERIALIZED VIEW CONCURRENTLY needs a unique index on plain columns over all rows. \
          Without one every refresh holds up all queries of the view until it is done. Small ones, and those \
          of unknown size, are left alone.",
    bad: "CREATE MATERIALIZED VIEW sales_by_day AS SELECT day, sum(total) FROM sales GROUP BY day;",
    good: "CREATE UNIQUE INDEX ON sales_by_day (day); REFRESH MATERIALIZED VIEW CONCURRENTLY sales_by_day;",
    remedy: "a unique index on the columns that tell its rows apart, without WHERE and without expressions",
    peers: "squawk and pgfence (at the refresh)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[Param { name: "pages", default: 128.0, about: "size in pages of 8 kB from which it is told" }],
    recommended: true,
    check,
    fires: &[
        case("none", "CREATE MATERIALIZED VIEW m AS SELECT i FROM generate_series(1, 60000) i; ANALYZE m"),
        case("of the wrong kind, quoted", r#"CREATE MATERIALIZED VIEW "M.m" AS SELECT i AS "I" FROM generate_series(1, 60000) i; CREATE INDEX ON "M.m" ("I"); CREATE UNIQUE INDEX ON "M.m" ("I") WHERE "I" > 0; CREATE UNIQUE INDEX ON "M.m" (("I" + 1)); ANALYZE "M.m""#),
    ],
    silent: &[
        case("has one", "CREATE MATERIALIZED VIEW m AS SELECT i FROM generate_series(1, 60000) i; CREATE UNIQUE INDEX ON m (i) INCLUDE (i); ANALYZE m"),
        case("small", "CREATE MATERIALIZED VIEW m AS SELECT 1; ANALYZE m"),
        case("a view and a table", "CREATE VIEW v AS SELECT i FROM generate_series(1, 60000) i; CREATE TABLE t AS TABLE v; ANALYZE t"),
        case("extension member", "CREATE MATERIALIZED VIEW m AS SELECT i FROM generate_series(1, 60000) i; ANALYZE m; ALTER EXTENSION plpgsql ADD MATERIALIZED VIEW m"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let pages = c.param(&RULE, "pages");
    for m in c.linted_relations().filter(|r| r.kind == RelationKind::MaterializedView) {
        out.examine(&m.schema);
        if m.pages as f64 >= pages && !m.indexes.iter().any(serves) {
            let message =
                format!("every refresh of {} locks its readers out: no unique index fits", m.sql_name());
            out.find(Finding::new(m.object(), message).evidence("pages", m.pages));
        }
    }
}

fn serves(i: &Index) -> bool {
    i.unique && i.valid && i.predicate.is_none() && i.keys.iter().all(|k| k.attnum > 0)
}
