//! GitLab's code quality report.

use super::Report;
use crate::lint::engine::Status;
use crate::lint::finding::Severity;
use serde_json::{json, Value};

pub fn write(report: &Report) -> Result<String, String> {
    let rows: Vec<Value> = report
        .rows(Status::Open)
        .map(|r| {
            let severity = match r.severity {
                Severity::Error => "critical",
                Severity::Warning => "major",
                Severity::Info => "info",
            };
            // a path is demanded: without a file, the object's name
            let (path, line) = report.sources.find(&r.object).unwrap_or((&r.object.identity, 1));
            json!({
                "description": format!("{}: {}", r.rule.code, r.message), "check_name": r.rule.name,
                "fingerprint": r.fingerprint, "severity": severity,
                "location": {"path": path, "lines": {"begin": line}},
            })
        })
        .collect();
    serde_json::to_string_pretty(&rows).map_err(|e| e.to_string())
}
