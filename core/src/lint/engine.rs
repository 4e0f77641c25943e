//! Runs rules and puts what they say in order.

use crate::hash;
use crate::lint::catalog::{Catalog, Oid};
use crate::lint::config::{Config, How};
use crate::lint::finding::{Finding, Fix, Object, Report, Severity};
use crate::lint::ignore::{Ignore, Origin, Standing};
use crate::lint::rule::{Rule, Section};
use crate::quote::ident;
use roll_up::roll_up;
use serde_json::{json, Map, Value};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

mod roll_up;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Open,
    /// In the baseline.
    Accepted,
    Ignored,
    Skipped,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Accepted => "accepted",
            Status::Ignored => "ignored",
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
    /// How many findings this one stands for, and their fingerprints where they are several.
    pub affected: usize,
    pub members: Vec<String>,
    pub details: Map<String, Value>,
}

impl Row {
    /// In two digits, so that 0.9 is 0.9.
    pub fn shown_confidence(&self) -> f64 {
        (f64::from(self.confidence) * 100.0).round() / 100.0
    }
}

/// What one rule looked at, for the score, and how long it took.
#[derive(Debug, Clone)]
pub struct Examined {
    pub rule: &'static Rule,
    pub objects: usize,
    pub ms: f64,
}

#[derive(Debug, Clone, Default)]
pub struct Run {
    pub rows: Vec<Row>,
    pub examined: Vec<Examined>,
}

/// How to judge what the rules find.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub min_severity: Severity,
    pub config: Config,
    /// How each rule came to run; by the profile where it is not said.
    pub how: HashMap<&'static str, How>,
    /// Fingerprints accepted before.
    pub baseline: Option<HashSet<String>>,
    /// Keep what is ignored among the rows.
    pub include_ignored: bool,
    /// Conventions are told object by object.
    pub one_by_one: bool,
    /// Rules that have not begun by then are skipped; and the words that say so.
    pub deadline: Option<(Instant, String)>,
    /// What a rule of the user's own says, and how long it may take.
    pub views: Option<fn(&Catalog, &'static Rule, Option<Duration>, &mut Report)>,
}

pub fn run(catalog: &Catalog, rules: &[&'static Rule], options: &Options) -> Run {
    let mut reports: Vec<(&'static Rule, Report, f64)> =
        rules.iter().map(|rule| ask(catalog, rule, options)).collect();
    hide(&mut reports);

    let ignoring = Ignoring::new(catalog);
    let mut run = Run::default();
    for (rule, mut report, ms) in reports {
        let ms = (ms * 1000.0).round() / 1000.0;
        run.examined.push(Examined { rule, objects: report.examined_total(), ms });
        run.rows.extend(report.skipped.iter().map(|s| skipped_row(rule, &s.object, &s.reason)));
        let mut open = Vec::new();
        for finding in std::mem::take(&mut report.findings) {
            match ignoring.find(rule, &finding.object) {
                Some(ignore) => run.rows.push(ignored(row(rule, finding, vec![], ms), ignore)),
                None => open.push(finding),
            }
        }
        let told = match options.one_by_one {
            true => open.into_iter().map(|f| (f, vec![])).collect(),
            false => roll_up(catalog, rule, &report, open),
        };
        for (finding, members) in told {
            let found = row(rule, finding, members, ms);
            run.rows.push(match ignoring.find(rule, &found.object).filter(|_| found.affected > 1) {
                Some(ignore) => ignored(found, ignore),
                None => found,
            });
        }
    }
    for r in &mut run.rows {
        r.severity = options.config.severity(r.rule, &r.object.schema).unwrap_or(r.severity);
    }
    run.rows.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    tell_apart(&mut run.rows);
    if let Some(baseline) = &options.baseline {
        run.rows.iter_mut().filter(|r| r.status == Status::Open).for_each(|r| compare(r, baseline));
    }
    run.rows.retain(|r| r.severity >= options.min_severity);
    run.rows.retain(|r| options.include_ignored || r.status != Status::Ignored);
    run
}

/// What one rule says of schemas it speaks about.
fn ask(catalog: &Catalog, rule: &'static Rule, options: &Options) -> (&'static Rule, Report, f64) {
    let start = Instant::now();
    let mut report = Report::default();
    let left = options.deadline.as_ref().map(|(end, _)| end.saturating_duration_since(start));
    match options.deadline.as_ref().filter(|(end, _)| start >= *end) {
        Some((_, why)) => report.skip(Object::database(&catalog.database), why),
        None => match options.views.filter(|_| rule.reads.contains(&Section::View)) {
            Some(ask_view) => ask_view(catalog, rule, left, &mut report),
            None => (rule.check)(catalog, &mut report),
        },
    }
    let how = options.how.get(rule.code).copied().unwrap_or_default();
    let speaks = |schema: &str| options.config.speaks(rule, schema, how);
    report.findings.retain(|f| speaks(&f.object.schema));
    // what could not be looked at as a whole is told wherever the rule speaks
    report.skipped.retain(|s| s.object.schema.is_empty() || speaks(&s.object.schema));
    report.examined.values_mut().for_each(|schemas| schemas.retain(|schema, _| speaks(schema)));
    (rule, report, start.elapsed().as_secs_f64() * 1000.0)
}

/// Those ignores that hold, and what objects are part of, if anything is ignored at all.
struct Ignoring<'c> {
    holding: Vec<&'c Ignore>,
    tables: HashMap<(&'static str, Oid), String>,
}

impl<'c> Ignoring<'c> {
    fn new(catalog: &'c Catalog) -> Ignoring<'c> {
        let today = catalog.today();
        let holds = |i: &&Ignore| i.standing(today) == Standing::Holds;
        let holding: Vec<&Ignore> = catalog.ignores.iter().filter(holds).collect();
        let tables = if holding.is_empty() { HashMap::new() } else { catalog.tables_of_parts() };
        Ignoring { holding, tables }
    }

    fn find(&self, rule: &Rule, object: &Object) -> Option<&'c Ignore> {
        let table = self.tables.get(&(object.kind, object.oid)).map(String::as_str);
        self.holding.iter().find(|i| i.covers(rule, object, table)).copied()
    }
}

fn ignored(mut row: Row, ignore: &Ignore) -> Row {
    row.status = Status::Ignored;
    row.details.insert("reason".into(), json!(ignore.reason));
    row.details.insert("until".into(), json!(ignore.until.map(|day| day.to_string())));
    let by = match &ignore.origin {
        Origin::Table { author, .. } => author.as_str(),
        Origin::Comment { .. } => "comment",
    };
    row.details.insert("ignored_by".into(), json!(by));
    row
}

impl Row {
    /// The fingerprints of all that it stands for.
    pub fn stands_for(&self) -> &[String] {
        match self.members.is_empty() {
            true => std::slice::from_ref(&self.fingerprint),
            false => &self.members,
        }
    }
}

/// A convention is accepted if all it stands for is, alone or in a convention.
fn compare(row: &mut Row, baseline: &HashSet<String>) {
    let new = row.stands_for().iter().filter(|f| !baseline.contains(*f)).count();
    if new == 0 {
        row.status = Status::Accepted;
    } else if new < row.affected {
        row.details.insert("not_in_baseline".into(), json!(new));
        row.message = format!("{}; {new} of them not in the baseline", row.message);
    }
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

fn row(rule: &'static Rule, finding: Finding, members: Vec<String>, ms: f64) -> Row {
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
        affected: members.len().max(1),
        members,
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
        members: vec![],
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
