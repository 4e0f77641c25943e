use crate::lint::catalog::{Catalog, Cluster};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::configuration::setting_object;
use crate::lint::rules::counters::{size, GB};

pub static RULE: Rule = Rule {
    code: "CFG002",
    name: "work_mem_overcommit",
    category: Category::Configuration,
    severity: Severity::Warning,
    title: "If every connection used its work_mem, memory would be used up twice over",
    why: "Each sort or hash of each query may take work_mem (a hash hash_mem_multiplier times as much): then \
          the system kills the server. max_connections * work_mem * hash_mem_multiplier is held against twice \
          the memory of the machine or container; where the server cannot tell, that is taken for four times \
          shared_buffers, at least 4 GB. What is set for single roles is not counted.",
    bad: "work_mem = 256MB, max_connections = 200 -- on 16 GB",
    good: "work_mem = 16MB; ALTER ROLE reporting SET work_mem = '256MB';",
    remedy: "a smaller work_mem for all and more for the roles that need it; or fewer connections, by a pooler",
    peers: "pgFirstAid, pg-advisor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[
        Param { name: "ram_gb", default: 0.0, about: "gigabytes of memory; 0: as far as the server can tell" },
        Param { name: "times", default: 2.0, about: "how many times the memory may be promised" },
    ],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    if cluster.configured("work_mem").is_none() {
        out.skip(setting_object("work_mem"), "this session, role or database has its own work_mem");
        return;
    }
    let (Some(memory), Some(promised)) = (memory(c, cluster), promised(cluster)) else { return };
    out.examine("");
    let (bytes, confidence) = memory;
    if promised > c.param(&RULE, "times") * bytes {
        let message = format!(
            "{} connections with work_mem {} may take {} of {} of memory",
            cluster.number("max_connections").unwrap_or_default(),
            size(cluster.bytes("work_mem").unwrap_or_default()),
            size(promised),
            size(bytes)
        );
        let found = Finding::new(setting_object("work_mem"), message).confidence(confidence);
        out.find(found.evidence("setting", "work_mem"));
    }
}

fn promised(cluster: &Cluster) -> Option<f64> {
    let times = cluster.number("hash_mem_multiplier").unwrap_or(1.0).max(1.0);
    Some(cluster.bytes("work_mem")? * cluster.number("max_connections")? * times)
}

/// In bytes, and how sure that is.
fn memory(c: &Catalog, cluster: &Cluster) -> Option<(f64, f32)> {
    let told = c.param(&RULE, "ram_gb");
    if told > 0.0 {
        return Some((told * GB, 0.8));
    }
    match cluster.memory {
        Some(bytes) => Some((bytes as f64, 0.8)),
        None => Some(((4.0 * cluster.bytes("shared_buffers")?).max(4.0 * GB), 0.5)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::rules::counters::tests::{said, server, setting};

    fn speaks(mb: f64, connections: &str, memory: Option<f64>, source: &str) -> (usize, usize) {
        let kb = format!("{}", mb * 1024.0);
        let settings = [
            ("work_mem", setting(&kb, Some("kB"), source)),
            ("shared_buffers", setting("524288", Some("8kB"), "configuration file")),
            ("max_connections", setting(connections, None, "configuration file")),
            ("hash_mem_multiplier", setting("2", None, "default")),
        ];
        let settings = settings.map(|(n, s)| (n.to_owned(), s)).into();
        let memory = memory.map(|m| (m * GB) as i64);
        let (found, skipped) = said(&RULE, &server(Cluster { settings, memory, ..Cluster::default() }));
        (found.len(), skipped)
    }

    #[test]
    fn promises() {
        assert_eq!(speaks(256.0, "200", Some(16.0), "configuration file"), (1, 0));
        assert_eq!(speaks(256.0, "200", None, "configuration file"), (1, 0), "16 GB by shared_buffers");
        assert_eq!(speaks(4.0, "100", Some(1.0), "default"), (0, 0), "as it comes");
        assert_eq!(speaks(256.0, "200", Some(64.0), "configuration file"), (0, 0));
        assert_eq!(speaks(256.0, "200", Some(16.0), "session"), (0, 1));
    }
}
