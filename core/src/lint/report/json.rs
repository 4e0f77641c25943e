//! Plain JSON: all rows as dbguard.lint() has them, and the counts.

use super::Report;
use serde_json::{json, Value};

pub fn write(report: &Report) -> Result<String, String> {
    let rows: Vec<Value> = report
        .run
        .rows
        .iter()
        .map(|r| {
            json!({
                "severity": r.severity.as_str(), "code": r.rule.code, "rule": r.rule.name,
                "category": r.rule.category.as_str(), "object": r.object.identity,
                "object_type": r.object.kind, "message": r.message,
                "fix_sql": r.fix.as_ref().map(|f| f.sql.as_str()), "confidence": r.shown_confidence(),
                "status": r.status.as_str(), "fingerprint": r.fingerprint, "details": r.details,
            })
        })
        .collect();
    let counts: serde_json::Map<String, Value> =
        report.counts().iter().map(|(s, n)| (s.as_str().to_owned(), json!(n))).collect();
    let all = json!({
        "tool": "dbguard", "version": env!("CARGO_PKG_VERSION"), "database": report.database,
        "open": counts, "findings": rows,
    });
    serde_json::to_string_pretty(&all).map_err(|e| e.to_string())
}
