//! Comma-separated values (RFC 4180), a line a row of dbguard.lint().

use super::Report;

pub fn write(report: &Report) -> Result<String, String> {
    let mut out = ::csv::Writer::from_writer(Vec::new());
    let header = [
        "severity",
        "code",
        "rule",
        "category",
        "object",
        "object_type",
        "message",
        "fix_sql",
        "confidence",
        "status",
        "fingerprint",
    ];
    out.write_record(header).map_err(|e| e.to_string())?;
    for r in &report.run.rows {
        let fields = [
            r.severity.as_str(),
            r.rule.code,
            r.rule.name,
            r.rule.category.as_str(),
            &r.object.identity,
            r.object.kind,
            &r.message,
            r.fix.as_ref().map_or("", |f| f.sql.as_str()),
            &r.shown_confidence().to_string(),
            r.status.as_str(),
            &r.fingerprint,
        ];
        out.write_record(fields).map_err(|e| e.to_string())?;
    }
    let bytes = out.into_inner().map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|e| e.to_string())
}
