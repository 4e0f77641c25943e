use crate::lint::catalog::cluster::Session;
use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, seen, span_seconds};
use crate::lint::rules::performance::listed;
use crate::lint::text::count;

pub static RULE: Rule = Rule {
    code: "PRF012",
    name: "idle_in_transaction",
    category: Category::Performance,
    severity: Severity::Warning,
    title: "Session sits idle in a transaction",
    why:
        "It keeps its locks, so the next ALTER TABLE waits and everybody behind it, and VACUUM may not take \
          away what it could still see. Usually code that waits for another service, or forgot to commit. \
          Sessions of this database, from five minutes on.",
    bad: "BEGIN; SELECT ...; -- and then a call to a web service",
    good: "ALTER ROLE app SET idle_in_transaction_session_timeout = '1min';",
    remedy: "commit before waiting; idle_in_transaction_session_timeout ends what forgets it",
    peers: "check_postgres txn_idle, check_pgactivity, pgFirstAid, pg-advisor, pgdoctor, pganalyze",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "minutes", default: 5.0, about: "minutes idle" }],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

pub fn is_idle(s: &Session) -> bool {
    s.state.starts_with("idle in transaction")
}

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = seen(c, out) else { return };
    out.examine("");
    let minutes = c.param(&RULE, "minutes");
    let age = |s: &Session| s.state_age.unwrap_or(0.0);
    let late = |s: &&Session| s.here && is_idle(s) && age(s) >= minutes * 60.0;
    let idle: Vec<&Session> = cluster.sessions.iter().filter(late).collect();
    if !idle.is_empty() {
        let oldest = idle.iter().map(|s| age(s)).fold(0.0, f64::max);
        let verb = if idle.len() == 1 { "is" } else { "are" };
        let n = count(idle.len(), "session");
        let message = format!("{n} {verb} idle in a transaction, for up to {}", span_seconds(oldest));
        out.find(about_database(c, "idle", message).evidence("sessions", listed(&idle)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::Cluster;
    use crate::lint::rules::counters::tests::{said, server};

    #[test]
    fn only_those_of_this_database_that_wait_long() {
        let session = |here, state: &str, age| Session {
            here,
            state: state.into(),
            state_age: Some(age),
            ..Session::default()
        };
        let said = |sessions| {
            let found = said(&RULE, &server(Cluster { sees_all: true, sessions, ..Cluster::default() })).0;
            found.into_iter().map(|f| f.message).collect::<Vec<_>>()
        };
        let quiet = [
            session(true, "idle in transaction", 200.0),
            session(true, "idle", 9000.0),
            session(true, "active", 9000.0),
            session(false, "idle in transaction", 9000.0),
        ];
        assert!(said(quiet.to_vec()).is_empty());
        let mut loud = quiet.to_vec();
        loud.push(session(true, "idle in transaction (aborted)", 400.0));
        assert_eq!(said(loud.clone()), ["1 session is idle in a transaction, for up to 6 minutes"]);
        loud.push(session(true, "idle in transaction", 7300.0));
        assert_eq!(said(loud), ["2 sessions are idle in a transaction, for up to 2 hours"]);
    }
}
