//! Whether a build passes.

use crate::lint::engine::{Run, Status};
use crate::lint::finding::Severity;
use crate::lint::text::count;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    pub failed: bool,
    pub summary: String,
    /// What made it fail, a line each.
    pub detail: String,
}

/// How many lines the detail has at most.
const LINES: usize = 20;

/// `fail_on`: open findings at least this severe fail. `score`: what was reached and what is wanted.
pub fn verdict(run: &Run, fail_on: Option<Severity>, score: Option<(Option<f64>, f32)>) -> Verdict {
    let of = |status| run.rows.iter().filter(move |r| r.status == status);
    let failing: Vec<_> =
        of(Status::Open).filter(|r| fail_on.is_some_and(|limit| r.severity >= limit)).collect();
    let open = |s: Severity| count(of(Status::Open).filter(|r| r.severity == s).count(), s.as_str());
    let mut summary = format!(
        "{}, {}, {} open; {} accepted, {} ignored, {} not checked",
        open(Severity::Error),
        open(Severity::Warning),
        open(Severity::Info),
        of(Status::Accepted).count(),
        of(Status::Ignored).count(),
        of(Status::Skipped).count(),
    );
    // nothing to judge is no score, and no failure
    let low = score.is_some_and(|(reached, wanted)| reached.is_some_and(|r| r < f64::from(wanted)));
    if let Some((reached, wanted)) = score {
        let reached = reached.map_or("n/a".to_owned(), |r| format!("{r:.1}"));
        summary.push_str(&format!("; score {reached} of {wanted} wanted"));
    }
    let mut lines: Vec<String> = failing
        .iter()
        .take(LINES)
        .map(|r| format!("{} {} {}: {}", r.severity.as_str(), r.rule.code, r.object.identity, r.message))
        .collect();
    if failing.len() > LINES {
        lines.push(format!("and {} more", failing.len() - LINES));
    }
    Verdict { failed: low || !failing.is_empty(), summary, detail: lines.join("\n") }
}
