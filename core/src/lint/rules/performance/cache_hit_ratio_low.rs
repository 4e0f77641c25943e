use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, span, window};

pub static RULE: Rule = Rule {
    code: "PRF001",
    name: "cache_hit_ratio_low",
    category: Category::Performance,
    severity: Severity::Warning,
    title: "Many pages are not found in shared_buffers",
    why: "Each is asked of the operating system, and perhaps of the disk. Info below 99 % of at least ten \
          million pages, warning below 90 %. The server cannot see the cache of the operating system, and \
          reports over everything always read much: look at what reads first (IDX016).",
    bad: "-- blks_hit / (blks_hit + blks_read) = 0.85",
    good: "ALTER SYSTEM SET shared_buffers = '8GB'; -- a quarter of memory, then restart",
    remedy: "find the queries that read most (pg_stat_statements), index them, and then raise shared_buffers",
    peers: "pghero, check_postgres hitratio, check_pgactivity, pgFirstAid, pg-advisor, pgdoctor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "days", default: 1.0, about: "days that the counters must cover" },
        Param { name: "percent", default: 99.0, about: "percent of pages that should be found" },
        Param { name: "pages", default: 10_000_000.0, about: "pages asked for, below which the ratio says little" },
    ],
    recommended: true,
    check,
    fires: &[
        case("any page read", "SELECT dbguard.lint_configure('PRF001', params => '{\"days\": 0, \"percent\": 100, \"pages\": 1}'); CREATE TABLE t (a int); SELECT count(*) FROM pg_attribute; SELECT pg_stat_force_next_flush()"),
        case("a hundred and one percent", "SELECT dbguard.lint_configure('PRF001', params => '{\"days\": 0, \"percent\": 101, \"pages\": 1}'); SELECT count(*) FROM pg_class; SELECT pg_stat_force_next_flush()"),
    ],
    silent: &[
        case("minutes old", "SELECT dbguard.lint_configure('PRF001', params => '{\"percent\": 100, \"pages\": 1}'); SELECT count(*) FROM pg_attribute"),
        case("few pages", "SELECT dbguard.lint_configure('PRF001', params => '{\"days\": 0, \"percent\": 100}'); SELECT count(*) FROM pg_attribute"),
        case("good enough", "SELECT dbguard.lint_configure('PRF001', params => '{\"days\": 0, \"percent\": 0, \"pages\": 1}'); SELECT count(*) FROM pg_attribute"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = window(c, &RULE, out) else { return };
    let (hit, read) = (s.database.blocks_hit as f64, s.database.blocks_read as f64);
    if hit + read < c.param(&RULE, "pages").max(1.0) {
        return;
    }
    out.examine("");
    let percent = 100.0 * hit / (hit + read);
    if percent < c.param(&RULE, "percent") {
        let message =
            format!("{percent:.1} % of pages were found in shared_buffers, over {}", span(s.days(c.now)));
        let severity = if percent < 90.0 { Severity::Warning } else { Severity::Info };
        let found = about_database(c, "cache", message).severity(severity).confidence(0.5);
        out.find(found.evidence("blks_hit", hit).evidence("blks_read", read));
    }
}
