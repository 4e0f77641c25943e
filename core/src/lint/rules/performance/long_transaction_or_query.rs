use crate::lint::catalog::cluster::Session;
use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, seen, span_seconds};
use crate::lint::rules::performance::idle_in_transaction::is_idle;
use crate::lint::rules::performance::listed;
use crate::lint::text::count;

pub static RULE: Rule = Rule {
    code: "PRF013",
    name: "long_transaction_or_query",
    category: Category::Performance,
    severity: Severity::Warning,
    title: "Transaction has been running for more than an hour",
    why: "VACUUM takes away nothing that died since it began, in all tables, and its locks hold others up. \
          Left alone are dumps, copies, and what builds or cleans (CREATE INDEX, REINDEX, VACUUM, REFRESH ...), \
          which may take long; sessions that are idle in a transaction are PRF012's.",
    bad: "SELECT ... ; -- a report that never ends",
    good: "ALTER ROLE reporting SET statement_timeout = '30min';",
    remedy: "pg_cancel_backend() for the session if nobody waits for it; statement_timeout for its role",
    peers: "pghero, check_postgres, check_pgactivity, pgFirstAid, pg-advisor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "minutes", default: 60.0, about: "minutes since the transaction began" }],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

/// First words of statements that may take long.
const SLOW: &[&str] =
    &["alter", "analyze", "call", "cluster", "copy", "create", "fetch", "reindex", "refresh", "vacuum"];
const DUMPS: &[&str] = &["pg_dump", "pg_restore", "pg_basebackup"];

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = seen(c, out) else { return };
    out.examine("");
    let seconds = c.param(&RULE, "minutes") * 60.0;
    let age = |s: &Session| s.transaction_age.unwrap_or(0.0);
    let allowed = |s: &Session| {
        is_idle(s) || SLOW.contains(&s.command.as_str()) || DUMPS.iter().any(|d| s.application.starts_with(d))
    };
    let long = |s: &&Session| s.here && age(s) >= seconds && s.transaction_age.is_some() && !allowed(s);
    let long: Vec<&Session> = cluster.sessions.iter().filter(long).collect();
    if !long.is_empty() {
        let oldest = long.iter().map(|s| age(s)).fold(0.0, f64::max);
        let (n, verb) = (count(long.len(), "transaction"), if long.len() == 1 { "has" } else { "have" });
        let message = format!("{n} {verb} been running, for up to {}", span_seconds(oldest));
        out.find(about_database(c, "long", message).evidence("sessions", listed(&long)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::Cluster;
    use crate::lint::rules::counters::tests::{said, server};

    #[test]
    fn what_may_take_long_is_left_alone() {
        let session = |command: &str, application: &str, state: &str, age| Session {
            here: true,
            command: command.into(),
            application: application.into(),
            state: state.into(),
            transaction_age: age,
            ..Session::default()
        };
        let quiet = vec![
            session("create", "psql", "active", Some(9000.0)),
            session("copy", "", "active", Some(9000.0)),
            session("select", "pg_dump", "active", Some(9000.0)),
            session("select", "app", "active", Some(900.0)),
            session("select", "app", "idle in transaction", Some(9000.0)),
            session("select", "app", "idle", None),
        ];
        let said = |sessions| {
            let found = said(&RULE, &server(Cluster { sees_all: true, sessions, ..Cluster::default() })).0;
            found.into_iter().map(|f| f.message).collect::<Vec<_>>()
        };
        assert!(said(quiet.clone()).is_empty());
        let mut loud = quiet;
        loud.push(session("select", "app", "active", Some(9000.0)));
        assert_eq!(said(loud), ["1 transaction has been running, for up to 2 hours"]);
    }
}
