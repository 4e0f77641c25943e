use crate::lint::catalog::{Catalog, Cluster};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::configuration::setting_object;
use crate::lint::rules::counters::{size, span, GB, MB};

pub static RULE: Rule = Rule {
    code: "CFG007",
    name: "autovacuum_globally_weak",
    category: Category::Configuration,
    severity: Severity::Warning,
    title: "Autovacuum is held too short for a database of this size",
    why: "All its workers together may write so many pages, then they sleep: settings of a time of slower disks \
          let them fall behind for ever. The rule reckons how long they would need to write the database once, \
          from 100 GB on, and wants more than a day. It also tells of a scale factor of a half or more, and of \
          workers that start less than hourly. That autovacuum is off is MNT003's.",
    bad: "autovacuum_vacuum_cost_delay = 20ms -- 4 MB/s, for 2 TB",
    good: "autovacuum_vacuum_cost_limit = 2000, autovacuum_vacuum_cost_delay = 2ms",
    remedy: "ALTER SYSTEM SET autovacuum_vacuum_cost_limit = 2000, then pg_reload_conf()",
    peers: "pg-advisor, pgdoctor, check_pgactivity autovacuum",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[
        Param { name: "hours", default: 24.0, about: "hours to write the database once" },
        Param { name: "gigabytes", default: 100.0, about: "gigabytes from which a database is large" },
    ],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    let mut tell = |name: &str, message: String| {
        out.find(Finding::new(setting_object(name), message).confidence(0.7).evidence("setting", name));
    };
    let database = cluster.database_bytes as f64;
    if let Some(rate) = bytes_a_second(cluster).filter(|_| database >= c.param(&RULE, "gigabytes") * GB) {
        let hours = database / rate / 3600.0;
        if hours > c.param(&RULE, "hours") {
            let message = format!(
                "autovacuum may write {:.0} MB a second: it needs {} for {}",
                rate / MB,
                span(hours / 24.0),
                size(database)
            );
            tell("autovacuum_vacuum_cost_limit", message);
        }
    }
    if let Some(share) = cluster.number("autovacuum_vacuum_scale_factor").filter(|s| *s >= 0.5) {
        let message = format!("autovacuum waits until {:.0} % of a table are dead", share * 100.0);
        tell("autovacuum_vacuum_scale_factor", message);
    }
    if let Some(nap) = cluster.number("autovacuum_naptime").filter(|seconds| *seconds >= 3600.0) {
        tell(
            "autovacuum_naptime",
            format!("autovacuum looks at a database every {} only", span(nap / 86_400.0)),
        );
    }
    for _ in 0..3 {
        out.examine("");
    }
}

/// All workers share one allowance. None: they are not slowed down.
fn bytes_a_second(cluster: &Cluster) -> Option<f64> {
    let or = |name, other| cluster.number(name).filter(|n| *n >= 0.0).or_else(|| cluster.number(other));
    let limit = or("autovacuum_vacuum_cost_limit", "vacuum_cost_limit").filter(|l| *l > 0.0)?;
    let delay = or("autovacuum_vacuum_cost_delay", "vacuum_cost_delay").filter(|ms| *ms > 0.0)?;
    let page = cluster.number("vacuum_cost_page_dirty").filter(|p| *p > 0.0)?;
    Some(limit / page * 8192.0 * 1000.0 / delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::rules::counters::tests::{said, server, setting};

    fn names(own: &[(&str, &str)], gigabytes: i64) -> Vec<String> {
        let defaults = [
            ("autovacuum_vacuum_cost_limit", "-1"),
            ("vacuum_cost_limit", "200"),
            ("autovacuum_vacuum_cost_delay", "2"),
            ("vacuum_cost_page_dirty", "20"),
            ("autovacuum_vacuum_scale_factor", "0.2"),
            ("autovacuum_naptime", "60"),
        ];
        let settings =
            defaults.iter().chain(own).map(|(n, v)| ((*n).to_owned(), setting(v, None, "default")));
        let cluster =
            Cluster { settings: settings.collect(), database_bytes: gigabytes << 30, ..Cluster::default() };
        said(&RULE, &server(cluster)).0.into_iter().map(|f| f.object.identity).collect()
    }

    #[test]
    fn rates() {
        assert!(names(&[], 500).is_empty(), "39 MB/s");
        assert_eq!(names(&[("autovacuum_vacuum_cost_delay", "20")], 500), ["autovacuum_vacuum_cost_limit"]);
        assert!(names(&[("autovacuum_vacuum_cost_delay", "20")], 50).is_empty(), "small");
        assert!(names(&[("autovacuum_vacuum_cost_delay", "0")], 50_000).is_empty(), "at full speed");
        assert!(names(&[("autovacuum_vacuum_cost_limit", "2000")], 9000).is_empty());
        assert_eq!(names(&[], 9000), ["autovacuum_vacuum_cost_limit"]);
        assert_eq!(
            names(&[("autovacuum_vacuum_scale_factor", "0.5"), ("autovacuum_naptime", "3600")], 1),
            ["autovacuum_vacuum_scale_factor", "autovacuum_naptime"]
        );
    }
}
