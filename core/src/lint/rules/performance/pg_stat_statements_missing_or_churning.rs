use crate::lint::catalog::cluster::Statements;
use crate::lint::catalog::statistics::days;
use crate::lint::catalog::Catalog;
use crate::lint::finding::{Object, Report, Severity};
use crate::lint::rule::{Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::about_database;

pub static RULE: Rule = Rule {
    code: "PRF021",
    name: "pg_stat_statements_missing_or_churning",
    category: Category::Performance,
    severity: Severity::Info,
    title: "Nobody counts what statements cost, or the counts are thrown away",
    why: "Without pg_stat_statements the slowest queries are guessed. Where it has room for too few statements \
          it throws the rarest twentieth away, again and again, and its sums lie: from once an hour on. \
          It may live in another database of the server: the library counts for all.",
    bad: "shared_preload_libraries = ''",
    good: "shared_preload_libraries = 'pg_stat_statements' -- and CREATE EXTENSION pg_stat_statements",
    remedy: "load the library (restart) and CREATE EXTENSION; or raise pg_stat_statements.max",
    peers: "pg-advisor, pgFirstAid, pgdoctor, check_pgactivity pgss_dealloc",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "per_day", default: 24.0, about: "times a day that entries are thrown away" }],
    recommended: true,
    check,
    fires: &[],
    silent: &[],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    out.examine("");
    // its settings are there while the library is
    let message = if cluster.value("pg_stat_statements.max").is_none() {
        "pg_stat_statements is not loaded: nobody counts what statements cost".to_owned()
    } else if cluster.is("pg_stat_statements.track", "none") {
        "pg_stat_statements.track is none: nobody counts what statements cost".to_owned()
    } else {
        let said = match &cluster.statements {
            Some(Ok(said)) => said,
            Some(Err(reason)) => return out.skip(Object::database(&c.database), reason.as_str()),
            None => return,
        };
        let (times, per_day) = (said.evictions, a_day(c, said));
        if per_day < c.param(&RULE, "per_day") {
            return;
        }
        format!("pg_stat_statements has thrown entries away {times} times, about {per_day:.0} times a day")
    };
    out.find(about_database(c, "statements", message).evidence("setting", "pg_stat_statements"));
}

/// How often a day entries were thrown away; never, where it does not say since when it counts.
fn a_day(c: &Catalog, s: &Statements) -> f64 {
    s.since.map_or(0.0, |since| s.evictions as f64 / days(since, c.now).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::bounds::DAY;
    use crate::lint::catalog::cluster::Cluster;
    use crate::lint::catalog::Facts;
    use crate::lint::rules::counters::tests::{said, setting};

    fn speaks(settings: &[(&str, &str)], evictions: i64) -> bool {
        let settings =
            settings.iter().map(|(n, v)| ((*n).to_owned(), setting(v, None, "configuration file")));
        let cluster = Cluster {
            settings: settings.collect(),
            statements: Some(Ok(Statements { evictions, since: Some(0) })),
            ..Cluster::default()
        };
        let c = Catalog::new(Facts { now: 10 * DAY, cluster: Some(cluster), ..Facts::default() }, None);
        !said(&RULE, &c).0.is_empty()
    }

    #[test]
    fn missing_or_churning() {
        assert!(speaks(&[], 0));
        assert!(speaks(&[("pg_stat_statements.max", "5000"), ("pg_stat_statements.track", "none")], 0));
        assert!(speaks(&[("pg_stat_statements.max", "5000"), ("pg_stat_statements.track", "top")], 900));
        assert!(!speaks(&[("pg_stat_statements.max", "5000"), ("pg_stat_statements.track", "top")], 100));
    }

    #[test]
    fn what_it_does_not_say_is_told() {
        let settings = [("pg_stat_statements.max".to_owned(), setting("5000", None, "configuration file"))];
        let statements = Some(Err("permission denied".to_owned()));
        let cluster = Cluster { settings: settings.into(), statements, ..Cluster::default() };
        let c = Catalog::new(Facts { cluster: Some(cluster), ..Facts::default() }, None);
        let (found, skipped) = said(&RULE, &c);
        assert_eq!((found.len(), skipped), (0, 1));
    }
}
