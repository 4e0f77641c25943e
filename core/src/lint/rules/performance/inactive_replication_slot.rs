use crate::lint::catalog::cluster::Slot;
use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{size, GB};
use crate::quote::{ident, literal};

pub static RULE: Rule = Rule {
    code: "PRF016",
    name: "inactive_replication_slot",
    category: Category::Performance,
    severity: Severity::Error,
    title: "Nobody reads from a replication slot, and the server keeps WAL for it",
    why: "WAL is kept until the disk is full and the server stops, and VACUUM may be held back too. Error from \
          1 GB on; one whose WAL is already gone is lost for its reader. Slots of other databases are told \
          there, temporary ones go by themselves.",
    bad: "-- pg_replication_slots: active = f, 300 GB behind",
    good: "SELECT pg_drop_replication_slot('old_standby');",
    remedy: "bring its reader back, or pg_drop_replication_slot(); max_slot_wal_keep_size limits what any slot may keep",
    peers: "pgFirstAid, check_postgres, check_pgactivity, pgdoctor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "gigabytes", default: 1.0, about: "gigabytes of WAL kept" }],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    for s in cluster.slots.iter().filter(|s| !s.elsewhere) {
        out.examine("");
        if s.active {
            continue;
        }
        let kept = s.retained.unwrap_or(0) as f64;
        let lost = s.wal_status == "lost";
        if !lost && kept < c.param(&RULE, "gigabytes") * GB {
            continue;
        }
        let name = ident(&s.name);
        let message = match lost {
            true => format!("replication slot {name} is lost: the WAL its reader needs is gone"),
            false => format!("nobody reads from replication slot {name}; it keeps {} of WAL", size(kept)),
        };
        let object = Object { kind: "replication slot", schema: String::new(), identity: name, oid: 0 };
        out.find(Finding::new(object, message).evidence("bytes", s.retained).fix(drop_it(s)));
    }
}

fn drop_it(s: &Slot) -> Fix {
    let sql = format!("SELECT pg_catalog.pg_drop_replication_slot({});", literal(&s.name));
    Fix::new(sql, Safety::Review)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::Cluster;
    use crate::lint::rules::counters::tests::{said, server};

    #[test]
    fn only_idle_ones_that_cost_something() {
        let slot = |name: &str, active, elsewhere, wal_status: &str, retained| Slot {
            name: name.into(),
            active,
            elsewhere,
            wal_status: wal_status.into(),
            retained,
            ..Slot::default()
        };
        let slots = vec![
            slot("busy", true, false, "extended", Some(1 << 40)),
            slot("new", false, false, "reserved", Some(1 << 20)),
            slot("unused", false, false, "", None),
            slot("theirs", false, true, "lost", Some(1 << 40)),
            slot("dead", false, false, "extended", Some(1 << 40)),
            slot("gone", false, false, "lost", None),
        ];
        let (found, skipped) = said(&RULE, &server(Cluster { slots, ..Cluster::default() }));
        let names: Vec<&str> = found.iter().map(|f| f.object.identity.as_str()).collect();
        assert_eq!((names, skipped), (vec!["dead", "gone"], 0));
    }
}
