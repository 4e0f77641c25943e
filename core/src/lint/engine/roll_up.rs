//! Conventions are told once.

use crate::lint::catalog::Catalog;
use crate::lint::engine::fingerprint;
use crate::lint::finding::{Finding, Fix, Object, Report, Safety};
use crate::lint::rule::{Rollup, Rule};
use std::collections::BTreeMap;

/// Findings of a rule; those of a schema that break it nearly everywhere, object by kind, in one, with
/// the fingerprints of those it stands for.
pub fn roll_up(
    catalog: &Catalog,
    rule: &'static Rule,
    report: &Report,
    findings: Vec<Finding>,
) -> Vec<(Finding, Vec<String>)> {
    let Some(limit) = rule.rollup else {
        return findings.into_iter().map(|f| (f, vec![])).collect();
    };
    let mut alike: BTreeMap<(String, &'static str), (usize, Vec<Finding>)> = BTreeMap::new();
    for f in findings {
        let examined = report.examined_like(&f.object);
        let group = alike.entry((f.object.schema.clone(), f.object.kind));
        group.or_insert_with(|| (examined, Vec::new())).1.push(f);
    }
    let mut out = Vec::new();
    for ((schema, kind), (examined, findings)) in alike {
        match catalog.schema(&schema) {
            Some(s) if is_convention(limit, findings.len(), examined) => {
                let members = findings.iter().map(|f| fingerprint(rule.code, &f.key)).collect();
                out.push((folded(rule, s.object(), kind, findings, examined), members));
            }
            _ => out.extend(findings.into_iter().map(|f| (f, vec![]))),
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
