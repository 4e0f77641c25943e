use crate::lint::catalog::cluster::{Cluster, Wait};
use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, seen, span_seconds};
use crate::lint::text::count;
use crate::quote::ident;
use std::collections::{BTreeSet, HashMap};

pub static RULE: Rule = Rule {
    code: "PRF014",
    name: "blocked_sessions",
    category: Category::Performance,
    severity: Severity::Error,
    title: "Sessions have been waiting for a lock",
    why: "Whoever waits holds locks too, and the queue grows behind him: an ALTER TABLE that waits stops even \
          readers. Named is who stands at its head. Waits below half a minute are left alone.",
    bad: "ALTER TABLE orders ADD x int; -- behind a transaction that forgot to commit",
    good: "SET lock_timeout = '2s'; ALTER TABLE orders ADD x int;",
    remedy: "end the session at the head of the queue (pg_terminate_backend) if nobody needs it; lock_timeout for roles that change tables",
    peers: "pghero, pgFirstAid, pg-advisor, check_postgres lockwait",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "seconds", default: 30.0, about: "seconds of waiting" }],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = seen(c, out) else { return };
    out.examine("");
    let seconds = c.param(&RULE, "seconds");
    let here = |w: &&Wait| cluster.session(w.pid).is_some_and(|s| s.here) && w.seconds >= seconds;
    let waits: Vec<&Wait> = cluster.waits.iter().filter(here).collect();
    if waits.is_empty() {
        return;
    }
    let heads = heads(cluster, &waits);
    let longest = waits.iter().map(|w| w.seconds).fold(0.0, f64::max);
    let who: Vec<String> = heads.iter().map(|pid| describe(cluster, *pid)).collect();
    let message = format!(
        "{} {} for a lock, for up to {}, behind {}",
        count(waits.len(), "session"),
        if waits.len() == 1 { "waits" } else { "wait" },
        span_seconds(longest),
        if who.is_empty() { "each other".to_owned() } else { who.join(" and ") }
    );
    let end: Vec<String> = heads.iter().map(|pid| format!("SELECT pg_terminate_backend({pid});")).collect();
    out.find(
        about_database(c, "blocked", message)
            .evidence("heads", Vec::from_iter(heads))
            .evidence("end_sql", end),
    );
}

/// Those that block and wait for nobody.
fn heads(cluster: &Cluster, waits: &[&Wait]) -> BTreeSet<i32> {
    let blockers: HashMap<i32, &[i32]> =
        cluster.waits.iter().map(|w| (w.pid, w.blockers.as_slice())).collect();
    let (mut heads, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut queue: Vec<i32> = waits.iter().map(|w| w.pid).collect();
    while let Some(pid) = queue.pop() {
        if seen.insert(pid) {
            match blockers.get(&pid) {
                Some(next) => queue.extend(next.iter()),
                None => {
                    heads.insert(pid);
                }
            }
        }
    }
    heads
}

fn describe(cluster: &Cluster, pid: i32) -> String {
    // pg_blocking_pids says 0 for a prepared transaction
    if pid == 0 {
        return "a prepared transaction".to_owned();
    }
    match cluster.session(pid) {
        Some(s) => {
            let role = s.role.as_deref().map(|r| format!(" of role {}", ident(r))).unwrap_or_default();
            format!("session {pid}{role} ({})", s.state)
        }
        None => format!("process {pid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::cluster::Session;
    use crate::lint::rules::counters::tests::{said, server};

    #[test]
    fn the_head_of_the_queue() {
        let session =
            |pid, state: &str| Session { pid, state: state.into(), here: true, ..Session::default() };
        let wait = |pid, seconds, blockers: &[i32]| Wait { pid, seconds, blockers: blockers.to_vec() };
        let cluster = |waits| Cluster {
            sees_all: true,
            sessions: vec![session(1, "idle in transaction"), session(2, "active"), session(3, "active")],
            waits,
            ..Cluster::default()
        };
        let found = said(
            &RULE,
            &server(cluster(vec![wait(2, 90.0, &[1]), wait(3, 40.0, &[2]), wait(4, 99.0, &[0])])),
        )
        .0;
        let messages: Vec<&str> = found.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            messages,
            ["2 sessions wait for a lock, for up to 90 seconds, behind session 1 (idle in transaction)"]
        );
        assert!(said(&RULE, &server(cluster(vec![wait(2, 20.0, &[1])]))).0.is_empty(), "short");
        assert!(said(&RULE, &server(cluster(vec![wait(9, 90.0, &[1])]))).0.is_empty(), "in another database");
        let circle = said(&RULE, &server(cluster(vec![wait(2, 90.0, &[3]), wait(3, 90.0, &[2])]))).0;
        assert_eq!(circle.len(), 1, "ends");
    }
}
