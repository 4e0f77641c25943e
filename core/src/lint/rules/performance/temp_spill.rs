use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, days_at_least_one, size, window, GB};

pub static RULE: Rule = Rule {
    code: "PRF008",
    name: "temp_spill",
    category: Category::Performance,
    severity: Severity::Warning,
    title: "Sorts and hashes go to disk for want of work_mem",
    why: "What does not fit into work_mem is written to temporary files and read again. The rule wants more \
          than 1 GB a day over a week, so that one index build does not count.",
    bad: "-- pg_stat_database.temp_bytes grows by 50 GB a day",
    good: "ALTER ROLE reporting SET work_mem = '256MB';",
    remedy: "log_temp_files shows the statements: an index that sorts already, fewer columns, or more work_mem for that role",
    peers: "pgdoctor, pg-advisor, check_pgactivity, pgFirstAid",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "days", default: 7.0, about: "days that the counters must cover" },
        Param { name: "gb_per_day", default: 1.0, about: "gigabytes a day" },
    ],
    recommended: true,
    check,
    fires: &[
        case("a sort", "SELECT dbguard.lint_configure('PRF008', params => '{\"days\": 0, \"gb_per_day\": 0}'); SET work_mem = '64kB'; SELECT count(*) FROM (SELECT i FROM generate_series(1, 50000) i ORDER BY i % 77) x; SELECT pg_stat_force_next_flush()"),
        case("a hash", "SELECT dbguard.lint_configure('PRF008', params => '{\"days\": 0, \"gb_per_day\": 0}'); SET work_mem = '64kB'; SELECT count(*) FROM (SELECT DISTINCT i % 40000 FROM generate_series(1, 50000) i) x; SELECT pg_stat_force_next_flush()"),
    ],
    silent: &[
        case("minutes old", "SELECT dbguard.lint_configure('PRF008', params => '{\"gb_per_day\": 0}'); SET work_mem = '64kB'; SELECT count(*) FROM (SELECT i FROM generate_series(1, 50000) i ORDER BY i % 77) x; SELECT pg_stat_force_next_flush()"),
        case("little", "SELECT dbguard.lint_configure('PRF008', params => '{\"days\": 0}'); SET work_mem = '64kB'; SELECT count(*) FROM (SELECT i FROM generate_series(1, 50000) i ORDER BY i % 77) x; SELECT pg_stat_force_next_flush()"),
        case("none", "SELECT dbguard.lint_configure('PRF008', params => '{\"days\": 0, \"gb_per_day\": 0}'); CREATE TABLE t (a int); SELECT pg_stat_force_next_flush()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = window(c, &RULE, out) else { return };
    out.examine("");
    let (bytes, files) = (s.database.temp_bytes, s.database.temp_files);
    let rate = bytes as f64 / days_at_least_one(c, s);
    if bytes > 0 && rate >= c.param(&RULE, "gb_per_day") * GB {
        let message = format!("queries write {} a day to temporary files", size(rate));
        let found = about_database(c, "temp", message).confidence(0.6);
        out.find(found.evidence("temp_bytes", bytes).evidence("temp_files", files));
    }
}
