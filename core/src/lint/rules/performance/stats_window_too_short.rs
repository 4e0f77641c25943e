use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, span};

pub static RULE: Rule = Rule {
    code: "PRF018",
    name: "stats_window_too_short",
    category: Category::Performance,
    severity: Severity::Info,
    title: "The server has not counted for long",
    why: "Rules about use (IDX005, IDX016, MNT011 ...) wait until the counters cover some days. They begin \
          again when they are reset, when the server crashed, and with a new database; a restart counts as \
          well, to be on the safe side.",
    bad: "SELECT pg_stat_reset(); -- by a nightly job",
    good: "-- pg_stat_database.stats_reset is months ago",
    remedy: "wait; and do not reset statistics by a job",
    peers: "pgdoctor statistics-freshness",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[Param { name: "days", default: 7.0, about: "days that the counters should cover" }],
    recommended: true,
    check,
    fires: &[
        case("a new database", "CREATE TABLE t (a int)"),
        case("reset", "SELECT pg_stat_reset(); SELECT dbguard.lint_configure('PRF018', params => '{\"days\": 0.5}')"),
    ],
    silent: &[
        case("long enough", "SELECT dbguard.lint_configure('PRF018', params => '{\"days\": 0}')"),
        case("long enough, reset", "SELECT dbguard.lint_configure('PRF018', params => '{\"days\": 0}'); SELECT pg_stat_reset()"),
        case("one table reset", "SELECT dbguard.lint_configure('PRF018', params => '{\"days\": 0}'); CREATE TABLE t (a int); SELECT pg_stat_reset_single_table_counters('t'::regclass)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = &c.statistics else { return };
    out.examine("");
    let days = s.days(c.now);
    if days < c.param(&RULE, "days") {
        let message = format!("the server has counted for {} only", span(days));
        out.find(about_database(c, "window", message).evidence("days", (days * 10.0).floor() / 10.0));
    }
}
