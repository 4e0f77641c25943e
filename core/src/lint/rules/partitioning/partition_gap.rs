use crate::lint::bounds::{self, Bound};
use crate::lint::catalog::{Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "PAR007",
    name: "partition_gap",
    category: Category::Partitioning,
    severity: Severity::Warning,
    title: "Ranges between partitions have none",
    why: "A row of that time is refused, though earlier and later ones are taken: usually a partition \
          that failed to be made one night. Silent where a DEFAULT partition catches such rows, and \
          about what lies next to a partition without a bound, which catches the far past or future.",
    bad: "CREATE TABLE e (at date) PARTITION BY RANGE (at); -- January and March",
    good: "SELECT dbguard.partition_enable('e', every => '1 month'); -- fills holes",
    remedy: "make the partition that is missing; dbguard.partition_enable does",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("a month", "CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2020-02-01'); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2020-03-01') TO ('2020-04-01')"),
        case("two, quoted", r#"CREATE TABLE "T.t" ("At" timestamptz) PARTITION BY RANGE ("At"); CREATE TABLE t1 PARTITION OF "T.t" FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-02-01 00:00+00'); CREATE TABLE t2 PARTITION OF "T.t" FOR VALUES FROM ('2020-03-01 00:00+00') TO ('2020-04-01 00:00+00'); CREATE TABLE t3 PARTITION OF "T.t" FOR VALUES FROM ('2020-05-01 00:00+00') TO ('2020-06-01 00:00+00')"#),
    ],
    silent: &[
        case("none", "CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2020-02-01'); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2020-02-01') TO ('2020-04-01')"),
        case("a default", "CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2020-02-01'); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2020-03-01') TO ('2020-04-01'); CREATE TABLE t3 PARTITION OF t DEFAULT"),
        case("fences", "CREATE TABLE t (at date) PARTITION BY RANGE (at); CREATE TABLE t0 PARTITION OF t FOR VALUES FROM (MINVALUE) TO ('1990-01-01'); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2020-02-01'); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2120-01-01') TO (MAXVALUE)"),
        case("numbers", "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (5) TO (6)"),
        case("two columns", "CREATE TABLE t (at date, b int) PARTITION BY RANGE (at, b); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01', 0) TO ('2020-02-01', 0); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2020-03-01', 0) TO ('2020-04-01', 0)"),
        case("temporary", "CREATE TEMP TABLE t (at date) PARTITION BY RANGE (at); CREATE TEMP TABLE t1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2020-02-01'); CREATE TEMP TABLE t2 PARTITION OF t FOR VALUES FROM ('2020-03-01') TO ('2020-04-01')"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.relations.iter().filter(|t| t.linted && t.partition_strategy == Some('r')) {
        out.examine(&t.schema);
        let gaps = gaps(c, t);
        let Some((from, to)) = gaps.first() else { continue };
        let day = |at: i64| bounds::format(at, at.rem_euclid(bounds::DAY) == 0);
        let more = if gaps.len() > 1 { format!(", and {} more", gaps.len() - 1) } else { String::new() };
        let message =
            format!("table {} has no partition from {} to {}{more}", t.sql_name(), day(*from), day(*to));
        let all: Vec<String> =
            gaps.iter().take(50).map(|(from, to)| format!("{} to {}", day(*from), day(*to))).collect();
        out.find(Finding::new(t.object(), message).evidence("gaps", all));
    }
}

fn gaps(c: &Catalog, t: &Relation) -> Vec<(i64, i64)> {
    let bounds = || c.partitions_of(t.oid).filter_map(|p| p.partition_bound.as_deref());
    if t.partition_key.len() != 1 || bounds().any(bounds::is_default) {
        return vec![];
    }
    let Some(mut ranges) = bounds().map(bounds::range).collect::<Option<Vec<_>>>() else { return vec![] };
    ranges.sort_unstable();
    ranges
        .windows(2)
        .filter_map(|pair| match pair {
            [(Bound::At(_), Bound::At(end)), (Bound::At(begin), Bound::At(_))] if end < begin => {
                Some((*end, *begin))
            }
            _ => None,
        })
        .collect()
}
