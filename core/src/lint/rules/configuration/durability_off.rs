use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{Category, Rollup, Rule, Section};
use crate::lint::rules::configuration::setting_object;

pub static RULE: Rule = Rule {
    code: "CFG006",
    name: "durability_off",
    category: Category::Configuration,
    severity: Severity::Error,
    title: "The server does not wait until what it commits is on disk",
    why: "fsync off: after a crash of the machine the whole cluster may be broken beyond repair. \
          full_page_writes off: pages written by half are not mended, unless the file system never tears \
          them (ZFS). synchronous_commit off, for all: the last commits are lost, though the client was told \
          that they were done; it is set for single transactions instead.",
    bad: "fsync = off",
    good: "fsync = on",
    remedy: "set it back in postgresql.conf or by ALTER SYSTEM, and reload; then CHECKPOINT and sync",
    peers: "pg-advisor, pganalyze",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    let settings = [
        ("fsync", Severity::Error, 1.0, "a crash of the machine may break the whole cluster"),
        ("full_page_writes", Severity::Error, 0.8, "a crash may leave pages written by half"),
        ("synchronous_commit", Severity::Warning, 0.8, "a crash loses the last commits"),
    ];
    for (name, severity, confidence, what) in settings {
        out.examine("");
        // a role's or session's own synchronous_commit is its own matter
        if cluster.is(name, "off") {
            let found = Finding::new(setting_object(name), format!("{name} is off: {what}"));
            out.find(found.severity(severity).confidence(confidence).evidence("setting", name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::Cluster;
    use crate::lint::rules::counters::tests::{said, server, setting};

    fn names(settings: &[(&str, &str, &str)]) -> Vec<String> {
        let settings =
            settings.iter().map(|(n, v, source)| ((*n).to_owned(), setting(v, None, source))).collect();
        let found = said(&RULE, &server(Cluster { settings, ..Cluster::default() })).0;
        found.into_iter().map(|f| f.object.identity).collect()
    }

    #[test]
    fn what_is_off_for_all() {
        assert_eq!(
            names(&[("fsync", "off", "configuration file"), ("full_page_writes", "on", "default")]),
            ["fsync"]
        );
        assert_eq!(names(&[("synchronous_commit", "off", "command line")]), ["synchronous_commit"]);
        assert!(names(&[("synchronous_commit", "off", "session")]).is_empty());
        assert!(names(&[("synchronous_commit", "local", "configuration file")]).is_empty());
        assert!(names(&[]).is_empty());
    }
}
