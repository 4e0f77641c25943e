use crate::lint::catalog::{Catalog, Relation, Statistics};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{heaps, limit, list, of, rows, span, which, window};

pub static RULE: Rule = Rule {
    code: "MNT004",
    name: "never_vacuumed",
    category: Category::Maintenance,
    severity: Severity::Warning,
    title: "Table was written a lot and never vacuumed",
    why: "Dead rows stay, index-only scans read the table all the same, and freezing waits until it has to be \
          done by force. Changes are more than twice what should have called autovacuum, by the table's own \
          settings, and the counters are days old: a database restored a while ago is not meant.",
    bad: "-- last_vacuum and last_autovacuum are NULL, 3,000,000 rows updated",
    good: "VACUUM (ANALYZE) orders;",
    remedy: "VACUUM (ANALYZE); then see whether autovacuum is off for it (MNT003) or never gets there (CFG007)",
    peers: "check_postgres last_vacuum, pg-advisor, pgFirstAid",
    hides: &["MNT002"],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "days", default: 7.0, about: "days that the counters must cover" },
        Param { name: "rows", default: 10_000.0, about: "rows from which a table is looked at" },
    ],
    recommended: true,
    check,
    fires: &[
        case("updated", "SELECT dbguard.lint_configure('MNT004', params => '{\"days\": 0}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 12000) i; ANALYZE t; UPDATE t SET a = a + 1; SELECT pg_stat_force_next_flush()"),
        case("only inserted, quoted partition", r#"SELECT dbguard.lint_configure('MNT004', params => '{"days": 0}'); CREATE TABLE "T.t" (a int) PARTITION BY LIST (a); CREATE TABLE "T.1" PARTITION OF "T.t" DEFAULT; INSERT INTO "T.t" SELECT generate_series(1, 12000); SELECT pg_stat_force_next_flush()"#),
    ],
    silent: &[
        case("minutes old", "CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 12000) i; UPDATE t SET a = a + 1; SELECT pg_stat_force_next_flush()"),
        case("its own threshold is far", "SELECT dbguard.lint_configure('MNT004', params => '{\"days\": 0}'); CREATE TABLE t WITH (autovacuum_vacuum_insert_threshold = 50000) AS SELECT i AS a FROM generate_series(1, 12000) i; SELECT pg_stat_force_next_flush()"),
        case("few changes", "SELECT dbguard.lint_configure('MNT004', params => '{\"days\": 0}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 2000) i; UPDATE t SET a = 0 WHERE a < 100; UPDATE pg_class SET reltuples = 1e6 WHERE oid = 't'::regclass; SELECT pg_stat_force_next_flush()"),
        case("few rows", "SELECT dbguard.lint_configure('MNT004', params => '{\"days\": 0}'); CREATE TABLE t AS SELECT i AS a FROM generate_series(1, 9000) i; UPDATE t SET a = a + 1; SELECT pg_stat_force_next_flush()"),
        case("temporary", "SELECT dbguard.lint_configure('MNT004', params => '{\"days\": 0}'); CREATE TEMP TABLE t AS SELECT i AS a FROM generate_series(1, 12000) i; UPDATE t SET a = a + 1; SELECT pg_stat_force_next_flush()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = window(c, &RULE, out) else { return };
    for t in c.tables() {
        let mut large = heaps(c, t);
        large.retain(|r| of(s, r).is_some_and(|n| rows(r, n) >= c.param(&RULE, "rows")));
        if large.is_empty() {
            continue;
        }
        out.examine(&t.schema);
        large.retain(|r| is_waiting(s, r));
        if large.is_empty() {
            continue;
        }
        let age = span(s.days(c.now));
        let message = format!("not vacuumed for {age}, and written: {}", which(t, &large));
        let fix = Fix::new(format!("VACUUM (ANALYZE) {};", list(&large)), Safety::Online);
        out.find(Finding::new(t.object(), message).confidence(0.8).fix(fix));
    }
}

fn is_waiting(s: &Statistics, r: &Relation) -> bool {
    let Some(n) = of(s, r).filter(|n| n.last_vacuum.is_none()) else { return false };
    let limits = &s.autovacuum;
    (n.updated + n.deleted) as f64 >= 2.0 * limit(r, "vacuum", limits.vacuum)
        || inserts_matter(limits.insert)
            && n.inserted_since_vacuum as f64 >= 2.0 * limit(r, "vacuum_insert", limits.insert)
}

/// A threshold of -1 says that inserts alone call nobody.
fn inserts_matter((threshold, _): (f64, f64)) -> bool {
    threshold >= 0.0
}
