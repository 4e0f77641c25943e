use crate::lint::bounds::{self, Bound, Width};
use crate::lint::catalog::types::{DATE, TIMESTAMP, TIMESTAMPTZ};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::qualified;

pub static RULE: Rule = Rule {
    code: "PAR002",
    name: "no_future_partition",
    category: Category::Partitioning,
    severity: Severity::Error,
    title: "Time-partitioned table is about to run out of partitions",
    why: "When the clock passes the last bound, every INSERT fails, usually at midnight on the \
          first. Error once it has passed; warning while less than one partition's width is left, \
          or where a DEFAULT partition catches what comes.",
    bad: "CREATE TABLE events (at timestamptz) PARTITION BY RANGE (at); -- last partition: this month",
    good: "SELECT dbguard.partition_enable('events', every => '1 month', ahead => 4);",
    remedy: "make the next partitions, or have dbguard.partition_enable make them",
    peers: "check_postgres partman_premake (partman only)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("ended", "CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2020-02-01'); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2020-02-01') TO ('2020-03-01')"),
        case("no partition at all", "CREATE TABLE t (at date) PARTITION BY RANGE (at)"),
        case("a default catches it", "CREATE TABLE t (at timestamp) PARTITION BY RANGE (at); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); CREATE TABLE t2 PARTITION OF t DEFAULT"),
        case("second level", "CREATE TABLE t (a int, at date) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1) PARTITION BY RANGE (at); CREATE TABLE t11 PARTITION OF t1 FOR VALUES FROM ('2020-01-01') TO ('2020-01-08')"),
        case("hostile names", r#"CREATE TABLE "Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" ("A.t" date) PARTITION BY RANGE ("A.t"); CREATE TABLE "P.p" PARTITION OF "Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" FOR VALUES FROM ('2024-12-30') TO ('2025-01-06')"#),
        case("this one is the last", "DO $$BEGIN CREATE TABLE t (at date) PARTITION BY RANGE (at); EXECUTE format('CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (%L) TO (%L)', date_trunc('month', now())::date, (date_trunc('month', now()) + interval '1 month')::date); END$$"),
    ],
    silent: &[
        case("years ahead", "CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2999-01-01'); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2999-01-01') TO ('2999-02-01')"),
        case("open end", "CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO (MAXVALUE)"),
        case("by number", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9)"),
        case("list of dates", "CREATE TABLE t (at date) PARTITION BY LIST (at); CREATE TABLE t1 PARTITION OF t FOR VALUES IN ('2020-01-01')"),
        case("old level of a living tree", "CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY RANGE (at); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2021-01-01') TO ('infinity')"),
        case("temporary", "CREATE TEMP TABLE t (at date) PARTITION BY RANGE (at)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.relations.iter().filter(|t| t.linted && !timed_ancestor(c, t)) {
        let Some(key) = time_key(t) else { continue };
        out.examine(&t.schema);
        let bounds = c.partitions_of(t.oid).filter_map(|p| bounds::range(p.partition_bound.as_deref()?));
        let last = bounds.max_by_key(|(_, to)| *to);
        let catches =
            c.partitions_of(t.oid).any(|p| p.partition_bound.as_deref().is_some_and(bounds::is_default));
        let name = t.sql_name();
        let (message, past) = match last {
            None if catches => continue,
            None => (format!("table {name} has no partition, so every INSERT fails"), true),
            Some((_, Bound::MaxValue)) => continue,
            Some((_, Bound::MinValue)) => continue,
            Some((from, Bound::At(to))) => {
                let left = to.saturating_sub(c.now);
                if left >= width_before(from, to).unwrap_or(0) && left > 0 {
                    continue;
                }
                let end = bounds::format(to, key.base_type == DATE);
                let word = if left <= 0 { "ended" } else { "ends" };
                (format!("the last partition of {name} {word} at {end}"), left <= 0)
            }
        };
        let severity = if past && !catches { Severity::Error } else { Severity::Warning };
        let fix = if catches { None } else { last.and_then(|(from, to)| fix(c, t, key, from, to)) };
        out.find(
            Finding::new(t.object(), message)
                .severity(severity)
                .evidence("default_partition", catches)
                .fix(fix),
        );
    }
}

/// The one column a table is partitioned by in ranges of time.
fn time_key(t: &Relation) -> Option<&Attribute> {
    let first = t.partition_key.first().filter(|_| t.partition_strategy == Some('r'))?;
    t.attribute(*first).filter(|a| matches!(a.base_type, DATE | TIMESTAMP | TIMESTAMPTZ))
}

/// Below a table that is partitioned by time itself, old branches have every right to have ended.
fn timed_ancestor(c: &Catalog, t: &Relation) -> bool {
    let mut above = t.parent.and_then(|p| c.relation(p));
    while let Some(p) = above {
        if time_key(p).is_some() {
            return true;
        }
        above = p.parent.and_then(|p| c.relation(p));
    }
    false
}

fn width_before(from: Bound, to: i64) -> Option<i64> {
    match from {
        Bound::At(from) => to.checked_sub(from),
        _ => None,
    }
}

/// The partitions that hold now and the time after; a gap before now stays a gap.
fn fix(c: &Catalog, t: &Relation, key: &Attribute, from: Bound, to: Bound) -> Option<Fix> {
    let (Bound::At(from), Bound::At(mut at)) = (from, to) else { return None };
    let whole_days = from.rem_euclid(bounds::DAY) == 0 && at.rem_euclid(bounds::DAY) == 0;
    // Bounds of another zone than UTC would be guessed wrong across a change of clocks.
    if t.partition_key.len() != 1 || (key.base_type == TIMESTAMPTZ && !whole_days) {
        return None;
    }
    let width = Width::between(from, at)?;
    let enough = c.now.checked_add(at.checked_sub(from)?)?;
    let mut sql = Vec::new();
    for _ in 0..100_000 {
        let next = width.after(at)?;
        if next > c.now {
            sql.push(create(c, t, key, at, next)?);
        }
        at = next;
        if at > enough {
            return Some(Fix::new(sql.join("\n"), Safety::BriefLock));
        }
    }
    None
}

fn create(c: &Catalog, t: &Relation, key: &Attribute, from: i64, to: i64) -> Option<String> {
    let stamp: String = bounds::format(from, from.rem_euclid(bounds::DAY) == 0)
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let mut name = t.name.clone();
    while name.len() + stamp.len() + 2 > 63 {
        name.pop();
    }
    let name = format!("{name}_p{stamp}");
    if c.relations.iter().any(|r| r.schema == t.schema && r.name == name) {
        return None;
    }
    let zone = if key.base_type == TIMESTAMPTZ { "+00" } else { "" };
    let text = |at| format!("{}{zone}", bounds::format(at, key.base_type == DATE));
    let (name, table) = (qualified(&t.schema, &name), t.sql_name());
    Some(format!(
        "CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{}') TO ('{}');",
        text(from),
        text(to)
    ))
}
