//! Findings that somebody chose to live with: rows of dbguard.lint_ignored, and comments that say
//! `@dbguard ignore CODE[,CODE] [until DATE] -- reason`.

use crate::lint::finding::Object;
use crate::lint::rule::Rule;
use crate::lint::select::{glob, means};
use jiff::civil::Date;

/// What stands before an ignore in a comment.
pub const MARK: &str = "@dbguard";

#[derive(Debug, Clone)]
pub struct Ignore {
    /// Codes, names, categories or globs.
    pub rules: Vec<String>,
    pub reason: String,
    /// The last day it holds; None for ever.
    pub until: Option<Date>,
    pub origin: Origin,
    /// Why it cannot be followed as it is written.
    pub fault: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Origin {
    /// dbguard.lint_ignored: a glob over identities, and who wrote it.
    Table { pattern: String, author: String },
    /// A comment: of what, and the statement that takes this out of it, and with it all others there
    /// that do not hold. None: it holds itself, and is not alone.
    Comment { object: Object, sql: Option<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Holds,
    Expired,
    WithoutReason,
    Faulty,
}

impl Ignore {
    pub fn standing(&self, today: Date) -> Standing {
        match () {
            () if self.fault.is_some() => Standing::Faulty,
            () if self.reason.trim().is_empty() => Standing::WithoutReason,
            () if self.until.is_some_and(|day| day < today) => Standing::Expired,
            () => Standing::Holds,
        }
    }

    /// Whether it is about this finding. `table`: what the object is part of, or is.
    pub fn covers(&self, rule: &Rule, object: &Object, table: Option<&str>) -> bool {
        self.rules.iter().any(|r| means(r, rule))
            && match &self.origin {
                Origin::Table { pattern, .. } => {
                    glob(pattern, &object.identity) || table.is_some_and(|t| glob(pattern, t))
                }
                Origin::Comment { object: here, .. } => match here.kind {
                    "database" => true,
                    "schema" => object.schema == here.schema,
                    _ => object.identity == here.identity || table == Some(here.identity.as_str()),
                },
            }
    }

    /// What it hangs on, for people.
    pub fn place(&self) -> &str {
        match &self.origin {
            Origin::Table { pattern, .. } => pattern,
            Origin::Comment { object, .. } => &object.identity,
        }
    }
}

/// One annotation of a comment, and where in the comment it is.
#[derive(Debug, PartialEq)]
pub struct Annotation {
    pub rules: Vec<String>,
    pub until: Option<Date>,
    pub reason: String,
    pub fault: Option<String>,
    pub range: std::ops::Range<usize>,
}

/// The annotations of a comment, in order. Each reaches to the end of its line or to the next.
pub fn annotations(comment: &str) -> Vec<Annotation> {
    let starts: Vec<usize> = comment.match_indices(MARK).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([comment.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| {
            let text = comment.get(*start..end)?;
            let text = text.lines().next().unwrap_or_default().trim_end();
            annotation(text.strip_prefix(MARK)?, *start..start + text.len())
        })
        .collect()
}

/// `text` after the mark; None when it is no word of lint's.
fn annotation(text: &str, range: std::ops::Range<usize>) -> Option<Annotation> {
    let text = text.strip_prefix(char::is_whitespace)?.trim_start().strip_prefix("ignore")?;
    if !text.is_empty() && !text.starts_with(char::is_whitespace) {
        return None;
    }
    let (words, reason) = text.split_once("--").unwrap_or((text, ""));
    let (codes, until) = match words.split_once(" until ") {
        Some((codes, date)) => (codes, Some(date.trim())),
        None => (words, None),
    };
    let rules: Vec<String> =
        codes.split([',', ' ']).map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect();
    let day = until.map(str::parse::<Date>);
    let fault = match (&day, rules.is_empty()) {
        (Some(Err(_)), _) => Some(format!("\"{}\" is no date", until.unwrap_or_default())),
        (_, true) => Some("it names no rule".to_owned()),
        _ => None,
    };
    Some(Annotation {
        rules,
        until: day.and_then(Result::ok),
        reason: reason.trim().to_owned(),
        fault,
        range,
    })
}

/// The comment without one of its annotations; None when nothing is left.
pub fn without(comment: &str, range: &std::ops::Range<usize>) -> Option<String> {
    let before = comment.get(..range.start).unwrap_or_default().trim_end();
    let after = comment.get(range.end..).unwrap_or_default();
    let rest = format!("{before}{after}");
    (!rest.trim().is_empty()).then(|| rest.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        let text = "Raw events. @dbguard ignore AUD002,PAR001 until 2027-01-31 -- append only, purged weekly";
        let all = annotations(text);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].rules, ["AUD002", "PAR001"]);
        assert_eq!(all[0].until, Some(jiff::civil::date(2027, 1, 31)));
        assert_eq!((all[0].reason.as_str(), &all[0].fault), ("append only, purged weekly", &None));
        assert_eq!(without(text, &all[0].range).as_deref(), Some("Raw events."));
    }

    #[test]
    fn several_and_faulty_ones() {
        let text = "@dbguard ignore A -- x\nThe rest.\n@dbguard ignore B, C until soon\n@dbguard ignore -- y @dbguard ignored D @dbguard";
        let all = annotations(text);
        let seen: Vec<(usize, bool, &str)> =
            all.iter().map(|a| (a.rules.len(), a.fault.is_some(), a.reason.as_str())).collect();
        assert_eq!(seen, [(1, false, "x"), (2, true, ""), (0, true, "y")]);
        assert_eq!(without("@dbguard ignore A -- x", &(0..22)), None);
        assert!(annotations("write to x@dbguard.example about ignore").is_empty());
    }
}
