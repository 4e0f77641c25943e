//! What rules about counters and about the server share.

use crate::lint::catalog::{statistics, Catalog, Cluster, Oid, Relation, RelationKind, Statistics};
use crate::lint::finding::{Finding, Object, Report};
use crate::lint::rule::Rule;
use crate::lint::text::count;

pub const MB: f64 = 1_048_576.0;
pub const GB: f64 = 1024.0 * MB;
const PAGE: f64 = 8192.0;

/// The counters, if they cover as many days as the rule wants; else it says once that they do not.
pub fn window<'c>(c: &'c Catalog, rule: &Rule, out: &mut Report) -> Option<&'c Statistics> {
    let s = c.statistics.as_ref()?;
    let wanted = c.param(rule, "days");
    if s.days(c.now) < wanted {
        let reason = format!("the counters cover {}, {} are needed", span(s.days(c.now)), span(wanted));
        out.skip(Object::database(&c.database), reason);
        return None;
    }
    Some(s)
}

/// For counters whose rate is asked: a short time must not make much of little.
pub fn days_at_least_one(c: &Catalog, s: &Statistics) -> f64 {
    s.days(c.now).max(1.0)
}

/// The server as a whole, if the role may see others' sessions; else it says once that it may not.
pub fn seen<'c>(c: &'c Catalog, out: &mut Report) -> Option<&'c Cluster> {
    let cluster = c.cluster.as_ref()?;
    if !cluster.sees_all {
        let reason = "only superusers and members of pg_read_all_stats see other roles' sessions";
        out.skip(Object::database(&c.database), reason);
        return None;
    }
    Some(cluster)
}

pub fn about_database(c: &Catalog, key: &str, message: impl Into<String>) -> Finding {
    let mut found = Finding::new(Object::database(&c.database), message);
    found.key = key.to_owned();
    found
}

/// `3 days`, `5 hours`, `12 minutes`.
pub fn span(days: f64) -> String {
    let seconds = days * 86_400.0;
    let whole = |n: f64, unit| count(n.max(0.0) as usize, unit);
    match seconds {
        s if s >= 2.0 * 86_400.0 => whole(s / 86_400.0, "day"),
        s if s >= 2.0 * 3600.0 => whole(s / 3600.0, "hour"),
        s if s >= 120.0 => whole(s / 60.0, "minute"),
        s => whole(s, "second"),
    }
}

pub fn span_seconds(seconds: f64) -> String {
    span(seconds / 86_400.0)
}

/// `3.2 GB`, `120 MB`, `900 kB`.
pub fn size(bytes: f64) -> String {
    match bytes {
        b if b >= GB => format!("{:.1} GB", b / GB),
        b if b >= MB => format!("{:.0} MB", b / MB),
        b => format!("{:.0} kB", b / 1024.0),
    }
}

pub fn bytes(r: &Relation) -> f64 {
    r.pages.max(0) as f64 * PAGE
}

/// The tables that hold the rows: itself, or the partitions at the bottom.
pub fn heaps<'c>(c: &'c Catalog, t: &'c Relation) -> Vec<&'c Relation> {
    match t.kind {
        RelationKind::PartitionedTable => c.partitions_of(t.oid).flat_map(|p| heaps(c, p)).collect(),
        RelationKind::Table => vec![t],
        _ => vec![],
    }
}

/// `public.t`, or how many partitions of it.
pub fn which(t: &Relation, at_fault: &[&Relation]) -> String {
    match at_fault {
        [one] if one.oid == t.oid => t.sql_name(),
        [one] => format!("partition {} of {}", one.sql_name(), t.sql_name()),
        many => format!("{} of {}", count(many.len(), "partition"), t.sql_name()),
    }
}

/// VACUUM and ANALYZE take several tables in one statement.
pub fn list(tables: &[&Relation]) -> String {
    tables.iter().map(|t| t.sql_name()).collect::<Vec<_>>().join(", ")
}

/// Rows, by the counters or by the planner's estimate, whichever knows of more.
pub fn rows(r: &Relation, counters: &statistics::TableCounters) -> f64 {
    (counters.live as f64).max(r.tuples)
}

/// So many changed rows make autovacuum come.
pub fn limit(r: &Relation, option: &str, (threshold, share): (f64, f64)) -> f64 {
    let own = |name: String| {
        let value = r.options.iter().find_map(|o| o.strip_prefix(name.as_str())?.strip_prefix('='));
        value.and_then(|v| v.parse::<f64>().ok()).filter(|v| *v >= 0.0)
    };
    let threshold = own(format!("autovacuum_{option}_threshold")).unwrap_or(threshold);
    let share = own(format!("autovacuum_{option}_scale_factor")).unwrap_or(share);
    threshold + share * r.tuples.max(0.0)
}

/// The counters of a table and of what is below it.
pub fn of<'c>(s: &'c Statistics, r: &Relation) -> Option<&'c statistics::TableCounters> {
    s.tables.get(&r.oid)
}

/// Scans of an index and of its parts on partitions; the last of them, if the server knows.
#[derive(Default)]
pub struct Use {
    pub scans: i64,
    pub pages: i64,
    pub last: Option<i64>,
}

/// By index, those of partitions added to their parents'.
pub fn index_use(s: &Statistics) -> std::collections::HashMap<Oid, Use> {
    let mut uses = std::collections::HashMap::new();
    for (oid, i) in &s.indexes {
        let mut at = Some(*oid);
        // A tree of partitions is not deep.
        for _ in 0..16 {
            let Some(now) = at else { break };
            let entry: &mut Use = uses.entry(now).or_default();
            entry.pages += i.pages;
            entry.scans += i.scans;
            entry.last = entry.last.max(i.last_scan);
            at = s.indexes.get(&now).and_then(|x| x.parent);
        }
    }
    uses
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::lint::catalog::{cluster, Facts};

    /// A catalog of nothing but a server.
    pub fn server(cluster: Cluster) -> Catalog {
        Catalog::new(Facts { database: "db".into(), cluster: Some(cluster), ..Facts::default() }, None)
    }

    pub fn setting(value: &str, unit: Option<&str>, source: &str) -> cluster::Setting {
        cluster::Setting { value: value.into(), unit: unit.map(str::to_owned), source: source.into() }
    }

    /// What a rule says of a catalog, and how often it said that it could not look.
    pub fn said(rule: &Rule, c: &Catalog) -> (Vec<Finding>, usize) {
        let mut out = Report::default();
        (rule.check)(c, &mut out);
        (out.findings, out.skipped.len())
    }

    #[test]
    fn spans_and_sizes() {
        assert_eq!(
            (span(30.0), span(1.0), span(0.01)),
            ("30 days".into(), "24 hours".into(), "14 minutes".into())
        );
        assert_eq!(
            (size(3.26 * GB), size(2.0 * MB), size(2048.0)),
            ("3.3 GB".into(), "2 MB".into(), "2 kB".into())
        );
    }

    #[test]
    fn limits_of_a_table() {
        let mut r = Relation { tuples: 1000.0, ..Relation::default() };
        assert_eq!(limit(&r, "vacuum", (50.0, 0.2)), 250.0);
        r.options =
            vec!["autovacuum_vacuum_threshold=10".into(), "autovacuum_vacuum_insert_threshold=7".into()];
        assert_eq!(limit(&r, "vacuum", (50.0, 0.2)), 210.0);
        r.tuples = -1.0;
        assert_eq!(limit(&r, "vacuum", (50.0, 0.2)), 10.0);
    }
}
