//! Runs rules and puts what they say in order.

use crate::hash;
use crate::lint::catalog::{Catalog, Oid};
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{Rollup, Rule};
use crate::quote::ident;
use serde_json::{json, Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Open,
    Skipped,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Skipped => "skipped",
        }
    }
}

/// One line of the answer.
#[derive(Debug, Clone)]
pub struct Row {
    pub rule: &'static Rule,
    pub severity: Severity,
    pub status: Status,
    pub object: Object,
    pub message: String,
    pub fix: Option<Fix>,
    pub confidence: f32,
    pub fingerprint: String,
    /// How many findings this one stands for.
    pub affected: usize,
    pub details: Map<String, Value>,
}

/// What one rule looked at, for the score.
#[derive(Debug, Clone)]
pub struct Examined {
    pub rule: &'static Rule,
    pub objects: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Run {
    pub rows: Vec<Row>,
    pub examined: Vec<Examined>,
}

pub fn run(catalog: &Catalog, rules: &[&'static Rule], min_severity: Severity) -> Run {
    let mut reports: Vec<(&'static Rule, Report, f64)> = rules
        .iter()
        .map(|rule| {
            let start = Instant::now();
            let mut report = Report::default();
            (rule.check)(catalog, &mut report);
            (*rule, report, start.elapsed().as_secs_f64() * 1000.0)
        })
        .collect();
    hide(&mut reports);

    let mut run = Run::default();
    for (rule, report, ms) in reports {
        run.examined.push(Examined { rule, objects: report.examined_total() });
        let ms = (ms * 1000.0).round() / 1000.0;
        run.rows.extend(report.skipped.iter().map(|s| skipped_row(rule, &s.object, &s.reason)));
        for (finding, affected) in roll_up(catalog, rule, report) {
            run.rows.push(row(rule, finding, affected, ms));
        }
    }
    run.rows.retain(|r| r.severity >= min_severity);
    run.rows.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    tell_apart(&mut run.rows);
    run
}

fn sort_key(r: &Row) -> (std::cmp::Reverse<Severity>, &str, &str, &str, &str) {
    (std::cmp::Reverse(r.severity), r.rule.code, &r.object.identity, &r.fingerprint, &r.message)
}

/// Drops findings that a stronger rule's finding on the same object makes pointless.
fn hide(reports: &mut [(&'static Rule, Report, f64)]) {
    let mut hidden: HashMap<&'static str, HashSet<(&'static str, Oid)>> = HashMap::new();
    for (rule, report, _) in reports.iter() {
        for code in rule.hides {
            hidden
                .entry(code)
                .or_default()
                .extend(report.findings.iter().map(|f| (f.object.kind, f.object.oid)));
        }
    }
    for (rule, report, _) in reports {
        if let Some(objects) = hidden.get(rule.code) {
            report.findings.retain(|f| !objects.contains(&(f.object.kind, f.object.oid)));
        }
    }
}

/// Findings of a rule; those of a schema that break it nearly everywhere, object by kind, in one.
fn roll_up(catalog: &Catalog, rule: &'static Rule, report: Report) -> Vec<(Finding, usize)> {
    let Some(limit) = rule.rollup else {
        return report.findings.into_iter().map(|f| (f, 1)).collect();
    };
    let mut alike: BTreeMap<(String, &'static str), (usize, Vec<Finding>)> = BTreeMap::new();
    for f in report.findings.iter() {
        let group = alike.entry((f.object.schema.clone(), f.object.kind));
        group.or_insert_with(|| (report.examined_like(&f.object), Vec::new())).1.push(f.clone());
    }
    let mut out = Vec::new();
    for ((schema, kind), (examined, findings)) in alike {
        match catalog.schema(&schema) {
            Some(s) if is_convention(limit, findings.len(), examined) => {
                let affected = findings.len();
                out.push((folded(rule, s.object(), kind, findings, examined), affected));
            }
            _ => out.extend(findings.into_iter().map(|f| (f, 1))),
        }
    }
    out
}

fn is_convention(limit: Rollup, violations: usize, examined: usize) -> bool {
    violations >= limit.at_least && violations as f64 >= limit.share * examined as f64
}

/// How many of the objects behind a folded finding its details name.
const NAMED: usize = 50;

fn folded(rule: &Rule, schema: Object, kind: &str, mut findings: Vec<Finding>, examined: usize) -> Finding {
    findings.sort_by(|a, b| a.object.identity.cmp(&b.object.identity));
    let severity = findings.iter().filter_map(|f| f.severity).max();
    let confidence = findings.iter().map(|f| f.confidence).fold(1.0, f32::min);
    let objects: Vec<&str> = findings.iter().take(NAMED).map(|f| f.object.identity.as_str()).collect();
    let message =
        format!("{}: {} of {examined} in schema {} ({kind})", rule.title, findings.len(), schema.identity);
    let mut f = Finding::new(schema, message)
        .confidence(confidence)
        .fix(joined(&findings))
        .evidence("affected", findings.len())
        .evidence("examined", examined)
        .evidence("objects", objects);
    f.severity = severity;
    f.key = format!("{}|{kind}", f.key);
    f
}

/// One script for all of them, if each has one, cheap and fit to share a transaction.
fn joined(findings: &[Finding]) -> Option<Fix> {
    let fixes: Vec<&Fix> = findings.iter().map(|f| f.fix.as_ref()).collect::<Option<_>>()?;
    let cheap = fixes.iter().all(|f| f.safety == Safety::BriefLock && !f.sql.contains(" CONCURRENTLY "));
    let sql: Vec<&str> = fixes.iter().map(|f| f.sql.as_str()).collect();
    cheap.then(|| Fix::new(sql.join("\n"), Safety::BriefLock))
}

fn row(rule: &'static Rule, finding: Finding, affected: usize, ms: f64) -> Row {
    let mut details = finding.evidence;
    details.insert("title".into(), json!(rule.title));
    details.insert("ms".into(), json!(ms));
    if let Some(fix) = &finding.fix {
        details.insert("fix_safety".into(), json!(fix.safety.as_str()));
        if let Some(undo) = &fix.undo {
            details.insert("undo_sql".into(), json!(undo));
        }
    }
    Row {
        rule,
        severity: finding.severity.unwrap_or(rule.severity),
        status: Status::Open,
        fingerprint: fingerprint(rule.code, &finding.key),
        object: finding.object,
        message: finding.message,
        fix: finding.fix,
        confidence: finding.confidence,
        affected,
        details,
    }
}

fn skipped_row(rule: &'static Rule, object: &Object, reason: &str) -> Row {
    Row {
        rule,
        severity: rule.severity,
        status: Status::Skipped,
        fingerprint: fingerprint(rule.code, &object.identity),
        object: object.clone(),
        message: format!("not checked: {reason}"),
        fix: None,
        confidence: 0.0,
        affected: 0,
        details: Map::from_iter([("reason".to_owned(), json!(reason))]),
    }
}

/// 16 hex digits that stay the same while the matter does.
pub fn fingerprint(code: &str, key: &str) -> String {
    let mut digits = hash::hex(format!("{code}|{key}").as_bytes());
    digits.truncate(16);
    digits
}

/// Two rows may share a key (a third copy of an index): number them, in their stable order.
fn tell_apart(rows: &mut [Row]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for r in rows {
        let n = seen.entry(r.fingerprint.clone()).or_insert(0);
        *n += 1;
        if *n > 1 {
            r.fingerprint = fingerprint(r.rule.code, &format!("{}#{n}", r.fingerprint));
        }
    }
}

/// `CREATE INDEX name`: made from its parts, cut to what an identifier holds.
pub fn object_name(parts: &[&str]) -> String {
    let mut name = parts.join("_");
    while name.len() > 63 {
        name.pop();
    }
    ident(&name)
}

#[cfg(test)]
mod tests;
