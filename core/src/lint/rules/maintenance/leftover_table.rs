use crate::lint::catalog::{statistics::days, Catalog, Oid, Relation, RelationKind, Statistics};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::counters::{bytes, of, size, span, window};
use std::collections::{HashMap, HashSet};

pub static RULE: Rule = Rule {
    code: "MNT011",
    name: "leftover_table",
    category: Category::Maintenance,
    severity: Severity::Info,
    title: "Table looks like a copy that somebody forgot",
    why: "It takes room in every backup, and often holds personal data that was deleted elsewhere. Named as \
          copies are named (_old, _bak, _backup, _tmp, _temp, _copy, _deprecated, a date), and nobody wrote it \
          or read it by an index while the counters cover; one reading a day may be a dump. Left alone is \
          what foreign keys, views or triggers hang on, and one of several tables that differ by the date.",
    bad: "CREATE TABLE orders_bak AS SELECT * FROM orders; -- two years ago",
    good: "DROP TABLE orders_bak;",
    remedy: "ask whose it is, then DROP TABLE",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Statistics],
    params: &[Param { name: "days", default: 30.0, about: "days without use" }],
    recommended: true,
    check,
    fires: &[
        case("old", "SELECT dbguard.lint_configure('MNT011', params => '{\"days\": 0}'); CREATE TABLE orders_old (a int); CREATE TABLE orders_bak2 (a int PRIMARY KEY)"),
        case("date, quoted", r#"SELECT dbguard.lint_configure('MNT011', params => '{"days": 0}'); CREATE TABLE "Orders.x_20240131" (a int)"#),
    ],
    silent: &[
        case("minutes old", "CREATE TABLE orders_old (a int)"),
        case("names that only begin so", "SELECT dbguard.lint_configure('MNT011', params => '{\"days\": 0}'); CREATE TABLE temp_readings (a int); CREATE TABLE old_orders (a int); CREATE TABLE copy (a int); CREATE TABLE threshold (a int); CREATE TABLE t_20991399 (a int)"),
        case("read", "SELECT dbguard.lint_configure('MNT011', params => '{\"days\": 0}'); CREATE TABLE orders_old (a int); SELECT FROM orders_old; SELECT FROM orders_old; SELECT pg_stat_force_next_flush()"),
        case("written", "SELECT dbguard.lint_configure('MNT011', params => '{\"days\": 0}'); CREATE TABLE orders_old (a int); INSERT INTO orders_old VALUES (1); SELECT pg_stat_force_next_flush()"),
        case("referred to, in a view, with a trigger", "SELECT dbguard.lint_configure('MNT011', params => '{\"days\": 0}'); CREATE TABLE a_old (a int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a_old); CREATE TABLE b_old (a int); CREATE VIEW v AS SELECT * FROM b_old; CREATE TABLE c_old (a int); CREATE TRIGGER x BEFORE UPDATE ON c_old FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"),
        case("one of many by date, or a partition", "SELECT dbguard.lint_configure('MNT011', params => '{\"days\": 0}'); CREATE TABLE e_20240101 (a int); CREATE TABLE e_20240102 (a int); CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p_20240101 PARTITION OF p DEFAULT; CREATE TABLE i (a int); CREATE TABLE i_old () INHERITS (i)"),
    ],
};

const MARKS: &[&str] = &["old", "bak", "backup", "tmp", "temp", "copy", "deprecated"];

fn check(c: &Catalog, out: &mut Report) {
    let Some(s) = window(c, &RULE, out) else { return };
    let mut series: HashMap<(&str, &str), usize> = HashMap::new();
    for (schema, stem) in c.tables().filter_map(|t| Some((t.schema.as_str(), before_date(&t.name)?))) {
        *series.entry((schema, stem)).or_default() += 1;
    }
    let viewed: HashSet<Oid> = c.relations.iter().flat_map(|r| r.reads.iter().copied()).collect();
    let by_index = s.index_scans();
    for t in c.tables() {
        out.examine(&t.schema);
        let by_date = before_date(&t.name).is_some_and(|stem| series.get(&(&t.schema, stem)) == Some(&1));
        if !(has_mark(&t.name) || by_date) || viewed.contains(&t.oid) || !stands_alone(c, t) {
            continue;
        }
        let scans = by_index.get(&t.oid).copied().unwrap_or(0);
        if let Some(days) = idle_days(c, s, t, scans) {
            let message =
                format!("table {} ({}) was not used for {}", t.sql_name(), size(bytes(t)), span(days));
            let found = Finding::new(t.object(), message).confidence(0.5);
            out.find(found.evidence("days", days.floor()));
        }
    }
}

fn stands_alone(c: &Catalog, t: &Relation) -> bool {
    t.kind == RelationKind::Table
        && !t.has_subclass
        && !t.attributes.iter().any(|a| a.inherited)
        && !c.is_referred_to(t.oid)
        && t.triggers.is_empty()
        && t.policies.is_empty()
}

/// How long nobody wrote it, or read it other than a dump does. None: not long enough, or nobody knows.
fn idle_days(c: &Catalog, s: &Statistics, t: &Relation, index_scans: i64) -> Option<f64> {
    let (n, wanted) = (of(s, t)?, c.param(&RULE, "days"));
    let counted = s.days(c.now);
    let dumps = counted.max(1.0);
    if index_scans > 0 || n.seq_scans as f64 > dumps {
        return None;
    }
    if n.inserted + n.updated + n.deleted == 0 {
        return Some(counted);
    }
    // written before autovacuum last looked at it, and not since
    let looked = n.last_analyze.filter(|_| n.changed_since_analyze == 0 && wanted > 0.0)?;
    Some(days(looked, c.now)).filter(|days| *days >= wanted)
}

/// Ends in one of those words, perhaps with a number.
fn has_mark(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit());
    bare.rsplit_once('_').is_some_and(|(stem, mark)| !stem.is_empty() && MARKS.contains(&mark))
}

/// What stands before `_20240131`.
fn before_date(name: &str) -> Option<&str> {
    let (stem, date) = name.rsplit_once('_')?;
    let is_date = date.len() == 8 && date.starts_with("20") && date.bytes().all(|b| b.is_ascii_digit());
    let between = |from, to, low, high| {
        date.get(from..to)
            .and_then(|d: &str| d.parse::<u32>().ok())
            .is_some_and(|n| (low..=high).contains(&n))
    };
    (is_date && !stem.is_empty() && between(4, 6, 1, 12) && between(6, 8, 1, 31)).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(has_mark("orders_old") && has_mark("Orders_BAK2") && has_mark("a_b_tmp"));
        assert!(!has_mark("_old") && !has_mark("old") && !has_mark("threshold") && !has_mark("old_x"));
        assert_eq!(before_date("a_b_20240131"), Some("a_b"));
        assert_eq!(
            (before_date("a_20241331"), before_date("_20240131"), before_date("a_2024013")),
            (None, None, None)
        );
    }
}
