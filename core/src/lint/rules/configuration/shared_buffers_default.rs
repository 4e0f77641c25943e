use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::configuration::setting_object;
use crate::lint::rules::counters::{size, GB, MB};

pub static RULE: Rule = Rule {
    code: "CFG001",
    name: "shared_buffers_default",
    category: Category::Configuration,
    severity: Severity::Warning,
    title: "shared_buffers was left at its default of 128 MB",
    why:
        "That is a value for any machine at all. The rule speaks where the database is larger than 1 GB, by \
          what VACUUM last saw of it, and the machine (or container) has at least 1 GB of memory, if the \
          server can tell.",
    bad: "shared_buffers = 128MB -- a database of 80 GB, 64 GB of memory",
    good: "shared_buffers = 16GB",
    remedy: "about a quarter of memory, in postgresql.conf; it takes a restart",
    peers: "pgFirstAid, pg-advisor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "gigabytes", default: 1.0, about: "gigabytes from which a database is large" }],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    let Some(buffers) = cluster.bytes("shared_buffers") else { return };
    out.examine("");
    let database = cluster.database_bytes as f64;
    let room = cluster.memory.is_none_or(|m| m as f64 >= GB);
    if buffers <= 128.0 * MB && database > c.param(&RULE, "gigabytes") * GB && room {
        let memory = cluster.memory.map(|m| format!(" and {} of memory", size(m as f64))).unwrap_or_default();
        let message =
            format!("shared_buffers is {} for a database of {}{memory}", size(buffers), size(database));
        let found = Finding::new(setting_object("shared_buffers"), message).confidence(0.7);
        out.find(found.evidence("setting", "shared_buffers"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::Cluster;
    use crate::lint::rules::counters::tests::{said, server, setting};

    fn speaks(pages: &str, database: f64, memory: Option<f64>) -> bool {
        let cluster = Cluster {
            settings: [("shared_buffers".to_owned(), setting(pages, Some("8kB"), "default"))].into(),
            database_bytes: (database * GB) as i64,
            memory: memory.map(|m| (m * GB) as i64),
            ..Cluster::default()
        };
        !said(&RULE, &server(cluster)).0.is_empty()
    }

    #[test]
    fn only_for_large_databases() {
        assert!(speaks("16384", 8.0, None) && speaks("16384", 8.0, Some(64.0)));
        assert!(!speaks("16384", 0.5, Some(64.0)), "small database");
        assert!(!speaks("131072", 8.0, Some(64.0)), "1 GB");
        assert!(!speaks("16384", 8.0, Some(0.5)), "small machine");
    }
}
