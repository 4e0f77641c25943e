//! SARIF 2.1.0.

use super::Report;
use crate::lint::engine::{Row, Status};
use crate::lint::finding::Severity;
use crate::lint::rule::Rule;
use serde_json::{json, Value};
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, LogicalLocation, Message, MultiformatMessageString, Notification,
    PhysicalLocation, PropertyBag, Region, ReportingConfiguration, ReportingDescriptor,
    ReportingDescriptorReference, Result as Finding, ResultLevel, Run, Sarif, Suppression, Tool,
    ToolComponent,
};
use std::collections::BTreeMap;

pub fn write(report: &Report) -> Result<String, String> {
    let driver = ToolComponent::builder()
        .name("dbguard")
        .semantic_version(env!("CARGO_PKG_VERSION"))
        .rules(report.rules().map(descriptor).collect::<Vec<_>>())
        .build();
    let notes: Vec<Notification> = report.rows(Status::Skipped).map(notification).collect();
    let invocation =
        Invocation::builder().execution_successful(true).tool_execution_notifications(notes).build();
    let index: BTreeMap<&str, i64> = report.rules().map(|r| r.code).zip(0..).collect();
    let rows = report.run.rows.iter().filter(|r| r.status != Status::Skipped);
    let results: Vec<Finding> = rows.map(|r| finding(report, r, index.get(r.rule.code).copied())).collect();
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .invocations(vec![invocation])
        .results(results)
        .build();
    let sarif = Sarif::builder().version(json!("2.1.0")).runs(vec![run]).build();
    serde_json::to_string_pretty(&sarif).map_err(|e| e.to_string())
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Error => ResultLevel::Error,
        Severity::Warning => ResultLevel::Warning,
        Severity::Info => ResultLevel::Note,
    }
}

fn words(text: &str) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(text).build()
}

fn descriptor(rule: &'static Rule) -> ReportingDescriptor {
    let severity = ReportingConfiguration::builder().level(json!(level(rule.severity))).build();
    let tags = PropertyBag::builder().tags(vec![rule.category.as_str().to_owned()]).build();
    ReportingDescriptor::builder()
        .id(rule.code)
        .name(rule.name)
        .short_description(words(rule.title))
        .full_description(words(rule.why))
        .help(words(&crate::lint::explain::explain(rule)))
        .default_configuration(severity)
        .properties(tags)
        .build()
}

fn notification(row: &Row) -> Notification {
    let rule = ReportingDescriptorReference::builder().id(row.rule.code).build();
    let text = format!("{}: {}", row.object.identity, row.message);
    Notification::builder()
        .level(json!(ResultLevel::Note))
        .message(Message::builder().text(text).build())
        .associated_rule(rule)
        .build()
}

fn finding(report: &Report, row: &Row, index: Option<i64>) -> Finding {
    let mut finding = Finding::builder()
        .rule_id(row.rule.code)
        .level(level(row.severity))
        .message(Message::builder().text(&row.message).build())
        .locations(vec![location(report, row)])
        .partial_fingerprints(BTreeMap::from([("dbguard/v1".to_owned(), row.fingerprint.clone())]))
        .build();
    finding.rule_index = index;
    if row.status == Status::Accepted {
        finding.baseline_state = Some(json!("unchanged"));
    }
    if row.status == Status::Ignored {
        let text = |name: &str| row.details.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = if text("ignored_by") == "comment" { "inSource" } else { "external" };
        let suppression = Suppression::builder().kind(json!(kind)).justification(text("reason")).build();
        finding.suppressions = Some(vec![suppression]);
    }
    if let Some(fix) = &row.fix {
        let mut more = BTreeMap::from([("fix_sql".to_owned(), json!(fix.sql))]);
        more.insert("fix_safety".to_owned(), json!(fix.safety.as_str()));
        finding.properties = Some(PropertyBag::builder().additional_properties(more).build());
    }
    finding
}

/// Some readers drop what has no file: without one, the database stands for it.
fn location(report: &Report, row: &Row) -> Location {
    let logical =
        LogicalLocation::builder().fully_qualified_name(&row.object.identity).kind(row.object.kind).build();
    let (uri, line) = match report.sources.find(&row.object) {
        Some((file, line)) => (encoded(file), Some(line)),
        None => (format!("schema://{}", encoded(report.database)), None),
    };
    let mut physical =
        PhysicalLocation::builder().artifact_location(ArtifactLocation::builder().uri(uri).build()).build();
    physical.region = line.map(|line| Region::builder().start_line(line).build());
    Location::builder().logical_locations(vec![logical]).physical_location(physical).build()
}

/// As a URI wants it (RFC 3986): letters, digits and - . _ ~ / as they are.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(b).to_string()
            }
            b => format!("%{b:02X}"),
        })
        .collect()
}
