//! A page for a merge request or a wiki.

use super::Report;
use crate::lint::engine::Status;
use crate::lint::text::count;

pub fn write(report: &Report) -> String {
    let counts = report.counts().map(|(s, n)| count(n, s.as_str())).join(", ");
    let mut out = format!("# Lint of {}\n\n{counts}\n", text(report.database));
    if report.rows(Status::Open).next().is_some() {
        out.push_str("\n| severity | rule | object | message |\n|---|---|---|---|\n");
        for r in report.rows(Status::Open) {
            let cells = [r.severity.as_str(), r.rule.code, &code(&r.object.identity), &text(&r.message)];
            out.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }
    let fixes: Vec<_> = report.rows(Status::Open).filter_map(|r| Some((r, r.fix.as_ref()?))).collect();
    if !fixes.is_empty() {
        out.push_str("\n## Fixes\n");
        for (r, fix) in fixes {
            let fence = fence(&fix.sql);
            let head =
                format!("\n{} {} ({})\n\n", r.rule.code, code(&r.object.identity), fix.safety.as_str());
            out.push_str(&format!("{head}{fence}sql\n{}\n{fence}\n", fix.sql));
        }
    }
    for (status, title) in [(Status::Ignored, "Ignored"), (Status::Skipped, "Not checked")] {
        let rows: Vec<_> = report.rows(status).collect();
        if rows.is_empty() {
            continue;
        }
        out.push_str(&format!("\n## {title}\n\n"));
        for r in rows {
            let why = r.details.get("reason").and_then(|v| v.as_str()).unwrap_or_default();
            out.push_str(&format!("- {} {}: {}\n", r.rule.code, code(&r.object.identity), text(why)));
        }
    }
    out
}

/// Names may hold anything: nothing in them is markup, nor the end of a cell.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '&' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// In a cell a bar ends even code, so names with one are plain text.
fn code(name: &str) -> String {
    if name.contains(['`', '|', '\n', '\r']) {
        text(name)
    } else {
        format!("`{name}`")
    }
}

/// Longer than any run of backticks inside.
fn fence(sql: &str) -> String {
    let longest = sql.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}
