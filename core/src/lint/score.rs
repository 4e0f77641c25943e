//! How good a schema is, in one number. docs/lint.md publishes what is written here.
//!
//! A rule that looked at `n` objects and found `v` of one severity costs its category
//! `weight * (1 - exp(-4 v/n))` points of 100: a tenth of the objects costs a third of the weight,
//! half of them nearly all. An error never costs less than a quarter of its weight, however large
//! the schema. The whole is the weighted mean of the categories that had anything to look at, and
//! at most 84 while an error is open.

use crate::lint::config::SCORE;
use crate::lint::engine::{Run, Status};
use crate::lint::finding::Severity;
use crate::lint::rule::Category;
use std::collections::{BTreeMap, HashMap};

/// The most a schema with an open error can reach: 85 is the bar of a sound design.
pub const CAP_WITH_ERROR: f64 = 84.0;

/// The usual weights, or those that `lint_configure('score', ...)` chose.
#[derive(Debug, Clone, Default)]
pub struct Weights(HashMap<String, f64>);

impl Weights {
    pub fn of(params: &HashMap<(String, String), f64>) -> Weights {
        let chosen = params.iter().filter(|((code, _), _)| code == SCORE);
        Weights(chosen.map(|((_, name), value)| (name.clone(), *value)).collect())
    }

    fn severity(&self, severity: Severity) -> f64 {
        self.0.get(severity.as_str()).copied().unwrap_or(match severity {
            Severity::Error => 40.0,
            Severity::Warning => 20.0,
            Severity::Info => 5.0,
        })
    }

    fn category(&self, category: Category) -> f64 {
        self.0.get(category.as_str()).copied().unwrap_or(match category {
            Category::Integrity | Category::Security => 3.0,
            Category::Tenancy | Category::Indexes | Category::Types => 2.0,
            _ => 1.0,
        })
    }
}

/// The names of the weights that `lint_configure('score', ...)` may change: of severities, then of
/// categories.
pub const WEIGHTS: [&str; 18] = [
    "error",
    "warning",
    "info",
    "integrity",
    "security",
    "multi-tenancy",
    "indexes",
    "types",
    "audit/lifecycle",
    "partitioning",
    "maintenance",
    "naming",
    "functions/views/triggers",
    "performance/statistics",
    "configuration",
    "queries",
    "ignores",
    "own",
];

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

/// What one rule found.
struct Tally {
    code: &'static str,
    category: Category,
    examined: usize,
    /// Findings by severity, folded ones as one, and the objects behind them.
    findings: BTreeMap<Severity, usize>,
    affected: BTreeMap<Severity, usize>,
}

impl Tally {
    fn lost(&self, weights: &Weights) -> f64 {
        self.affected.iter().map(|(s, n)| penalty(*s, weights.severity(*s), *n, self.examined)).sum()
    }
}

fn tally(run: &Run) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = run
        .examined
        .iter()
        .map(|e| Tally {
            code: e.rule.code,
            category: e.rule.category,
            examined: e.objects,
            findings: BTreeMap::new(),
            affected: BTreeMap::new(),
        })
        .collect();
    let at: HashMap<&str, usize> = tallies.iter().enumerate().map(|(n, t)| (t.code, n)).collect();
    for r in run.rows.iter().filter(|r| matches!(r.status, Status::Open | Status::Accepted)) {
        if let Some(t) = at.get(r.rule.code).and_then(|n| tallies.get_mut(*n)) {
            *t.findings.entry(r.severity).or_default() += 1;
            *t.affected.entry(r.severity).or_default() += r.affected;
        }
    }
    tallies
}

/// The whole first, then every category.
pub fn score(run: &Run, weights: &Weights) -> Vec<Line> {
    let tallies = tally(run);
    let mut lines = vec![line(&tallies, weights, None)];
    lines.extend(Category::ALL.map(|c| line(&tallies, weights, Some(c))));
    lines
}

fn line(tallies: &[Tally], weights: &Weights, category: Option<Category>) -> Line {
    let here = || tallies.iter().filter(|t| category.is_none_or(|c| t.category == c));
    let count = |s| here().filter_map(|t| t.findings.get(&s)).sum();
    let capped = |without| {
        overall(tallies, weights, without)
            .map(|(mean, error)| if error { mean.min(CAP_WITH_ERROR) } else { mean })
    };
    let gain =
        |t: &Tally| Some((capped(Some(t.code))? - capped(None)?, overall(tallies, weights, Some(t.code))?.0));
    // While another error holds the cap nothing is gained at once: then what weighs most.
    let best = here().filter(|t| !t.findings.is_empty()).filter_map(|t| Some((t.code, gain(t)?)));
    let best = best.max_by(|(_, a), (_, b)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    Line {
        category,
        score: match category {
            None => capped(None),
            Some(c) => category_score(tallies, weights, c, None),
        },
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        infos: count(Severity::Info),
        gain: best.map(|(code, (by, _))| (code, by)),
    }
}

/// The weighted mean, and whether an error is open.
fn overall(tallies: &[Tally], weights: &Weights, without: Option<&str>) -> Option<(f64, bool)> {
    let scored: Vec<(f64, f64)> = Category::ALL
        .into_iter()
        .filter_map(|c| Some((category_score(tallies, weights, c, without)?, weights.category(c))))
        .filter(|(_, weight)| *weight > 0.0)
        .collect();
    if scored.is_empty() {
        return None;
    }
    let mean = scored.iter().map(|(s, w)| s * w).sum::<f64>() / scored.iter().map(|(_, w)| w).sum::<f64>();
    let error = |t: &Tally| Some(t.code) != without && t.findings.contains_key(&Severity::Error);
    Some((mean, tallies.iter().any(error)))
}

fn category_score(
    tallies: &[Tally],
    weights: &Weights,
    category: Category,
    without: Option<&str>,
) -> Option<f64> {
    let mut here = tallies.iter().filter(|t| t.category == category && t.examined > 0).peekable();
    here.peek()?;
    let lost: f64 = here.filter(|t| Some(t.code) != without).map(|t| t.lost(weights)).sum();
    Some((100.0 - lost).max(0.0))
}

fn penalty(severity: Severity, weight: f64, affected: usize, examined: usize) -> f64 {
    let share = affected as f64 / examined.max(affected) as f64;
    let density = 1.0 - (-4.0 * share).exp();
    weight * if severity == Severity::Error { density.max(0.25) } else { density }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::{types, Attribute, Catalog, Constraint, Facts, Relation, Schema};
    use crate::lint::{engine, rules};

    fn run(relations: Vec<Relation>) -> Run {
        let schemas = vec![Schema { oid: 1, name: "public".into(), ..Schema::default() }];
        let c = Catalog::new(Facts { schemas, relations, ..Facts::default() }, None);
        engine::run(&c, &rules::all(), &engine::Options::default())
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
        let lines = score(&run(vec![]), &Weights::default());
        let tenancy = lines.iter().find(|l| l.category == Some(Category::Tenancy)).unwrap();
        assert_eq!((tenancy.score, tenancy.grade()), (None, "n/a"));
    }

    #[test]
    fn clean_is_a_hundred_and_an_error_caps() {
        let clean = score(&run(vec![table(10, true)]), &Weights::default());
        assert_eq!((clean[0].score, clean[0].grade(), clean[0].gain), (Some(100.0), "A", None));
        let many = (0..1000).map(|n| table(100 + n, n > 0)).collect();
        let one_bad = &score(&run(many), &Weights::default())[0];
        assert_eq!((one_bad.score, one_bad.errors), (Some(CAP_WITH_ERROR), 1));
        assert_eq!(one_bad.gain.map(|(code, by)| (code, by.round())), Some(("INT002", 16.0)));
    }

    #[test]
    fn penalties_grow_and_saturate() {
        let p = |n| penalty(Severity::Error, 40.0, n, 1000);
        assert_eq!(p(1), 10.0);
        assert!(p(100) > p(50) && p(500) > p(100) && p(1000) > p(500) && p(1000) < 40.0);
        assert!(penalty(Severity::Warning, 20.0, 1, 1000) < 0.1);
    }
}
