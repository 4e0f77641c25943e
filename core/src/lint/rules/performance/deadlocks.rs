use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{about_database, days_at_least_one, span, window};
use crate::lint::text::count;

pub static RULE: Rule = Rule {
    code: "PRF009",
    name: "deadlocks",
    category: Category::Performance,
    severity: Severity::Warning,
    title: "Transactions deadlock day after day",
    why: "Two transactions lock the same rows in different order: the server ends one of them, and its work is \
          lost unless the application tries again. The rule wants one a day over a week: a single one in a \
          month is an accident.",
    bad: "UPDATE a ...; UPDATE b ...; -- while another does b, then a",
    good: "SELECT ... FOR UPDATE ORDER BY id; -- everybody in the same order",
    remedy: "the server's log names both statements: lock in one order, keep transactions short, index foreign keys (IDX001)",
    peers: "pganalyze, check_pgactivity",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[
        Param { name: "days", default: 7.0, about: "days that the counters must cover" },
        Param { name: "per_day", default: 1.0, about: "deadlocks a day" },
    ],
    recommended: true,
    check,
    fires: &[],
    silent: &[
        case("none", "SELECT dbguard.lint_configure('PRF009', params => '{\"days\": 0}'); CREATE TABLE t (a int)"),
        case("minutes old", "CREATE TABLE t (a int)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = window(c, &RULE, out) else { return };
    out.examine("");
    let deadlocks = s.database.deadlocks;
    if deadlocks > 0 && deadlocks as f64 / days_at_least_one(c, s) >= c.param(&RULE, "per_day") {
        let n = count(usize::try_from(deadlocks).unwrap_or(0), "deadlock");
        let message = format!("{n} in {}", span(s.days(c.now)));
        out.find(about_database(c, "deadlocks", message).evidence("deadlocks", deadlocks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::bounds::DAY;
    use crate::lint::catalog::{Facts, Statistics};
    use crate::lint::rules::counters::tests::said;

    fn of(deadlocks: i64, days: i64) -> (usize, usize) {
        let mut s = Statistics { since: 20_000 * DAY, ..Statistics::default() };
        s.database.deadlocks = deadlocks;
        let facts = Facts { now: s.since + days * DAY, statistics: Some(s), ..Facts::default() };
        let (found, skipped) = said(&RULE, &Catalog::new(facts, None));
        (found.len(), skipped)
    }

    #[test]
    fn rates() {
        assert_eq!(of(10, 8), (1, 0));
        assert_eq!(of(3, 8), (0, 0), "rare");
        assert_eq!(of(100, 3), (0, 1), "too soon to say");
        assert_eq!(of(0, 30), (0, 0));
    }
}
