//! Findings counted.

use crate::lint::engine::{Row, Status};
use crate::lint::finding::Severity;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    Rule,
    Category,
    Schema,
    Severity,
    ObjectType,
}

impl GroupBy {
    pub const ALL: [GroupBy; 5] =
        [GroupBy::Rule, GroupBy::Category, GroupBy::Schema, GroupBy::Severity, GroupBy::ObjectType];

    pub fn as_str(self) -> &'static str {
        match self {
            GroupBy::Rule => "rule",
            GroupBy::Category => "category",
            GroupBy::Schema => "schema",
            GroupBy::Severity => "severity",
            GroupBy::ObjectType => "object_type",
        }
    }

    pub fn parse(text: &str) -> Option<GroupBy> {
        GroupBy::ALL.into_iter().find(|g| g.as_str() == text)
    }

    fn name(self, row: &Row) -> String {
        match self {
            GroupBy::Rule => format!("{} {}", row.rule.code, row.rule.name),
            GroupBy::Category => row.rule.category.as_str().to_owned(),
            GroupBy::Schema if row.object.schema.is_empty() => "(database)".to_owned(),
            GroupBy::Schema => row.object.schema.clone(),
            GroupBy::Severity => row.severity.as_str().to_owned(),
            GroupBy::ObjectType => row.object.kind.to_owned(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    pub name: String,
    pub errors: usize,
    pub warnings: usize,
    pub infos: usize,
    pub ignored: usize,
    pub skipped: usize,
    /// Behind the findings that are open: a folded one counts all it stands for.
    pub objects: usize,
    /// Open findings that bring SQL.
    pub with_fix: usize,
    /// Of the rule, where groups are rules.
    pub title: Option<&'static str>,
}

/// The worst group first.
pub fn summary(rows: &[Row], by: GroupBy) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for row in rows {
        let name = by.name(row);
        let group = groups.entry(name.clone()).or_insert_with(|| Group { name, ..Group::default() });
        group.title = (by == GroupBy::Rule).then_some(row.rule.title);
        match (row.status, row.severity) {
            (Status::Ignored, _) => group.ignored += 1,
            (Status::Skipped, _) => group.skipped += 1,
            (_, Severity::Error) => group.errors += 1,
            (_, Severity::Warning) => group.warnings += 1,
            (_, Severity::Info) => group.infos += 1,
        }
        if matches!(row.status, Status::Open | Status::Accepted) {
            group.objects += row.affected;
            group.with_fix += usize::from(row.fix.is_some());
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|g| std::cmp::Reverse((g.errors, g.warnings, g.infos, g.skipped)));
    groups
}
