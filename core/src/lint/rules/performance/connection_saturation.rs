use crate::lint::catalog::{Catalog, Cluster};
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, seen};

pub static RULE: Rule = Rule {
    code: "PRF011",
    name: "connection_saturation",
    category: Category::Performance,
    severity: Severity::Error,
    title: "Nearly all connections are taken",
    why: "The next client is refused: \"sorry, too many clients already\". Connections reserved for superusers \
          are not counted. Warning from 80 % of the rest, error from 95 %.",
    bad: "-- 95 of 97 connections, most of them idle",
    good: "-- a pooler (PgBouncer) in front: 20 connections, all busy",
    remedy: "a pooler or smaller pools; raise max_connections last, each connection takes memory",
    peers: "pghero, check_postgres, check_pgactivity, pgFirstAid, pg-advisor, pgdoctor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "percent", default: 80.0, about: "percent of the connections clients may have" }],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = seen(c, out) else { return };
    let Some(most) = available(cluster).filter(|most| *most > 0.0) else { return };
    out.examine("");
    // the session that asks is not in the list
    let used = cluster.sessions.len() + 1;
    let percent = used as f64 / most * 100.0;
    if percent >= c.param(&RULE, "percent") {
        let idle = cluster.sessions.iter().filter(|s| s.state == "idle").count();
        let message = format!("{used} of {most} connections are taken, {idle} of them idle");
        let severity = if percent >= 95.0 { Severity::Error } else { Severity::Warning };
        let found = about_database(c, "connections", message).severity(severity);
        out.find(found.evidence("used", used).evidence("available", most).evidence("idle", idle));
    }
}

/// Connections that are not reserved.
fn available(cluster: &Cluster) -> Option<f64> {
    let reserved = |name| cluster.number(name).unwrap_or(0.0);
    let most = cluster.number("max_connections")?;
    Some(most - reserved("superuser_reserved_connections") - reserved("reserved_connections"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::cluster::Session;
    use crate::lint::rules::counters::tests::{said, server, setting};

    fn with(sessions: usize, sees_all: bool) -> (Vec<Severity>, usize) {
        let settings = [("max_connections", "103"), ("superuser_reserved_connections", "3")];
        let settings = settings.map(|(n, v)| (n.to_owned(), setting(v, None, "default"))).into();
        let sessions = vec![Session::default(); sessions];
        let (found, skipped) =
            said(&RULE, &server(Cluster { settings, sessions, sees_all, ..Cluster::default() }));
        (found.into_iter().filter_map(|f| f.severity).collect(), skipped)
    }

    #[test]
    fn shares() {
        assert_eq!(with(78, true), (vec![], 0));
        assert_eq!(with(79, true), (vec![Severity::Warning], 0));
        assert_eq!(with(97, true), (vec![Severity::Error], 0));
        assert_eq!(with(97, false), (vec![], 1), "no right to look");
    }
}
