use crate::lint::catalog::{Catalog, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::count;

pub static RULE: Rule = Rule {
    code: "MNT003",
    name: "autovacuum_disabled",
    category: Category::Maintenance,
    severity: Severity::Error,
    title: "Autovacuum is switched off",
    why: "Dead rows are never reclaimed and statistics never renewed: the table grows, plans go \
          wrong, and one day the server freezes it by force. Partitions are told with the table \
          they belong to; the settings autovacuum and track_counts once for the server.",
    bad: "CREATE TABLE orders (id bigint) WITH (autovacuum_enabled = off);",
    good: "ALTER TABLE orders RESET (autovacuum_enabled);",
    remedy: "RESET the option; if a bulk load needed it, reset it afterwards and ANALYZE",
    peers: "pg-advisor, check_pgactivity, pgdoctor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("table", "CREATE TABLE t (a int) WITH (autovacuum_enabled = off)"),
        case("spelled otherwise, quoted", r#"CREATE TABLE "T.t" (a int) WITH (fillfactor = 90, autovacuum_enabled = 'F')"#),
        case("partition", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT WITH (autovacuum_enabled = 0)"),
        case("materialized view", "CREATE MATERIALIZED VIEW v WITH (autovacuum_enabled = false) AS SELECT 1 AS a"),
    ],
    silent: &[
        case("default", "CREATE TABLE t (a int)"),
        case("on by name", "CREATE TABLE t (a int) WITH (autovacuum_enabled = on, autovacuum_vacuum_threshold = 500)"),
        case("reset", "CREATE TABLE t (a int) WITH (autovacuum_enabled = off); ALTER TABLE t RESET (autovacuum_enabled)"),
        case("only its toast table", "CREATE TABLE t (a text) WITH (toast.autovacuum_enabled = off)"),
        case("temporary", "CREATE TEMP TABLE t (a int) WITH (autovacuum_enabled = off)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for name in ["autovacuum", "track_counts"] {
        if c.setting(name) == Some("off") {
            let message = format!("setting {name} is off: no table is vacuumed or analyzed by itself");
            let mut found = Finding::new(Object::database(&c.database), message).evidence("setting", name);
            found.key = name.to_owned();
            out.find(found);
        }
    }
    let kept = |r: &&Relation| {
        matches!(
            r.kind,
            RelationKind::Table | RelationKind::PartitionedTable | RelationKind::MaterializedView
        )
    };
    for t in c.linted_relations().filter(kept) {
        out.examine(&t.schema);
        let mut off = Vec::new();
        switched_off(c, t, &mut off);
        if off.is_empty() {
            continue;
        }
        let sql: Vec<String> = off.iter().map(|p| reset(p)).collect();
        let message = match t.kind {
            RelationKind::PartitionedTable => {
                format!("autovacuum is off for {} of {}", count(off.len(), "partition"), t.sql_name())
            }
            _ => format!("autovacuum is off for {}", t.sql_name()),
        };
        out.find(Finding::new(t.object(), message).fix(Fix::new(sql.join("\n"), Safety::BriefLock)));
    }
}

/// The relation itself and all that is below it.
fn switched_off<'c>(c: &'c Catalog, r: &'c Relation, off: &mut Vec<&'c Relation>) {
    let is_off = |o: &String| {
        o.strip_prefix("autovacuum_enabled=").is_some_and(|v| {
            let v = v.to_ascii_lowercase();
            // As parse_bool of the server: any beginning of the word that is not ambiguous.
            v == "0"
                || v == "of"
                || v == "off"
                || (!v.is_empty() && ("false".starts_with(&v) || "no".starts_with(&v)))
        })
    };
    if r.options.iter().any(is_off) {
        off.push(r);
    }
    for p in c.partitions_of(r.oid) {
        switched_off(c, p, off);
    }
}

fn reset(r: &Relation) -> String {
    let what = if r.kind == RelationKind::MaterializedView { "MATERIALIZED VIEW" } else { "TABLE" };
    format!("ALTER {what} {} RESET (autovacuum_enabled);", r.sql_name())
}
