use crate::lint::catalog::{Catalog, Relation, Statistics};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{bytes, heaps, list, size, which, MB};

pub static RULE: Rule = Rule {
    code: "MNT001",
    name: "table_bloat",
    category: Category::Maintenance,
    severity: Severity::Warning,
    title: "Much of the table is empty space",
    why: "Scans read the empty pages too, and they fill the cache. VACUUM lets new rows use the space but \
          rarely gives it back. It is an estimate from the width of rows that ANALYZE found: it takes 200 MB \
          and 40 % of the table, and the statistics of every column. TOAST is not counted.",
    bad: "DELETE FROM events WHERE at < '2024-01-01'; -- most of the table, once",
    good: "VACUUM FULL events; -- where it may be locked meanwhile; pg_repack elsewhere",
    remedy: "pg_repack, or VACUUM FULL where the table may be locked that long; then look why VACUUM came late (MNT002, MNT007)",
    peers: "splinter 0020, pg-index-health, check_postgres bloat, check_pgactivity, pg-advisor, pgFirstAid, pgdoctor, pganalyze",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "percent", default: 40.0, about: "percent of the table that are empty" },
        Param { name: "mb", default: 200.0, about: "megabytes that are empty" },
    ],
    recommended: true,
    check,
    fires: &[
        case("few rows on many pages", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 1000) i; ANALYZE t; UPDATE pg_class SET relpages = 100000 WHERE oid = 't'::regclass"),
        case("partition, quoted", r#"CREATE TABLE "T.t" (a int, "B" text) PARTITION BY LIST (a); CREATE TABLE "T.1" PARTITION OF "T.t" DEFAULT; INSERT INTO "T.t" SELECT i, 'x' FROM generate_series(1, 1000) i; ANALYZE "T.1"; UPDATE pg_class SET relpages = 100000 WHERE oid = '"T.1"'::regclass"#),
    ],
    silent: &[
        case("small", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 1000) i; ANALYZE t; UPDATE pg_class SET relpages = 20000 WHERE oid = 't'::regclass"),
        case("full", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 1000) i; ANALYZE t; UPDATE pg_class SET relpages = 100000, reltuples = 2e7 WHERE oid = 't'::regclass"),
        case("kept empty by fillfactor", "CREATE TABLE t WITH (fillfactor = 20) AS SELECT i AS a FROM generate_series(1, 1000) i; ANALYZE t; UPDATE pg_class SET relpages = 100000, reltuples = 4e6 WHERE oid = 't'::regclass"),
        case("never analyzed", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 1000) i; UPDATE pg_class SET relpages = 100000, reltuples = 1000 WHERE oid = 't'::regclass"),
        case("a column without statistics", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 1000) i; ANALYZE t; ALTER TABLE t ADD b text; UPDATE pg_class SET relpages = 100000 WHERE oid = 't'::regclass"),
    ],
};

const PAGE: f64 = 8192.0;

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = &c.statistics else { return };
    for t in c.tables() {
        let heaps = heaps(c, t);
        let known: Vec<(&Relation, f64)> =
            heaps.into_iter().filter_map(|r| Some((r, wasted(s, r)?))).collect();
        if known.is_empty() {
            continue;
        }
        out.examine(&t.schema);
        let is_bloated = |r: &Relation, wasted: f64| {
            wasted >= c.param(&RULE, "mb") * MB && wasted >= c.param(&RULE, "percent") / 100.0 * bytes(r)
        };
        let bloated: Vec<&(&Relation, f64)> = known.iter().filter(|(r, w)| is_bloated(r, *w)).collect();
        if bloated.is_empty() {
            continue;
        }
        let tables: Vec<&Relation> = bloated.iter().map(|(r, _)| *r).collect();
        let total: f64 = tables.iter().map(|r| bytes(r)).sum();
        let empty: f64 = bloated.iter().map(|(_, w)| w).sum();
        let message =
            format!("about {} of {} is empty space in {}", size(empty), size(total), which(t, &tables));
        let found = Finding::new(t.object(), message).confidence(0.5);
        out.find(found.evidence("estimated_bytes", empty.round()).evidence("tables", list(&tables)));
    }
}

/// Pages that the rows would not need, in bytes. None: nobody knows how wide a row is.
fn wasted(s: &Statistics, r: &Relation) -> Option<f64> {
    let width = s.widths.get(&r.oid)?;
    if width.columns as usize != r.attributes.len() || r.tuples <= 0.0 {
        return None;
    }
    let aligned = |bytes: f64| (bytes / 8.0).ceil() * 8.0;
    let nulls = if width.nulls { (r.attributes.len() as f64 / 8.0).ceil() } else { 0.0 };
    // every column may need bytes to be aligned: four on average rather than too few
    let row = 4.0 + aligned(23.0 + nulls) + aligned(width.bytes + 4.0 * r.attributes.len() as f64);
    let fill = r.options.iter().find_map(|o| o.strip_prefix("fillfactor=")?.parse::<f64>().ok());
    let room = (PAGE - 24.0) * fill.unwrap_or(100.0) / 100.0;
    let needed = (r.tuples / (room / row).floor().max(1.0)).ceil() * PAGE;
    Some((bytes(r) - needed).max(0.0))
}
