use crate::lint::catalog::{Catalog, Cluster};
use crate::lint::finding::{Finding, Object, Report, Severity};
use crate::lint::rule::{Category, Rollup, Rule, Section};
use crate::quote::ident;
use serde_json::json;

pub static RULE: Rule = Rule {
    code: "MNT005",
    name: "xid_wraparound",
    category: Category::Maintenance,
    severity: Severity::Error,
    title: "Database comes close to the end of its transaction numbers",
    why: "Some three million before 2^31 the server refuses every write until the database is vacuumed. From \
          autovacuum_freeze_max_age on (200 million) autovacuum freezes by force, so an age near that is the \
          rule: warning where it is past it by half or by 100 million, error from 1.2 billion. Databases that nobody may connect \
          to count too; multixacts are looked at alike.",
    bad: "-- age(datfrozenxid) = 1,900,000,000",
    good: "VACUUM; -- in that database, after ending what holds it back (MNT007)",
    remedy: "end old transactions and drop dead slots, then VACUUM the whole database as a superuser (not FULL)",
    peers: "pghero, check_postgres, check_pgactivity, pgFirstAid, pg-advisor, pgdoctor, pganalyze",
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
    for d in &cluster.databases {
        out.examine("");
        let kinds = [
            (d.xids, "autovacuum_freeze_max_age", "transaction"),
            (d.multixacts, "autovacuum_multixact_freeze_max_age", "multixact"),
        ];
        let worst = kinds
            .into_iter()
            .filter_map(|(age, setting, what)| Some((severity(cluster, age, setting)?, age, what)))
            .max_by_key(|(severity, age, _)| (*severity, *age));
        let Some((severity, age, what)) = worst else { continue };
        let message = format!("the oldest {what} of database {} is {age} {what}s old", ident(&d.name));
        let mut found =
            Finding::new(Object::database(&d.name), message).severity(severity).evidence("age", age);
        if d.name == c.database && what == "transaction" {
            let oldest: Vec<_> =
                cluster.oldest.iter().map(|(t, age)| json!({"table": t, "age": age})).collect();
            found = found.evidence("oldest", oldest);
        }
        out.find(found);
    }
}

fn severity(cluster: &Cluster, age: i64, setting: &str) -> Option<Severity> {
    let forced = cluster.number(setting)?;
    let age = age as f64;
    // whoever lets autovacuum come that late has less room for it
    let late = age >= (forced * 1.5).min(forced + 100_000_000.0);
    match age {
        a if a >= 1.6e9 || (a >= 1.2e9 && late) => Some(Severity::Error),
        _ if late => Some(Severity::Warning),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::cluster::DatabaseAge;
    use crate::lint::rules::counters::tests::{said, server, setting};

    fn severities(ages: &[i64], limit: &str) -> Vec<Option<Severity>> {
        let age =
            |(n, xids): (usize, &i64)| DatabaseAge { name: format!("d{n}"), xids: *xids, multixacts: 5 };
        let settings = ["autovacuum_freeze_max_age", "autovacuum_multixact_freeze_max_age"]
            .map(|name| (name.to_owned(), setting(limit, None, "default")));
        let databases = ages.iter().enumerate().map(age).collect();
        let c = server(Cluster { databases, settings: settings.into(), ..Cluster::default() });
        said(&RULE, &c).0.into_iter().map(|f| f.severity).collect()
    }

    #[test]
    fn ages() {
        assert!(severities(&[1, 199_000_000, 250_000_000], "200000000").is_empty());
        assert_eq!(severities(&[350_000_000], "200000000"), [Some(Severity::Warning)]);
        assert_eq!(severities(&[1_250_000_000, 7], "200000000"), [Some(Severity::Error)]);
        assert!(severities(&[1_250_000_000], "1500000000").is_empty());
        assert_eq!(severities(&[1_700_000_000], "1900000000"), [Some(Severity::Error)]);
    }
}
