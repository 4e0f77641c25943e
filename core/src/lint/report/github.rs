//! Workflow commands that GitHub Actions shows as annotations. Escaping as the commands want it:
//! percent signs and line ends everywhere, colons and commas in properties.

use super::Report;
use crate::lint::engine::{Row, Status};
use crate::lint::finding::Severity;

pub fn write(report: &Report) -> String {
    let mut lines: Vec<String> = report.rows(Status::Open).map(|r| line(report, r)).collect();
    lines.extend(report.rows(Status::Skipped).map(|r| {
        format!(
            "::notice title={}::{}",
            property(r.rule.code),
            data(&format!("{}: {}", r.object.identity, r.message))
        )
    }));
    lines.join("\n")
}

fn line(report: &Report, r: &Row) -> String {
    let command = match r.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let place = report.sources.find(&r.object);
    let place = place.map_or(String::new(), |(file, line)| format!("file={},line={line},", property(file)));
    let title = property(&format!("{} {}", r.rule.code, r.rule.name));
    format!("::{command} {place}title={title}::{}", data(&r.message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
