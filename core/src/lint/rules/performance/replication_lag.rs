use crate::lint::catalog::cluster::Sender;
use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Object, Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, seen, size, span_seconds, MB};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "PRF015",
    name: "replication_lag",
    category: Category::Performance,
    severity: Severity::Warning,
    title: "Standby or subscriber is far behind",
    why: "Readers there see old rows, and what it lacks is lost if this server is. Half a minute or 1 GB of WAL; \
          one that is delayed on purpose (recovery_min_apply_delay) is told too, for the primary cannot know.",
    bad: "-- pg_stat_replication: replay_lag = 00:04:12",
    good: "-- replay_lag = 00:00:00.02",
    remedy: "look at its disks, the network, and queries there that stop replay (max_standby_streaming_delay); for a subscriber at long transactions",
    peers: "pghero, check_postgres, check_pgactivity, pgdoctor, pganalyze",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[
        Param { name: "seconds", default: 30.0, about: "seconds behind" },
        Param { name: "mb", default: 1024.0, about: "megabytes of WAL behind" },
    ],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = seen(c, out) else { return };
    let (seconds, bytes) = (c.param(&RULE, "seconds"), c.param(&RULE, "mb") * MB);
    if cluster.standby {
        out.examine("");
        if let Some(delay) = cluster.replay_delay.filter(|d| *d >= seconds) {
            let message = format!("this standby is {} behind", span_seconds(delay));
            out.find(about_database(c, "standby", message).evidence("seconds", delay.floor()));
        }
    }
    let behind = |s: &Sender| s.lag.unwrap_or(0.0) >= seconds || s.lag_bytes.unwrap_or(0) as f64 >= bytes;
    let mut told = std::collections::BTreeSet::new();
    for s in cluster.senders.iter().filter(|s| s.state == "streaming" || s.state == "catchup") {
        out.examine("");
        // several may go by one name
        if behind(s) && told.insert(&s.name) {
            let object = Object { kind: "standby", schema: String::new(), identity: ident(&s.name), oid: 0 };
            let mut lag = size(s.lag_bytes.unwrap_or(0) as f64);
            if let Some(seconds) = s.lag {
                lag = format!("{} and {lag}", span_seconds(seconds));
            }
            let found = Finding::new(object, format!("{} is {lag} of WAL behind", ident(&s.name)));
            out.find(found.evidence("seconds", s.lag).evidence("bytes", s.lag_bytes).confidence(0.8));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::Cluster;
    use crate::lint::rules::counters::tests::{said, server};

    fn messages(cluster: Cluster) -> Vec<String> {
        said(&RULE, &server(Cluster { sees_all: true, ..cluster })).0.into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn lags() {
        let sender = |state: &str, lag, lag_bytes| Sender {
            name: "s1".into(),
            state: state.into(),
            lag,
            lag_bytes,
            ..Sender::default()
        };
        let of = |senders| messages(Cluster { senders, ..Cluster::default() });
        assert!(of(vec![sender("streaming", Some(2.0), Some(1 << 20)), sender("streaming", None, Some(0))])
            .is_empty());
        assert!(of(vec![sender("backup", None, Some(1 << 40))]).is_empty(), "a base backup");
        assert_eq!(
            of(vec![sender("streaming", Some(130.0), Some(1 << 20)), sender("catchup", None, Some(1 << 40))]),
            ["s1 is 2 minutes and 1 MB of WAL behind"]
        );
        let standby = |replay_delay| messages(Cluster { standby: true, replay_delay, ..Cluster::default() });
        assert_eq!(standby(Some(300.0)), ["this standby is 5 minutes behind"]);
        assert!(standby(None).is_empty() && standby(Some(3.0)).is_empty());
    }
}
