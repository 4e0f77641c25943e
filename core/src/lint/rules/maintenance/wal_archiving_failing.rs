use crate::lint::catalog::statistics::days;
use crate::lint::catalog::{Catalog, Cluster};
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, span};

pub static RULE: Rule = Rule {
    code: "MNT016",
    name: "wal_archiving_failing",
    category: Category::Maintenance,
    severity: Severity::Error,
    title: "WAL cannot be archived",
    why:
        "What was written since the last archived file cannot be restored, and WAL is kept until the disk is \
          full and the server stops. One failure is retried and may be over in a minute: the last try must \
          have failed, and nothing have been archived for a quarter of an hour. That nothing is archived at \
          all is not judged: there are other backups.",
    bad: "-- pg_stat_archiver: failed_count = 812, last_archived_time = yesterday",
    good: "-- archive_command works again: last_archived_time is after last_failed_time",
    remedy: "see the server's log for what archive_command said, mend it, watch pg_stat_archiver",
    peers: "check_postgres, check_pgactivity, pgEdge G02",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "minutes", default: 15.0, about: "minutes since the last archived file" }],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    if !archives(cluster) {
        return;
    }
    out.examine("");
    let a = &cluster.archiver;
    let Some(failed) = a.last_failed.filter(|failed| a.last_archived.is_none_or(|at| at < *failed)) else {
        return;
    };
    // tried again every minute: who has not failed for a day does not try any more
    let since = a.last_archived.map(|at| days(at, c.now));
    let minutes = c.param(&RULE, "minutes");
    if since.is_some_and(|d| d * 1440.0 < minutes) || days(failed, c.now) > 1.0 {
        return;
    }
    let last = since.map_or("nothing was archived yet".to_owned(), |d| {
        format!("the last file that was is {} old", span(d))
    });
    let file = a.failed_file.as_deref().unwrap_or("a file");
    let found = about_database(c, "archiver", format!("WAL file {file} could not be archived; {last}"));
    out.find(found.evidence("failed", a.failed));
}

fn archives(cluster: &Cluster) -> bool {
    match cluster.value("archive_mode") {
        Some("always") => true,
        Some("on") => !cluster.standby,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::bounds::DAY;
    use crate::lint::catalog::cluster::Archiver;
    use crate::lint::catalog::Facts;
    use crate::lint::rules::counters::tests::{said, setting};

    const NOW: i64 = 20_000 * DAY;

    fn speaks(mode: &str, last_archived: Option<i64>, last_failed: Option<i64>) -> bool {
        let at = |minutes: i64| NOW - minutes * DAY / 1440;
        let archiver = Archiver {
            failed: 3,
            last_archived: last_archived.map(at),
            last_failed: last_failed.map(at),
            failed_file: None,
        };
        let settings = [("archive_mode".to_owned(), setting(mode, None, "default"))].into();
        let cluster = Some(Cluster { archiver, settings, ..Cluster::default() });
        let c = Catalog::new(Facts { now: NOW, cluster, ..Facts::default() }, None);
        !said(&RULE, &c).0.is_empty()
    }

    #[test]
    fn only_what_fails_now() {
        assert!(speaks("on", Some(60), Some(1)) && speaks("always", None, Some(2)));
        assert!(!speaks("off", Some(60), Some(1)), "archiving is off");
        assert!(!speaks("on", Some(1), Some(2)), "it worked again");
        assert!(!speaks("on", Some(5), Some(1)), "one failure");
        assert!(!speaks("on", Some(9000), Some(8000)), "nobody tries any more");
        assert!(!speaks("on", Some(60), None));
    }
}
