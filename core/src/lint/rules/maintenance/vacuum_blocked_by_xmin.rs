use crate::lint::catalog::{Catalog, Cluster};
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, seen};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "MNT007",
    name: "vacuum_blocked_by_xmin",
    category: Category::Maintenance,
    severity: Severity::Warning,
    title: "VACUUM cannot take dead rows away: something may still want to see them",
    why: "An old transaction, a prepared transaction that nobody finished, a replication slot or a standby with \
          hot_standby_feedback holds the horizon back: VACUUM runs and runs, and tables grow. The rule wants \
          a holder a million transactions old, and 100,000 dead rows in this database.",
    bad: "PREPARE TRANSACTION 'x'; -- and the coordinator died",
    good: "ROLLBACK PREPARED 'x';",
    remedy: "end, finish or drop the holder that the message names",
    peers: "pganalyze, pg-bloat-detective, check_pgactivity oldest_xmin",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics, Section::Cluster],
    params: &[
        Param { name: "transactions", default: 1_000_000.0, about: "age of the holder in transactions" },
        Param { name: "rows", default: 100_000.0, about: "dead rows in all tables together" },
    ],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let (Some(s), Some(cluster)) = (&c.statistics, seen(c, out)) else { return };
    out.examine("");
    let dead: i64 = s.tables.values().map(|n| n.dead).sum();
    let Some((age, kind, holder)) = holders(cluster).into_iter().max_by_key(|(age, _, _)| *age) else {
        return;
    };
    if (age as f64) < c.param(&RULE, "transactions") || (dead as f64) < c.param(&RULE, "rows") {
        return;
    }
    let message = format!("{holder} keeps VACUUM from taking away what died in the last {age} transactions");
    let found = about_database(c, kind, message).evidence("age", age).evidence("dead", dead);
    out.find(found.confidence(0.9));
}

/// Whoever may hold the horizon of this database: age, kind, who.
fn holders(cluster: &Cluster) -> Vec<(i64, &'static str, String)> {
    let mut all = Vec::new();
    for x in cluster.sessions.iter().filter(|x| x.here) {
        let who = x.role.as_deref().map(|r| format!(" of role {}", ident(r))).unwrap_or_default();
        let state = if x.state.is_empty() { String::new() } else { format!(", {}", x.state) };
        all.extend(x.xmin_age.map(|age| (age, "session", format!("session {}{who}{state},", x.pid))));
    }
    for p in cluster.prepared.iter().filter(|p| p.here) {
        all.push((p.xid_age, "prepared", format!("prepared transaction \"{}\"", p.name)));
    }
    for slot in &cluster.slots {
        // what a logical slot holds by catalog_xmin is only catalogs
        all.extend(slot.xmin_age.map(|age| (age, "slot", format!("replication slot {}", ident(&slot.name)))));
    }
    for x in &cluster.senders {
        all.extend(x.xmin_age.map(|age| (age, "standby", format!("standby \"{}\" by its feedback", x.name))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::cluster::{Prepared, Session, Slot};
    use crate::lint::catalog::statistics::{Statistics, TableCounters};
    use crate::lint::catalog::Facts;
    use crate::lint::rules::counters::tests::said;

    fn messages(cluster: Cluster, dead: i64) -> Vec<String> {
        let tables = [(1, TableCounters { dead, ..TableCounters::default() })].into();
        let statistics = Some(Statistics { tables, ..Statistics::default() });
        let c = Catalog::new(Facts { statistics, cluster: Some(cluster), ..Facts::default() }, None);
        said(&RULE, &c).0.into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn the_oldest_holder_is_named() {
        let session = |here, xmin_age| Session {
            pid: 7,
            role: Some("App".into()),
            state: "active".into(),
            here,
            xmin_age,
            ..Session::default()
        };
        let slot = Slot { name: "s".into(), xmin_age: Some(3_000_000), ..Slot::default() };
        let prepared = Prepared { name: "p'".into(), here: true, seconds: 9.0, xid_age: 4_000_000 };
        let all = Cluster {
            sees_all: true,
            sessions: vec![
                session(true, Some(2_000_000)),
                session(false, Some(9_000_000)),
                session(true, None),
            ],
            ..Cluster::default()
        };
        assert_eq!(
            messages(all.clone(), 200_000),
            ["session 7 of role \"App\", active, keeps VACUUM from taking away what died in the last 2000000 transactions"]
        );
        assert!(messages(all.clone(), 90_000).is_empty(), "few dead rows");
        let slots = Cluster { slots: vec![slot], ..all };
        assert!(messages(slots.clone(), 200_000)[0].starts_with("replication slot s keeps"));
        let all = Cluster { prepared: vec![prepared], ..slots };
        assert!(messages(all, 200_000)[0].starts_with("prepared transaction \"p'\" keeps"));
        let young =
            Cluster { sees_all: true, sessions: vec![session(true, Some(900_000))], ..Cluster::default() };
        assert!(messages(young, 200_000).is_empty());
    }
}
