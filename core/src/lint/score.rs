//! How good a schema is, in one number. docs/lint.md publishes what is written here.
//!
//! A rule that looked at `n` objects and found `v` of one severity costs its category
//! `weight * (1 - exp(-4 v/n))` points of 100: a tenth of the objects costs a third of the weight,
//! half of them nearly all. An error never costs less than a quarter of its weight, however large
//! the schema. The whole is the weighted mean of the categories that had anything to look at, and
//! at most 84 while an error is open.

use crate::lint::engine::{Row, Run, Status};
use crate::lint::finding::Severity;
use crate::lint::rule::Category;
use std::collections::BTreeMap;

/// The most a schema with an open error can reach: 85 is the bar of a sound design.
pub const CAP_WITH_ERROR: f64 = 84.0;

pub fn severity_weight(severity: Severity) -> f64 {
    match severity {
        Severity::Error => 40.0,
        Severity::Warning => 20.0,
        Severity::Info => 5.0,
    }
}

pub fn category_weight(category: Category) -> f64 {
    match category {
        Category::Integrity | Category::Security => 3.0,
        Category::Tenancy | Category::Indexes | Category::Types => 2.0,
        Category::Lifecycle | Category::Partitioning | Category::Maintenance | Category::Naming => 1.0,
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// None is the whole.
    pub category: Option<Category>,
    /// None: nothing there to look at.
    pub score: Option<f64>,
    pub errors: usize,
    pub warnings: usize,
    pub infos: usize,
    /// The rule whose findings, were they gone, would raise the overall score most, and by how much.
    pub gain: Option<(&'static str, f64)>,
}

impl Line {
    pub fn grade(&self) -> &'static str {
        match self.score {
            None => "n/a",
            Some(s) if s >= 95.0 => "A",
            Some(s) if s >= 85.0 => "B",
            Some(s) if s >= 70.0 => "C",
            Some(s) if s >= 50.0 => "D",
            Some(_) => "F",
        }
    }
}

/// The whole first, then every category.
pub fn score(run: &Run) -> Vec<Line> {
    let now = overall(run, None);
    let gain = |category: Option<Category>| {
        let mut codes: Vec<&'static str> = open(run)
            .filter(|r| category.is_none_or(|c| r.rule.category == c))
            .map(|r| r.rule.code)
            .collect();
        codes.sort_unstable();
        codes.dedup();
        let gains = codes.into_iter().filter_map(|code| Some((code, overall(run, Some(code))? - now?)));
        gains.fold(None, |best: Option<(&'static str, f64)>, g| match best {
            Some(b) if b.1 >= g.1 => Some(b),
            _ => Some(g),
        })
    };
    let line = |category: Option<Category>, score| {
        let count = |s| {
            open(run).filter(|r| r.severity == s && category.is_none_or(|c| r.rule.category == c)).count()
        };
        Line {
            category,
            score,
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            infos: count(Severity::Info),
            gain: gain(category),
        }
    };
    let mut lines = vec![line(None, now)];
    lines.extend(Category::ALL.map(|c| line(Some(c), category_score(run, c, None))));
    lines
}

fn open(run: &Run) -> impl Iterator<Item = &Row> {
    run.rows.iter().filter(|r| r.status == Status::Open)
}

fn overall(run: &Run, without: Option<&str>) -> Option<f64> {
    let scored: Vec<(f64, f64)> = Category::ALL
        .into_iter()
        .filter_map(|c| Some((category_score(run, c, without)?, category_weight(c))))
        .collect();
    if scored.is_empty() {
        return None;
    }
    let mean = scored.iter().map(|(s, w)| s * w).sum::<f64>() / scored.iter().map(|(_, w)| w).sum::<f64>();
    let error = open(run).any(|r| r.severity == Severity::Error && Some(r.rule.code) != without);
    Some(if error { mean.min(CAP_WITH_ERROR) } else { mean })
}

fn category_score(run: &Run, category: Category, without: Option<&str>) -> Option<f64> {
    let rules: Vec<_> =
        run.examined.iter().filter(|e| e.rule.category == category && e.objects > 0).collect();
    if rules.is_empty() {
        return None;
    }
    let mut lost = 0.0;
    for examined in rules.into_iter().filter(|e| Some(e.rule.code) != without) {
        let mut affected: BTreeMap<Severity, usize> = BTreeMap::new();
        for r in open(run).filter(|r| r.rule.code == examined.rule.code) {
            *affected.entry(r.severity).or_default() += r.affected;
        }
        lost += affected.into_iter().map(|(s, n)| penalty(s, n, examined.objects)).sum::<f64>();
    }
    Some((100.0 - lost).max(0.0))
}

fn penalty(severity: Severity, affected: usize, examined: usize) -> f64 {
    let share = affected as f64 / examined.max(affected) as f64;
    let density = 1.0 - (-4.0 * share).exp();
    severity_weight(severity) * if severity == Severity::Error { density.max(0.25) } else { density }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::{types, Attribute, Catalog, Constraint, Facts, Relation, Schema};
    use crate::lint::{engine, rules};

    fn run(relations: Vec<Relation>) -> Run {
        let schemas = vec![Schema { oid: 1, name: "public".into(), ..Schema::default() }];
        let c = Catalog::new(Facts { schemas, relations, ..Facts::default() }, None);
        engine::run(&c, &rules::all(), Severity::Info)
    }

    fn table(oid: u32, key: bool) -> Relation {
        let id = Attribute {
            num: 1,
            name: "id".into(),
            type_oid: types::INT8,
            not_null: true,
            ..Attribute::default()
        };
        let constraints = if key {
            vec![Constraint { kind: 'p', columns: vec![1], validated: true, ..Constraint::default() }]
        } else {
            vec![]
        };
        Relation {
            oid,
            schema: "public".into(),
            name: format!("t{oid}"),
            attributes: vec![id],
            constraints,
            ..Relation::default()
        }
    }

    #[test]
    fn nothing_to_look_at_is_not_a_hundred() {
        let lines = score(&run(vec![]));
        let tenancy = lines.iter().find(|l| l.category == Some(Category::Tenancy)).unwrap();
        assert_eq!((tenancy.score, tenancy.grade()), (None, "n/a"));
    }

    #[test]
    fn clean_is_a_hundred_and_an_error_caps() {
        let clean = score(&run(vec![table(10, true)]));
        assert_eq!((clean[0].score, clean[0].grade(), clean[0].gain), (Some(100.0), "A", None));
        let many = (0..1000).map(|n| table(100 + n, n > 0)).collect();
        let one_bad = &score(&run(many))[0];
        assert_eq!((one_bad.score, one_bad.errors), (Some(CAP_WITH_ERROR), 1));
        assert_eq!(one_bad.gain.map(|(code, by)| (code, by.round())), Some(("INT002", 16.0)));
    }

    #[test]
    fn penalties_grow_and_saturate() {
        let p = |n| penalty(Severity::Error, n, 1000);
        assert_eq!(p(1), 10.0);
        assert!(p(100) > p(50) && p(500) > p(100) && p(1000) > p(500) && p(1000) < 40.0);
        assert!(penalty(Severity::Warning, 1, 1000) < 0.1);
    }
}
