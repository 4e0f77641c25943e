use crate::lint::catalog::{statistics::days, Catalog, Index, Oid, Relation, RelationKind, Statistics};
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{heaps, index_use, of, size, span, window, Use, MB};
use std::collections::HashMap;

pub static RULE: Rule = Rule {
    code: "IDX005",
    name: "unused_index",
    category: Category::Indexes,
    severity: Severity::Warning,
    title: "No query has used the index",
    why: "Every write maintains it, VACUUM reads it, and it takes room in memory and backups. Left alone: \
          what enforces a constraint or uniqueness, the only index of a foreign key, expressions (ANALYZE \
          learns from them), small indexes, and tables that nobody used at all. A standby counts its own \
          scans: where there is one, look there first. The server does not say when an index was made, so \
          a new one may be among them.",
    bad: "CREATE INDEX ON orders (note); -- idx_scan = 0 for months",
    good: "DROP INDEX CONCURRENTLY orders_note_idx;",
    remedy: "DROP INDEX CONCURRENTLY, after a look at the counters of every standby; keep its definition",
    peers: "splinter 0005, pglinter B004, pg-index-health, pghero, pgFirstAid, pgassistant, pgdoctor, pg-advisor, check_pgactivity, pganalyze",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "days", default: 30.0, about: "days that the counters must cover" },
        Param { name: "mb", default: 10.0, about: "megabytes from which an index is looked at" },
    ],
    recommended: true,
    check,
    fires: &[
        case("never scanned", "SELECT dbguard.lint_configure('IDX005', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b); INSERT INTO t VALUES (1); SELECT pg_stat_force_next_flush()"),
        case("partial, quoted", r#"SELECT dbguard.lint_configure('IDX005', params => '{"days": 0, "mb": 0}'); CREATE TABLE "T.t" (a int, "B" int); CREATE INDEX "I ""i" ON "T.t" ("B") WHERE a > 3; INSERT INTO "T.t" VALUES (1); SELECT pg_stat_force_next_flush()"#),
        case("partitioned, told once", "SELECT dbguard.lint_configure('IDX005', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t (a int, b int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t DEFAULT; CREATE INDEX i ON t (b); INSERT INTO t VALUES (1), (2); SELECT pg_stat_force_next_flush()"),
    ],
    silent: &[
        case("minutes old", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b); INSERT INTO t VALUES (1); SELECT pg_stat_force_next_flush()"),
        case("scanned", "SELECT dbguard.lint_configure('IDX005', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b); INSERT INTO t VALUES (1); SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT * FROM t WHERE b = 1; SELECT pg_stat_force_next_flush()"),
        case("one partition scanned", "SELECT dbguard.lint_configure('IDX005', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t (a int, b int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t DEFAULT; CREATE INDEX i ON t (b); INSERT INTO t VALUES (1), (2); SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT * FROM t1 WHERE b = 1; SELECT pg_stat_force_next_flush()"),
        case("unique, exclusion, expression", "SELECT dbguard.lint_configure('IDX005', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE, c int4range, EXCLUDE USING gist (c WITH &&)); CREATE UNIQUE INDEX ON t (b, a); CREATE INDEX ON t ((a + b)); INSERT INTO t VALUES (1, 1); SELECT pg_stat_force_next_flush()"),
        case("of a foreign key", "SELECT dbguard.lint_configure('IDX005', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE p (a int PRIMARY KEY); INSERT INTO p VALUES (1); CREATE TABLE t (a int, b int REFERENCES p); CREATE INDEX i ON t (b); INSERT INTO t VALUES (1, 1); SELECT pg_stat_force_next_flush()"),
        case("nobody uses the table", "SELECT dbguard.lint_configure('IDX005', params => '{\"days\": 0, \"mb\": 0}'); CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b)"),
        case("small", "SELECT dbguard.lint_configure('IDX005', params => '{\"days\": 0}'); CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b); INSERT INTO t VALUES (1); SELECT pg_stat_force_next_flush()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = window(c, &RULE, out) else { return };
    if s.standby {
        let reason = "this is a standby: what the primary uses is counted there";
        out.skip(Object::database(&c.database), reason);
        return;
    }
    let (uses, by_index, wanted) = (index_use(s), s.index_scans(), c.param(&RULE, "days"));
    for t in c.tables().filter(|t| is_used(c, s, t, &by_index)) {
        for i in t.indexes.iter().filter(|i| droppable(t, i)) {
            let Some(u) = uses.get(&i.oid) else { continue };
            let bytes = u.pages as f64 * 8192.0;
            if bytes < c.param(&RULE, "mb") * MB {
                continue;
            }
            out.examine(&t.schema);
            let idle = |last| wanted > 0.0 && days(last, c.now) >= wanted;
            if u.scans == 0 || u.last.is_some_and(idle) {
                out.find(finding(c, s, t, i, u, bytes));
            }
        }
    }
}

fn finding(c: &Catalog, s: &Statistics, t: &Relation, i: &Index, u: &Use, bytes: f64) -> Finding {
    let days = u.last.map_or(s.days(c.now), |last| days(last, c.now));
    let mut message = format!(
        "index {} of {} ({}) was not used for {}",
        i.sql_name(),
        t.sql_name(),
        size(bytes),
        span(days)
    );
    if s.standbys > 0 {
        message.push_str("; standbys may use it, they count for themselves");
    }
    let how = if t.kind == RelationKind::PartitionedTable { "" } else { " CONCURRENTLY" };
    Finding::new(i.object(), message)
        .confidence(if s.standbys > 0 { 0.4 } else { 0.7 })
        .evidence("bytes", bytes)
        .evidence("days", days.floor())
        .evidence("standbys", s.standbys)
        .fix(Fix::new(format!("DROP INDEX{how} {};", i.sql_name()), Safety::Review))
}

/// Written, or read by another index: to build one counts as a scan of the table.
fn is_used(c: &Catalog, s: &Statistics, t: &Relation, by_index: &HashMap<Oid, i64>) -> bool {
    let used = |r: &Relation| {
        let written = of(s, r).is_some_and(|n| n.inserted + n.updated + n.deleted > 0);
        written || by_index.get(&r.oid).is_some_and(|scans| *scans > 0)
    };
    heaps(c, t).into_iter().any(used)
}

/// Nothing but the speed of queries hangs on it.
fn droppable(t: &Relation, i: &Index) -> bool {
    let serves =
        i.unique || i.primary || i.constraint.is_some() || i.referenced || i.replica_identity || i.clustered;
    let expression = i.keys.iter().any(|k| k.attnum == 0);
    let key =
        |columns: &[i16]| leads(i, columns) && !t.indexes.iter().any(|o| o.oid != i.oid && leads(o, columns));
    let of_a_key = t.constraints.iter().any(|k| k.kind == 'f' && key(&k.columns));
    !serves && !expression && !of_a_key && i.valid && i.ready
}

fn leads(i: &Index, columns: &[i16]) -> bool {
    let lead = i.keys.get(..columns.len());
    i.valid && lead.is_some_and(|keys| columns.iter().all(|n| keys.iter().any(|k| k.attnum == *n)))
}
