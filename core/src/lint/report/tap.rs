//! Test Anything Protocol, a test a rule: what pgTAP's readers understand.

use super::Report;
use crate::lint::engine::Status;

pub fn write(report: &Report) -> String {
    let mut lines = vec![format!("1..{}", report.rules().count())];
    for (n, rule) in report.rules().enumerate() {
        let of = |status| report.rows(status).filter(move |r| r.rule.code == rule.code);
        let open: Vec<_> = of(Status::Open).collect();
        let verdict = if open.is_empty() { "ok" } else { "not ok" };
        let skipped = of(Status::Skipped).next().filter(|_| open.is_empty());
        let skip = skipped.map_or(String::new(), |r| format!(" # SKIP {}", one_line(&r.message)));
        lines.push(format!("{verdict} {} - {} {}{skip}", n + 1, rule.code, rule.name));
        lines.extend(open.iter().map(|r| {
            format!("# {} {}: {}", r.severity.as_str(), one_line(&r.object.identity), one_line(&r.message))
        }));
    }
    lines.join("\n")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
